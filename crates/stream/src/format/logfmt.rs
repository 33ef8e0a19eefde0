//! logfmt: `level=info msg="took a while" elapsed=12ms ok`.
//!
//! Keys end at `=` or a blank. A value is bare up to the next blank, or quoted with `\"`, `\\`, `\n`, `\t` as escapes. A key
//! alone is `true` (Brandur Leach, logfmt; Heroku's log format).

use super::Span;

/// Takes a line apart into keys and values.
pub(crate) fn pairs(text: &str, scratch: &mut String, mut pair: impl FnMut(&str, Span, &str)) -> Result<(), String> {
    let text = text.trim_end_matches(['\n', '\r']);
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            at += 1;
        }
        if at >= bytes.len() {
            return Ok(());
        }
        let start = at;
        while bytes.get(at).is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'=' | b'"')) {
            at += 1;
        }
        let key = text.get(start..at).unwrap_or_default();
        if key.is_empty() || bytes.get(at) == Some(&b'"') {
            return Err(format!("expected `key=value` at byte {at}"));
        }
        if bytes.get(at) != Some(&b'=') {
            let begin = scratch.len();
            scratch.push_str("true");
            let span = Span::in_scratch(begin, scratch.len());
            pair(key, span, scratch);
            continue;
        }
        at += 1;
        let span = if bytes.get(at) == Some(&b'"') {
            let (span, after) =
                quoted(text, at + 1, scratch).ok_or_else(|| format!("the quote of `{key}` is not closed"))?;
            if bytes.get(after).is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
                return Err(format!("there is text after the closing quote of `{key}`"));
            }
            at = after;
            span
        } else {
            let start = at;
            while bytes.get(at).is_some_and(|byte| !matches!(byte, b' ' | b'\t')) {
                at += 1;
            }
            Span::of(start, at)
        };
        pair(key, span, scratch);
    }
}

/// A quoted value whose opening quote was taken, and where it ends.
fn quoted(text: &str, start: usize, scratch: &mut String) -> Option<(Span, usize)> {
    let begin = scratch.len();
    let mut from = start;
    loop {
        let rest = text.get(from..)?;
        let at = from + memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
        if text.as_bytes().get(at) == Some(&b'"') {
            if from == start {
                return Some((Span::of(start, at), at + 1));
            }
            scratch.push_str(text.get(from..at)?);
            return Some((Span::in_scratch(begin, scratch.len()), at + 1));
        }
        scratch.push_str(text.get(from..at)?);
        let escaped = text.get(at + 1..)?.chars().next()?;
        scratch.push(match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            other => other,
        });
        from = at + 1 + escaped.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let (mut scratch, mut found) = (String::new(), Vec::new());
        pairs(text, &mut scratch, |key, span, scratch| {
            found.push((key.to_owned(), span.text(text, scratch).to_owned()))
        })?;
        Ok(found)
    }

    #[test]
    fn keys_values_quotes_and_flags() {
        let found = read("level=info msg=\"a \\\"b\\\" é\\n\" n=12ms x= ok\n").unwrap();
        let expected = [("level", "info"), ("msg", "a \"b\" é\n"), ("n", "12ms"), ("x", ""), ("ok", "true")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn what_is_no_logfmt() {
        assert_eq!(read("a=\"b").unwrap_err(), "the quote of `a` is not closed");
        assert_eq!(read("a=\"b\"c").unwrap_err(), "there is text after the closing quote of `a`");
        assert_eq!(read("=b").unwrap_err(), "expected `key=value` at byte 0");
        assert_eq!(read("\"a\"=b").unwrap_err(), "expected `key=value` at byte 0");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(found in proptest::collection::vec(("[a-z.]{1,4}", "[a \"\\\\\n=é]{0,8}"), 0..6)) {
            let text: Vec<String> = found.iter().map(|(key, value)| {
                format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            }).collect();
            prop_assert_eq!(read(&text.join(" ")).unwrap(), found);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a=\"\\\\ é\n]{0,20}|.{0,20}") {
            let _ = read(&text);
        }
    }
}
