//! Columns between delimiters, with quoting as RFC 4180 has it.
//!
//! A column that begins with the quote ends at the next single quote; two quotes inside are one. A quote elsewhere is itself.
//! The number of columns must be the declared one: one too many is a decimal comma or an unquoted text, and guessing which
//! column it belongs to would be wrong.

use super::Span;

/// How columns are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// Between columns; ASCII.
    pub delimiter: u8,
    /// Around columns; `None`: quotes are ordinary characters.
    pub quote: Option<u8>,
    /// Which columns there are.
    pub columns: Columns,
}

/// The columns of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Their names in order; an empty one has none and is reached by its number.
    pub names: Vec<String>,
    /// Whether further columns may follow (`"..."` at the end of the list).
    pub more: bool,
}

impl Csv {
    /// Takes one record apart.
    pub(crate) fn split(
        &self,
        text: &str,
        scratch: &mut String,
        mut column: impl FnMut(usize, Span),
    ) -> Result<(), String> {
        let end = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)).len();
        let bytes = text.as_bytes().get(..end).unwrap_or_default();
        let (mut at, mut index) = (0, 0);
        loop {
            let span = match self.quote {
                Some(quote) if bytes.get(at) == Some(&quote) => {
                    let (span, after) = quoted(text, bytes, at + 1, quote, scratch)
                        .ok_or_else(|| format!("the quote of column {} is not closed", index + 1))?;
                    if bytes.get(after).is_some_and(|next| *next != self.delimiter) {
                        return Err(format!("there is text after the closing quote of column {}", index + 1));
                    }
                    at = after;
                    span
                }
                _ => {
                    let start = at;
                    at += memchr::memchr(self.delimiter, bytes.get(at..).unwrap_or_default()).unwrap_or(end - at);
                    Span::of(start, at)
                }
            };
            column(index, span);
            index += 1;
            if at >= end {
                break;
            }
            at += 1;
        }
        let declared = self.columns.names.len();
        if index < declared || (index > declared && !self.columns.more) {
            return Err(format!("{index} columns where {declared} are declared"));
        }
        Ok(())
    }
}

/// A quoted column whose opening quote was taken, and where it ends.
fn quoted(text: &str, bytes: &[u8], start: usize, quote: u8, scratch: &mut String) -> Option<(Span, usize)> {
    let close = |from: usize| Some(from + memchr::memchr(quote, bytes.get(from..)?)?);
    let first = close(start)?;
    if bytes.get(first + 1) != Some(&quote) {
        return Some((Span::of(start, first), first + 1));
    }
    let begin = scratch.len();
    let (mut from, mut at) = (start, first);
    loop {
        if bytes.get(at + 1) != Some(&quote) {
            scratch.push_str(text.get(from..at)?);
            return Some((Span::in_scratch(begin, scratch.len()), at + 1));
        }
        scratch.push_str(text.get(from..=at)?);
        from = at + 2;
        at = close(from)?;
    }
}

/// Where the records of several lines end, each at a line break or at the end: line breaks inside quotes are part of a column.
/// Stops when `end` says so.
pub(crate) fn record_ends(bytes: &[u8], quote: Option<u8>, delimiter: u8, mut end: impl FnMut(usize) -> bool) {
    let Some(quote) = quote else {
        memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]).all(end);
        return;
    };
    let (mut inside, mut fresh) = (false, true);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == quote && (inside || fresh) {
            // A doubled quote closes and opens again.
            inside = !inside;
            fresh = !inside;
        } else if *byte == b'\n' && !inside {
            if !end(at) {
                return;
            }
            fresh = true;
        } else {
            fresh = !inside && *byte == delimiter;
        }
    }
    end(bytes.len());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csv(columns: usize, more: bool) -> Csv {
        Csv { delimiter: b',', quote: Some(b'"'), columns: Columns { names: vec![String::new(); columns], more } }
    }

    fn split(format: &Csv, text: &str) -> Result<Vec<String>, String> {
        let (mut scratch, mut spans) = (String::new(), Vec::new());
        format.split(text, &mut scratch, |_, span| spans.push(span))?;
        Ok(spans.into_iter().map(|span| span.text(text, &scratch).to_owned()).collect())
    }

    #[test]
    fn quotes_commas_and_line_breaks() {
        assert_eq!(split(&csv(3, false), "a,\"b,\"\"c\"\"\",\r\n").unwrap(), ["a", "b,\"c\"", ""]);
        assert_eq!(split(&csv(2, false), "\"a\nb\",c").unwrap(), ["a\nb", "c"]);
        assert_eq!(split(&csv(1, false), "").unwrap(), [""]);
        assert_eq!(split(&csv(1, true), "a,b").unwrap(), ["a", "b"]);
        assert_eq!(split(&csv(2, false), "a,x\"y\"").unwrap(), ["a", "x\"y\""]);
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        assert_eq!(split(&csv(2, false), "a,21,5").unwrap_err(), "3 columns where 2 are declared");
        assert_eq!(split(&csv(2, true), "a").unwrap_err(), "1 columns where 2 are declared");
        assert_eq!(split(&csv(2, false), "a,\"b").unwrap_err(), "the quote of column 2 is not closed");
        assert_eq!(split(&csv(2, false), "\"a\"x,b").unwrap_err(), "there is text after the closing quote of column 1");
    }

    fn write(columns: &[String]) -> String {
        let quoted: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\""))).collect();
        quoted.join(",")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(records in proptest::collection::vec(proptest::collection::vec("[a\",\n é]{0,6}", 1..5), 1..5)) {
            let text: String = records.iter().map(|columns| write(columns) + "\n").collect();
            let mut start = 0;
            let mut ends = Vec::new();
            record_ends(text.as_bytes(), Some(b'"'), b',', |end| {
                ends.push(end);
                true
            });
            prop_assert_eq!(ends.pop(), Some(text.len()));
            prop_assert_eq!(ends.len(), records.len());
            for (end, columns) in ends.into_iter().zip(records) {
                prop_assert_eq!(split(&csv(columns.len(), false), text.get(start..end).unwrap()).unwrap(), columns);
                start = end + 1;
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a\",\r\n é]{0,20}|.{0,20}") {
            let _ = split(&csv(2, true), &text);
            record_ends(text.as_bytes(), Some(b'"'), b',', |_| true);
        }
    }
}
