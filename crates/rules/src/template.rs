//! Fills `${name}`, keeps or drops `-- @if name = "value"` … `-- @end` blocks and takes note of `-- @define name` … `-- @end`,
//! remembering where each line was written.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use crate::{
    RuleError, SourceMap,
    guard::{Edit, edited},
};

/// Text that is appended to line by line, together with its source map.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) map: SourceMap,
}

impl Output {
    /// Appends lines that the compiler writes.
    pub(crate) fn generated(&mut self, text: &str) {
        for line in text.lines() {
            self.text.push_str(line);
            self.text.push('\n');
            self.map.push_generated(1);
        }
    }

    /// Appends lines that the compiler writes for what stands there.
    pub(crate) fn generated_for(&mut self, file: &Path, line: usize, text: &str) {
        for written in text.lines() {
            self.text.push_str(written);
            self.text.push('\n');
            self.map.push_generated_for(1, file, line);
        }
    }

    /// Appends a text that was written apart, with its places.
    pub(crate) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.map.append(other.map);
    }

    /// The same with some changes, which are in the order of the text.
    pub(crate) fn edited(mut self, edits: &[Edit]) -> Self {
        self.text = edited(&self.text, edits);
        // From the last on: an edit moves what is behind it.
        for edit in edits.iter().rev() {
            self.map.edit(edit.line, edit);
        }
        self
    }

    /// Appends lines that a person wrote, from `first_line` of `file` on, with `${name}` filled and `@if` blocks resolved. What
    /// stands in a `@define` block is the value of its name from there on, on one line.
    pub(crate) fn written(
        &mut self,
        file: &Path,
        first_line: usize,
        text: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<(), RuleError> {
        let mut values = Cow::Borrowed(values);
        let mut blocks: Vec<Block> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = first_line + index;
            let fault = |message: String| RuleError::new(file, message).at(number, 1);
            let kept = blocks.iter().all(Block::is_kept);
            match directive(line).map_err(fault)? {
                Some(Directive::If { name, value }) => {
                    let actual = values.get(name).ok_or_else(|| unknown(file, number, 1, name, &values))?;
                    blocks.push(Block::If(actual == value));
                }
                Some(Directive::Define { name }) => blocks.push(Block::Define { name, lines: Vec::new() }),
                Some(Directive::End) => match blocks.pop() {
                    Some(Block::Define { name, lines }) => {
                        if blocks.iter().all(Block::is_kept) {
                            values.to_mut().insert(name.to_owned(), lines.join(" "));
                        }
                    }
                    Some(Block::If(_)) => {}
                    None => return Err(fault("`-- @end` without `-- @if` or `-- @define`".to_owned())),
                },
                None if kept => {
                    let (filled, shifts) = fill(file, number, line, &values)?;
                    if let Some(Block::Define { lines, .. }) = blocks.last_mut() {
                        lines.push(filled.trim().to_owned());
                        continue;
                    }
                    self.text.push_str(filled.trim_end());
                    self.text.push('\n');
                    self.map.push_written(file, number, shifts);
                }
                None => {}
            }
        }
        match blocks.last() {
            None => Ok(()),
            Some(Block::If(_)) => Err(RuleError::new(file, "`-- @if` without `-- @end`")),
            Some(Block::Define { .. }) => Err(RuleError::new(file, "`-- @define` without `-- @end`")),
        }
    }
}

/// A block whose end is still to come.
enum Block<'a> {
    /// Whether its lines are kept.
    If(bool),
    Define {
        name: &'a str,
        lines: Vec<String>,
    },
}

impl Block<'_> {
    fn is_kept(&self) -> bool {
        !matches!(self, Self::If(false))
    }
}

/// Text as an SQL literal.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

enum Directive<'a> {
    If { name: &'a str, value: &'a str },
    Define { name: &'a str },
    End,
}

fn directive(line: &str) -> Result<Option<Directive<'_>>, String> {
    let Some(rest) = line.trim().strip_prefix("-- @") else {
        return Ok(None);
    };
    if rest.trim() == "end" {
        return Ok(Some(Directive::End));
    }
    if let Some(name) = rest.strip_prefix("define ") {
        return Ok(Some(Directive::Define { name: name.trim() }));
    }
    let condition = rest.strip_prefix("if ").and_then(|c| c.split_once('='));
    let (name, value) = condition
        .ok_or_else(|| format!("`-- @{rest}` is none of `-- @if NAME = \"VALUE\"`, `-- @define NAME` and `-- @end`"))?;
    Ok(Some(Directive::If { name: name.trim(), value: value.trim().trim_matches('"') }))
}

