//! Text of records, keys and names where people read it: on a terminal and in Markdown it is text, whatever it holds.

use std::borrow::Cow;

/// A text as a terminal shows it and does nothing else: what would move the cursor, colour what follows or turn the direction of
/// writing is written out.
///
/// ```
/// assert_eq!(weir_terminal::visible("pump\u{1b}[2J\n"), "pump\\u{1b}[2J\\n");
/// assert_eq!(weir_terminal::visible("Übergang/°C"), "Übergang/°C");
/// ```
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_invisible(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

fn is_invisible(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// A text in one line, as Markdown shows it, in a list and in a table: neither Markdown nor HTML begins in it.
///
/// ```
/// assert_eq!(weir_terminal::markdown("damp_room *x* <b>\n| y"), "damp_room \\*x\\* &lt;b>; \\| y");
/// ```
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = letters.next() {
        // Within a word it emphasises nothing: names stay as they are.
        let within_word = before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '_' if within_word => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// The same as code, in one line.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    visible(&lines.join("; ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_holds_is_shown_and_not_done() {
        let hostile = "a_b **x** | <img src=x onerror=1> [l](http://x) `c`\n## h\u{7}\u{202e}";
        assert_eq!(
            markdown(hostile),
            "a_b \\*\\*x\\*\\* \\| &lt;img src=x onerror=1> \\[l\\](http://x) \\`c\\`; ## h\\\\u{7}\\\\u{202e}"
        );
        assert_eq!(markdown("_x_ damp_room snake_case_"), "\\_x\\_ damp_room snake_case\\_");
        assert_eq!(markdown_code("a`b\n# c"), "`a'b; # c`");
        assert_eq!(visible("\u{85}\r\t"), "\\u{85}\\r\\t");
    }
}
