//! CSV with a header line (RFC 4180), with commas, semicolons, tabs or bars between the fields.
//!
//! A line with more or fewer fields than the header is no event: where a decimal comma tears a number apart, every field behind it
//! has another's place.

use std::{collections::VecDeque, io::BufRead, path::Path};

use anyhow::{Context, Result, anyhow, bail};

use super::{Columns, HandOn, Maker, Refusal, make::quoted};

/// What may stand between fields.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// A quoted field may go over so many lines; a quote that is open for longer was never closed.
const QUOTED_LINES: usize = 100;
/// Where more than one line in so many does not fit the header, the file is refused ...
const MISFITS_ONE_IN: u64 = 10;
/// ... once there are so many of them, or when they are the most.
const MISFITS_LEAST: u64 = 10;
/// So many misfits are named when a file is refused.
const MISFITS_NAMED: usize = 3;

/// A line of a file with its number.
type Line = (u64, Vec<u8>);

pub(super) fn each(input: Box<dyn BufRead>, file: &Path, maker: &Maker, hand_on: &mut HandOn<'_>) -> Result<()> {
    let what = || format!("{} cannot be read", file.display());
    let mut lines = Lines { input, number: 0, ahead: VecDeque::new() };
    let (delimiter, names) = loop {
        let Some((line, bytes)) = lines.next().with_context(what)? else { return Ok(()) };
        let text =
            std::str::from_utf8(&bytes).map_err(|_| anyhow!("{}:{line}: the header is not UTF-8", file.display()))?;
        if !text.trim().is_empty() {
            let delimiter = delimiter(text, &maker.columns);
            let mut row = Row::default();
            row.split(text, delimiter);
            let names: Vec<String> = row.fields().map(str::to_owned).collect();
            needed(&names, &maker.columns, file, line)?;
            break (delimiter, names);
        }
    };
    let mut misfits = Misfits { rows: 0, lines: 0, first: Vec::new() };
    let (mut row, mut out) = (Row::default(), Vec::new());
    while let Some((line, bytes)) = lines.next().with_context(what)? {
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        misfits.rows += 1;
        let refused = match lines.row(&bytes, delimiter, &mut row).with_context(what)? {
            Err(fault) => Some(fault),
            Ok(()) if row.ends.len() != names.len() => {
                Some(format!("{} fields where the header has {}", row.ends.len(), names.len()))
            }
            Ok(()) => None,
        };
        if let Some(message) = refused {
            misfits.found(line, &message);
            hand_on(line, Err(Refusal { reason: "misfit", message }))?;
            continue;
        }
        let values: Vec<(&str, String)> =
            names.iter().map(String::as_str).zip(row.fields().map(json)).filter(|(_, json)| json != "null").collect();
        maker.write_members(values.iter().map(|(name, value)| (*name, value.as_str())), &mut out);
        hand_on(line, Ok(&out))?;
    }
    misfits.judge(file)
}

/// A field as JSON: a number where it is written as JSON writes one, nothing where it is empty, else text.
fn json(field: &str) -> String {
    let number = field.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<serde::de::IgnoredAny>(field).is_ok();
    match field {
        "" => "null".to_owned(),
        _ if number => field.to_owned(),
        _ => quoted(field),
    }
}

/// Whether a line names the columns of events.
pub(super) fn is_header(line: &str, columns: &Columns) -> bool {
    let mut row = Row::default();
    row.split(line, delimiter(line, columns));
    has(&row, &columns.timestamp) && has(&row, &columns.value)
}

fn has(row: &Row, name: &str) -> bool {
    row.fields().any(|field| field == name)
}

/// What stands between the fields of a header: what lets most of the needed columns be found, a comma before all else.
fn delimiter(header: &str, columns: &Columns) -> char {
    let needed = [&columns.timestamp, &columns.value, &columns.source, &columns.metric];
    let found = |delimiter: char| {
        let mut row = Row::default();
        row.split(header, delimiter);
        needed.iter().filter(|name| has(&row, name)).count()
    };
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| found(*delimiter));
    best.unwrap_or(',')
}

fn needed(names: &[String], columns: &Columns, file: &Path, line: u64) -> Result<()> {
    for (name, option) in [(&columns.timestamp, "timestamp"), (&columns.value, "value")] {
        if !names.contains(name) {
            bail!(
                "{}:{line}: there is no column `{name}`\n  hint: the columns are {}; name the right one with --{option}",
                file.display(),
                names.join(", ")
            );
        }
    }
    Ok(())
}

/// The fields of a line.
#[derive(Debug, Default)]
struct Row {
    text: String,
    /// Where each field ends in the text.
    ends: Vec<usize>,
}

