//! Text that is safe to show: no control characters, bounded, with a mark where something was cut.

use serde_json::Value;
use weir_anomaly::Timestamp;

/// Stands where text was cut.
const MARK: &str = "…";
/// The same where only ASCII is taken.
const ASCII_MARK: &str = "...";

/// Field names that hint at a secret. Events come from other people's systems; a message goes to phones and chat rooms.
const SECRETS: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "credential"];

/// One line: control characters, line breaks and the characters that reverse text become spaces.
pub(super) fn one_line(text: &str) -> String {
    let safe = |c: char| {
        let reverses =
            matches!(c, '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}');
        let breaks = matches!(c, '\u{2028}' | '\u{2029}');
        if c.is_control() || reverses || breaks { ' ' } else { c }
    };
    text.chars().map(safe).collect::<String>().trim().replace(['\u{FFFE}', '\u{FFFF}'], "\u{FFFD}")
}

/// At most `limit` characters, the last a mark when something was cut.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(MARK.chars()).collect()
}

/// At most `limit` printable ASCII characters, others shown as `?`, the last ones a mark when something was cut. SNS's
/// rule for subjects: "ASCII text that begins with a letter, number, or punctuation mark", without control characters; its
/// newer documentation says UTF-8, and what some regions refuse is not worth an alert.
pub(super) fn cut_ascii(text: &str, limit: usize) -> String {
    let ascii: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    if ascii.len() <= limit {
        return ascii;
    }
    ascii.chars().take(limit.saturating_sub(ASCII_MARK.len())).chain(ASCII_MARK.chars()).collect()
}

/// At most `limit` bytes, the last ones a mark when something was cut.
pub(super) fn cut_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(MARK.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

/// A number as people write it: six significant digits, no trailing zeros.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "the magnitude is under 1e15")]
    let whole_digits = if magnitude < 1.0 { 0 } else { magnitude.log10() as i32 + 1 };
    let decimals = usize::try_from(6 - whole_digits).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// An instant as people read it.
pub(super) fn when(time: Timestamp) -> String {
    let text = time.to_rfc3339_millis().replace('T', " ");
    let text = text.trim_end_matches('Z');
    format!("{} UTC", text.strip_suffix(".000").unwrap_or(text))
}

/// Whether a field's name hints at a secret.
pub(super) fn secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRETS.iter().any(|hint| name.contains(hint))
}

/// The value without what its field names, at any depth, call a secret.
pub(super) fn hide(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let hidden = |(name, value): (String, Value)| {
                let value = if secret(&name) { Value::from("(hidden)") } else { hide(value) };
                (name, value)
            };
            Value::Object(fields.into_iter().map(hidden).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(hide).collect()),
        other => other,
    }
}

/// A word for a shell: a person who copies the command must not run what a key says.
pub(super) fn shell(text: &str) -> String {
    format!("'{}'", one_line(text).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (21.5, "21.5"),
            (21.500_000_000_000_4, "21.5"),
            (-3.0, "-3"),
            (1_234.567_89, "1234.57"),
            (123_456_789.0, "123456789"),
            (0.000_123, "0.000123"),
            (1e-9, "1.000e-9"),
            (1e300, "1.000e300"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_cut_is_marked_and_keeps_characters_whole() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut_bytes("ééé", 5), "é…");
        assert_eq!(cut_ascii("pümp-7 is hot", 10), "p?mp-7 ...");
        assert_eq!(cut_ascii("pump", 4), "pump");
    }

    #[test]
    fn secrets_are_hidden_at_any_depth() {
        let value = serde_json::json!({"a": [{"DB_Password": {"x": 1}, "b": 2}], "token": "t"});
        assert_eq!(hide(value), serde_json::json!({"a": [{"DB_Password": "(hidden)", "b": 2}], "token": "(hidden)"}));
    }

    #[test]
    fn a_line_holds_nothing_that_breaks_or_turns_it() {
        assert_eq!(one_line(" a\r\nb\u{202e}c\u{FFFE}\u{85}d\t"), "a  b c\u{FFFD} d");
    }

    #[test]
    fn a_copied_command_runs_nothing_of_the_key() {
        assert_eq!(shell("a'; rm -rf / #\n"), r"'a'\''; rm -rf / #'");
    }
}
