//! Samples that show a shape and no person: texts lose their letters and digits, and keep what decoding needs.

use std::collections::HashSet;

use super::stats::Leaf;
use crate::{
    json::{Cursor, Number},
    path::Step,
    time::{TimeFormat, TimeReader, Zone},
};

/// Values that come at least so often are words of the producer's, not of a person.
const OFTEN: usize = 3;
/// Longer values are no such words.
const MAX_WORD: usize = 32;
/// Numbers with more digits may be accounts or cards.
const MAX_DIGITS: usize = 9;

/// The texts that may stay: words that come often, in places with few different ones, and what paths ask for.
pub(super) fn words(leaves: &[Leaf]) -> HashSet<String> {
    let mut words: HashSet<String> = ["DATA_MESSAGE", "GET", "POST", "HTTP/1.1", "OK", "-"].map(str::to_owned).into();
    let wanted = leaves.iter().flat_map(|leaf| &leaf.path.steps).filter_map(|step| match step {
        Step::Where { equals, .. } => Some(equals.clone()),
        _ => None,
    });
    words.extend(wanted);
    for leaf in leaves.iter().filter(|leaf| leaf.stats.distinct.len() <= 8 && leaf.stats.texts > 0) {
        let often = leaf.stats.distinct.iter().filter(|(word, count)| {
            let plain = word.chars().all(|c| c.is_ascii_alphabetic() || "_- /.:".contains(c));
            **count >= OFTEN && word.len() <= MAX_WORD && plain && !is_personal(&leaf.name())
        });
        words.extend(often.map(|(word, _)| word.clone()));
    }
    words
}

fn is_personal(name: &str) -> bool {
    const PERSONAL: [&str; 24] = [
        "user",
        "name",
        "mail",
        "ip",
        "addr",
        "host",
        "token",
        "secret",
        "arn",
        "account",
        "owner",
        "principal",
        "city",
        "comment",
        "login",
        "title",
        "query",
        "subject",
        "message",
        "body",
        "phone",
        "street",
        "birth",
        "log",
    ];
    let name = name.to_lowercase();
    PERSONAL.iter().any(|word| name.contains(word))
}

/// A JSON text with its strings and long numbers masked; names of members stay.
pub(super) fn json(text: &str, words: &HashSet<String>) -> String {
    let mut out = String::new();
    let mut cursor = Cursor::new(text);
    // Whether the member that was named last is called as times are.
    let mut timed = false;
    loop {
        let before = cursor.position();
        let Ok(next) = cursor.next_token() else { break };
        let start = cursor.position();
        out.push_str(cursor.slice(before, start));
        match next {
            b'"' => {
                let Ok(string) = cursor.string() else { break };
                let after = cursor.position();
                if cursor.next_token().is_ok_and(|next| next == b':') {
                    out.push_str(cursor.slice(start, after));
                    timed = super::time::time_name(cursor.slice(string.start, string.end)) > 0;
                } else {
                    let mut value = String::new();
                    crate::json::unescape(cursor.slice(string.start, string.end), &mut value);
                    out.push_str(
                        &serde_json::Value::from(if timed && is_time(&value) { value } else { masked(&value, words) })
                            .to_string(),
                    );
                }
                cursor.return_to(after);
            }
            b'-' | b'0'..=b'9' => {
                if cursor.number().is_err() {
                    break;
                }
                let number = cursor.slice(start, cursor.position());
                let digits = number.bytes().filter(u8::is_ascii_digit).count();
                let whole = number.bytes().all(|byte| byte.is_ascii_digit());
                if whole && digits > MAX_DIGITS && !(timed && is_time(number)) {
                    out.push_str(&"1".repeat(digits));
                } else {
                    out.push_str(number);
                }
            }
            other => {
                cursor.take();
                out.push(char::from(other));
            }
        }
    }
    out
}

/// A text with its letters and digits replaced, when it is none of the words, no time and no short number. Embedded JSON keeps
/// its shape.
pub(super) fn masked(text: &str, words: &HashSet<String>) -> String {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if words.contains(text) || text.is_empty() || (!digits && is_time(text)) {
        return text.to_owned();
    }
    if Number::read_text(text).is_some() && text.bytes().filter(u8::is_ascii_digit).count() <= MAX_DIGITS {
        return text.to_owned();
    }
    if text.starts_with('{') && serde_json::from_str::<serde_json::Value>(text).is_ok() {
        return json(text, words);
    }
    let address = text.split('.').count() == 4 && text.split('.').all(|part| part.parse::<u8>().is_ok());
    if address {
        // RFC 5737: for documentation.
        return format!("192.0.2.{}", text.rsplit('.').next().unwrap_or("1"));
    }
    let mask = |c: char| match c {
        '0'..='9' => '0',
        c if c.is_uppercase() => 'X',
        c if c.is_alphanumeric() => 'x',
        c => c,
    };
    text.chars().map(mask).collect()
}

fn is_time(text: &str) -> bool {
    text.len() <= 40
        && text.len() >= 8
        && super::times::FORMS.iter().any(|form| {
            let Ok(format) = TimeFormat::parse(form) else { return false };
            TimeReader { formats: vec![format], zone: Zone::UTC }.read_text(text).is_ok()
        })
}
