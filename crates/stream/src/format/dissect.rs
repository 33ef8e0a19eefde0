//! Patterns for text: `{time} [{level}] {message}`.
//!
//! | in a pattern | |
//! |---|---|
//! | `{name}` | a part: everything up to the literal that follows, or to the end of the text; may be empty |
//! | `{}` | a part that nobody wants |
//! | `{name->}` | a part, and any blanks after it (columns padded with blanks) |
//! | `{{`, `}}` | a brace |
//! | anything else | itself |
//!
//! A part between double quotes ends at the first quote that no backslash stands before: web servers escape quotes so. The
//! text must fit from its first to its last character; one line break at its end is none of it.

use super::Span;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Dissect {
    text: String,
    /// What stands before the first part.
    prefix: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    padded: bool,
    /// What stands after it; empty only for the last part.
    literal: String,
    quoted: bool,
}

/// Why a text is no pattern, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFault {
    /// Byte of the pattern.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

impl Dissect {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When a brace is not closed, two parts stand side by side, a name comes twice, or there is no part.
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        let fault = |at, message: &str| PatternFault { at, message: message.to_owned() };
        let (mut prefix, mut parts): (String, Vec<Part>) = (String::new(), Vec::new());
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let doubled = chars.peek().is_some_and(|(_, next)| *next == c);
            if c == '{' && !doubled {
                let name: String = chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '}').collect();
                if !text.get(at..).unwrap_or_default().starts_with(&format!("{{{name}}}")) {
                    return Err(fault(at, "the brace is not closed; `{{` is a brace itself"));
                }
                let (name, padded) = name.strip_suffix("->").map_or((name.as_str(), false), |name| (name, true));
                if name.contains('{') {
                    return Err(fault(at, "the brace is not closed; `{{` is a brace itself"));
                }
                if parts.last().is_some_and(|part| part.literal.is_empty()) {
                    return Err(fault(at, "two parts need something between them"));
                }
                if !name.is_empty() && parts.iter().any(|part| part.name == name) {
                    return Err(PatternFault { at, message: format!("there are two parts `{name}`") });
                }
                parts.push(Part { name: name.to_owned(), padded, literal: String::new(), quoted: false });
                continue;
            }
            if c == '{' || (c == '}' && doubled) {
                chars.next();
            } else if c == '}' {
                return Err(fault(at, "a closing brace without an opening one; `}}` is a brace itself"));
            }
            parts.last_mut().map_or(&mut prefix, |part| &mut part.literal).push(c);
        }
        if parts.is_empty() {
            return Err(fault(0, "there is no part such as `{name}` in it"));
        }
        let mut before = prefix.as_str();
        let quoted: Vec<bool> = parts
            .iter()
            .map(|part| {
                let quoted = before.ends_with('"') && part.literal.starts_with('"');
                before = &part.literal;
                quoted
            })
            .collect();
        for (part, quoted) in parts.iter_mut().zip(quoted) {
            part.quoted = quoted;
        }
        Ok(Self { text: text.to_owned(), prefix, parts })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the parts, in order; unwanted ones are empty.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// Takes a text apart; `None` when it does not fit.
    pub(crate) fn split(&self, text: &str, mut part: impl FnMut(usize, Span)) -> Option<()> {
        let end = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)).len();
        let mut at = self.prefix.len();
        text.get(..end)?.strip_prefix(self.prefix.as_str())?;
        for (index, wanted) in self.parts.iter().enumerate() {
            let rest = text.get(at..end)?;
            let length = if wanted.literal.is_empty() { rest.len() } else { wanted.find(rest)? };
            part(index, Span::of(at, at + length));
            at += length + wanted.literal.len();
            if wanted.padded {
                let rest = text.get(at..end)?;
                at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
            }
        }
        (at == end).then_some(())
    }
}

impl Part {
    /// Where in the text the part ends.
    fn find(&self, rest: &str) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = from + memchr::memmem::find(rest.as_bytes().get(from..)?, self.literal.as_bytes())?;
            if !self.quoted || !ends_in_escape(rest.get(..at)?) {
                return Some(at);
            }
            from = at + 1;
        }
    }
}

/// Whether an odd number of backslashes stands at the end.
fn ends_in_escape(text: &str) -> bool {
    (text.len() - text.trim_end_matches('\\').len()) % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
        let mut parts = Vec::new();
        Dissect::parse(pattern).unwrap().split(text, |_, span| parts.push(span.text(text, "")))?;
        Some(parts)
    }

    #[test]
    fn texts_are_taken_apart_whole_or_not_at_all() {
        assert_eq!(split("{a} {b}", "1 2 3\n"), Some(vec!["1", "2 3"]));
        assert_eq!(split("{a} {b}", "1"), None);
        assert_eq!(split("[{a}] {b}!", "[x y] z!"), Some(vec!["x y", "z"]));
        assert_eq!(split("[{a}] {b}!", "[x y] z!?"), None);
        assert_eq!(split("{a->} {b}", "x    y"), Some(vec!["x", "y"]));
        assert_eq!(split("{{{a}}}", "{x}"), Some(vec!["x"]));
        assert_eq!(split("{a}", ""), Some(vec![""]));
        assert_eq!(split("é{a}ü{}", "éxüy\r\n"), Some(vec!["x", "y"]));
    }

    #[test]
    fn escaped_quotes_stay_inside() {
        assert_eq!(split(r#""{a}" {b}"#, r#""GET /\"x\" \\" 200"#), Some(vec![r#"GET /\"x\" \\"#, "200"]));
        assert_eq!(split(r#"{a}" {b}"#, r#"x\" y"#), Some(vec!["x\\", "y"]), "no quote before it: no quoting");
    }

    #[test]
    fn says_what_is_wrong_with_a_pattern() {
        for (pattern, at) in
            [("", 0), ("abc", 0), ("{a}{b}", 3), ("{a} {a}", 4), ("x {a", 2), ("a} {b}", 1), ("{a{b}", 0)]
        {
            assert_eq!(Dissect::parse(pattern).unwrap_err().at, at, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in "[{}a \"\\\\é-]{0,12}|.{0,12}", text in "[a \"\\\\é{}]{0,20}|.{0,20}") {
            if let Ok(pattern) = Dissect::parse(&pattern) {
                let _ = pattern.split(&text, |_, span| assert!(text.get(span.start()..span.end()).is_some()));
            }
        }

        #[test]
        fn what_is_put_together_is_taken_apart(parts in proptest::collection::vec("[a-z]{0,5}", 1..6)) {
            let pattern: Vec<String> = (0..parts.len()).map(|index| format!("{{p{index}}}")).collect();
            let text = parts.join(" | ");
            prop_assert_eq!(split(&pattern.join(" | "), &text), Some(parts.iter().map(String::as_str).collect()));
        }
    }
}