/// Bytes of one line that is filled: definitions that name others could fill any memory.
const FILLED_MOST: usize = 1 << 20;

/// One line with its `${name}`s filled, and how columns moved.
fn fill(
    file: &Path,
    number: usize,
    line: &str,
    values: &BTreeMap<String, String>,
) -> Result<(String, Vec<(usize, usize)>), RuleError> {
    let mut filled = String::with_capacity(line.len());
    let mut shifts = vec![(1, 1)];
    let mut rest = line;
    let mut written = 1;
    // A comment may speak of `${name}` without meaning it, unless it is a setting of the engine.
    let comment = line.trim_start().starts_with("--") && !line.trim_start().starts_with("-- weir: ");
    while let Some((before, after)) = rest.split_once("${").filter(|_| !comment) {
        filled.push_str(before);
        written += before.chars().count();
        let (name, tail) = after.split_once('}').ok_or_else(|| {
            RuleError::new(file, "`${` without `}`").at(number, written).hint("a parameter is written ${name}")
        })?;
        let value = values.get(name).ok_or_else(|| unknown(file, number, written, name, values))?;
        shifts.push((filled.chars().count() + 1, written));
        filled.push_str(value);
        if filled.len() > FILLED_MOST {
            return Err(RuleError::new(
                file,
                format!("this line is longer than {FILLED_MOST} bytes once it is filled"),
            )
            .at(number, written)
            .hint("a `-- @define` that names another twice doubles it each time"));
        }
        written += name.chars().count() + 3;
        shifts.push((filled.chars().count() + 1, written));
        rest = tail;
    }
    filled.push_str(rest);
    Ok((filled, shifts))
}

fn unknown(file: &Path, line: usize, column: usize, name: &str, values: &BTreeMap<String, String>) -> RuleError {
    let known: Vec<&str> = values.keys().map(String::as_str).collect();
    let hint = if known.is_empty() {
        "declare it in the header".to_owned()
    } else {
        format!("known are {}", known.join(", "))
    };
    RuleError::new(file, format!("parameter `{name}` is not declared")).at(line, column).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        [("limit", "90.0"), ("time", "event")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn fills_and_remembers_where_each_place_was_written() {
        let mut out = Output::default();
        out.generated("INSERT INTO anomalies\nSELECT");
        out.written(
            Path::new("r.sql"),
            7,
            "SELECT ${limit} AS a,\n-- @if time = \"arrival\"\nx\n-- @end\n  bad",
            &values(),
        )
        .unwrap();
        assert_eq!(out.text, "INSERT INTO anomalies\nSELECT\nSELECT 90.0 AS a,\n  bad\n");
        let origin = |line, column| out.map.origin(line, column).map(|o| (o.line, o.column));
        assert_eq!(origin(3, 1), Some((7, 1)), "before the parameter");
        assert_eq!(origin(3, 13), Some((7, 17)), "AS, after the parameter");
        assert_eq!(origin(4, 3), Some((11, 3)), "after a dropped block");
        assert_eq!(origin(1, 1), None, "generated, nothing above");
    }

    #[test]
    fn a_definition_is_filled_where_it_stands_and_put_in_where_it_is_named() {
        let mut out = Output::default();
        let text = "-- @if time = \"arrival\"\n-- @define t\nno\n-- @end\n-- @end\n-- @define t\nf(\n  ${limit})\n-- @end\nSELECT ${t}, bad";
        out.written(Path::new("r.sql"), 1, text, &values()).unwrap();
        assert_eq!(out.text, "SELECT f( 90.0), bad\n");
        let origin = |line, column| out.map.origin(line, column).map(|o| (o.line, o.column));
        assert_eq!(origin(1, 18), Some((10, 14)));
        let error = Output::default().written(Path::new("r.sql"), 1, "-- @define t\nx", &values()).unwrap_err();
        assert_eq!(error.to_string(), "r.sql: `-- @define` without `-- @end`");
    }

    #[test]
    fn says_where_a_parameter_is_unknown() {
        let error = Output::default().written(Path::new("r.sql"), 3, "a > ${limt}", &values()).unwrap_err();
        assert_eq!(error.to_string(), "r.sql:3:5: parameter `limt` is not declared\n  hint: known are limit, time");
    }
}