impl Row {
    fn fields(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// Takes a line apart; gives whether a quote is still open at its end. Blanks around a field go.
    fn split(&mut self, line: &str, delimiter: char) -> bool {
        self.text.clear();
        self.ends.clear();
        let mut rest = line.trim_end_matches(['\r', '\n']);
        loop {
            let begun = self.text.len();
            rest = rest.trim_start_matches([' ', '\t'].map(|blank| if blank == delimiter { ' ' } else { blank }));
            if let Some(mut quoted) = rest.strip_prefix('"') {
                loop {
                    let Some((part, after)) = quoted.split_once('"') else {
                        self.text.push_str(quoted);
                        self.ends.push(self.text.len());
                        return true;
                    };
                    self.text.push_str(part);
                    rest = after;
                    match after.strip_prefix('"') {
                        Some(more) => {
                            self.text.push('"');
                            quoted = more;
                        }
                        None => break,
                    }
                }
            }
            let (field, after) = match rest.split_once(delimiter) {
                Some((field, after)) => (field, Some(after)),
                None => (rest, None),
            };
            self.text.push_str(field);
            let trimmed = self.text.get(begun..).map_or(begun, |field| begun + field.trim_end().len());
            self.text.truncate(trimmed);
            self.ends.push(self.text.len());
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
    }
}

/// The lines of a file.
struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
    /// Lines that were looked at for the end of a quoted field, and are lines of their own.
    ahead: VecDeque<Line>,
}

impl Lines {
    fn next(&mut self) -> std::io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    fn read(&mut self) -> std::io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        self.number += 1;
        let read = self.input.read_until(b'\n', &mut bytes)?;
        Ok((read > 0).then_some((self.number, bytes)))
    }

    /// The fields of the row that begins with these bytes: of further lines too, while a quote is open.
    fn row(&mut self, first: &[u8], delimiter: char, row: &mut Row) -> std::io::Result<Result<(), String>> {
        let Ok(text) = std::str::from_utf8(first) else { return Ok(Err("not UTF-8".to_owned())) };
        if !row.split(text, delimiter) {
            return Ok(Ok(()));
        }
        let mut whole = text.to_owned();
        let mut looked_at = VecDeque::new();
        while looked_at.len() < QUOTED_LINES {
            let Some((number, bytes)) = self.next()? else { break };
            let more = std::str::from_utf8(&bytes).map(str::to_owned);
            looked_at.push_back((number, bytes));
            let Ok(more) = more else { break };
            whole.push_str(&more);
            if !row.split(&whole, delimiter) {
                return Ok(Ok(()));
            }
        }
        // The lines behind it are rows of their own.
        looked_at.append(&mut self.ahead);
        self.ahead = looked_at;
        Ok(Err("a quote that is never closed".to_owned()))
    }
}

/// Lines that do not fit the header.
struct Misfits {
    rows: u64,
    lines: u64,
    first: Vec<String>,
}

impl Misfits {
    fn found(&mut self, line: u64, message: &str) {
        self.lines += 1;
        if self.first.len() < MISFITS_NAMED {
            self.first.push(format!("line {line}: {message}"));
        }
    }

    fn judge(&self, file: &Path) -> Result<()> {
        let many = self.lines * MISFITS_ONE_IN > self.rows;
        if many && (self.lines >= MISFITS_LEAST || self.lines * 2 > self.rows) {
            bail!(
                "{}: {} of {} lines do not fit the header ({})\n  hint: decimals are written with a point, and a field that holds the separator is quoted",
                file.display(),
                self.lines,
                self.rows,
                self.first.join("; ")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> (Vec<String>, bool) {
        let mut row = Row::default();
        let open = row.split(line, ',');
        (row.fields().map(str::to_owned).collect(), open)
    }

    #[test]
    fn fields_are_taken_apart_as_spreadsheets_write_them() {
        let split = |line: &str| fields(line).0;
        assert_eq!(split("a, b ,c\r\n"), ["a", "b", "c"]);
        assert_eq!(split("\"a,b\",\"say \"\"no\"\"\",\"\""), ["a,b", "say \"no\"", ""]);
        assert_eq!(split(",,"), ["", "", ""]);
        assert_eq!(split("5\" pipe,x"), ["5\" pipe", "x"]);
        assert_eq!(fields("a,\"b"), (vec!["a".to_owned(), "b".to_owned()], true));
    }

    #[test]
    fn a_field_is_a_number_where_json_writes_it_so() {
        for number in ["1", "-1.5", "1e5", "0.10"] {
            assert_eq!(json(number), number);
        }
        for text in ["01", "+1", ".5", "1.", "NaN", "1,5", "true", "1 2", "- 1"] {
            assert_eq!(json(text), format!("\"{text}\""));
        }
        assert_eq!(json(""), "null");
    }
}
