//! From a record of any declared stream to the gate's records.

use std::fmt::Write as _;

use weir_anomaly::Timestamp;

use super::{RECORD, TIME};
use crate::{
    declaration::Declaration,
    decode::{Decoder, Record},
    limits::{MAX_DEPTH, MAX_PLAIN_BYTES, MAX_PLAIN_ROW_BYTES},
    reason::{Poison, Reason},
    row::{Control, RowSink, Tally},
};

/// Makes the gate's records of the records of one stream.
#[derive(Debug, Clone)]
pub struct Unpacker {
    decoder: Decoder,
    /// What stands before each column's value in a row.
    heads: Vec<String>,
    key: Option<usize>,
}

/// A row, as the gate puts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRow {
    /// What the declared key says; `None` where there is no key, or it is NULL.
    pub key: Option<String>,
    /// One JSON object, without a line break in it or behind it.
    pub line: String,
}

/// What a record became.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unpacked {
    /// Its rows, in order.
    pub rows: Vec<PlainRow>,
    /// The bytes that were refused, and why: see [`RowSink::refused`].
    pub refused: Vec<(Vec<u8>, Poison)>,
    /// Weir's own control records.
    pub control: Vec<Control>,
    /// All of it, counted.
    pub tally: Tally,
}

impl Unpacker {
    /// For one stream.
    #[must_use]
    pub fn new(declaration: &Declaration) -> Self {
        let decoder = Decoder::new(declaration);
        let columns = decoder.columns();
        Self {
            heads: columns.iter().map(|column| format!("{}:", quoted(&column.name))).collect(),
            key: declaration.key.as_ref().and_then(|key| columns.iter().position(|column| column.name == *key)),
            decoder,
        }
    }

    /// The stream.
    #[must_use]
    pub fn declaration(&self) -> &Declaration {
        self.decoder.declaration()
    }

    /// Unpacks a record that arrived at `arrival`, nanoseconds since the epoch. `id` is one that no other record of the
    /// stream has, and the same whenever this one is read.
    ///
    /// A record with a row that no record of Kinesis can hold, or with rows beyond [`MAX_PLAIN_BYTES`], is refused as a whole.
    pub fn unpack(&mut self, bytes: &[u8], arrival: i64, id: &str) -> Unpacked {
        let mut sink = Sink {
            heads: &self.heads,
            key_column: self.key,
            id,
            unpacked: Unpacked::default(),
            line: String::new(),
            key: None,
            depth: 0,
            bytes: 0,
            fault: None,
        };
        let tally = self.decoder.decode(Record { bytes, arrival: Some(arrival) }, &mut sink);
        match sink.fault {
            None => Unpacked { tally, ..sink.unpacked },
            Some(detail) => Unpacked {
                refused: vec![(bytes.to_vec(), Poison::new(Reason::TooLarge, detail))],
                tally: Tally { poison: 1, ..Tally::default() },
                ..Unpacked::default()
            },
        }
    }
}

/// Writes rows as lines.
struct Sink<'a> {
    heads: &'a [String],
    key_column: Option<usize>,
    id: &'a str,
    unpacked: Unpacked,
    line: String,
    key: Option<String>,
    /// How deep the values of the row nest.
    depth: usize,
    bytes: usize,
    /// Why the record cannot be put.
    fault: Option<String>,
}

impl Sink<'_> {
    /// The place for a column's value; none where the record is refused already, so that nothing grows without end.
    fn value(&mut self, column: usize) -> Option<&mut String> {
        if self.fault.is_some() {
            return None;
        }
        self.line.push(if self.line.is_empty() { '{' } else { ',' });
        self.line.push_str(self.heads.get(column).map_or("", String::as_str));
        Some(&mut self.line)
    }

    fn is_key(&self, column: usize) -> bool {
        self.key_column == Some(column)
    }
}

impl RowSink for Sink<'_> {
    /// What is NULL is not there.
    fn null(&mut self, _: usize) {}

    fn double(&mut self, column: usize, value: f64) {
        // The shortest text that is read back as the same double.
        let text = serde_json::Number::from_f64(value).map_or_else(|| "null".to_owned(), |number| number.to_string());
        if let Some(line) = self.value(column) {
            line.push_str(&text);
        }
    }

    fn integer(&mut self, column: usize, value: i64) {
        if self.is_key(column) {
            self.key = Some(value.to_string());
        }
        if let Some(line) = self.value(column) {
            let _ = write!(line, "{value}");
        }
    }

    fn boolean(&mut self, column: usize, value: bool) {
        if self.is_key(column) {
            self.key = Some(value.to_string());
        }
        if let Some(line) = self.value(column) {
            let _ = write!(line, "{value}");
        }
    }

    fn timestamp(&mut self, column: usize, nanos: i64) {
        if let Some(line) = self.value(column) {
            let _ = write!(line, "\"{}\"", Timestamp::from_nanos(nanos));
        }
    }

    fn text(&mut self, column: usize, value: &str) {
        if self.is_key(column) {
            self.key = Some(value.to_owned());
        }
        if let Some(line) = self.value(column) {
            line.push_str(&quoted(value));
        }
    }

    fn json(&mut self, column: usize, value: &str) {
        self.depth = self.depth.max(depth(value));
        if let Some(line) = self.value(column) {
            // Line breaks stand between tokens alone: inside a JSON text they are escaped.
            line.extend(value.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
        }
    }

    fn end_row(&mut self, time: Option<i64>) {
        let (mut line, key, depth) = (std::mem::take(&mut self.line), self.key.take(), std::mem::take(&mut self.depth));
        if self.fault.is_some() {
            return;
        }
        let time = Timestamp::from_nanos(time.unwrap_or_default());
        line.push(if line.is_empty() { '{' } else { ',' });
        let _ = write!(line, "\"{TIME}\":\"{time}\",\"{RECORD}\":\"{}-{}\"}}", self.id, self.unpacked.rows.len());
        self.bytes += line.len();
        if line.len() > MAX_PLAIN_ROW_BYTES {
            self.fault = Some(format!("a row of {} bytes, more than a record can hold", line.len()));
        } else if depth >= MAX_DEPTH {
            self.fault = Some(format!("a value nests {depth} deep, and its row would be one deeper than {MAX_DEPTH}"));
        } else if self.bytes > MAX_PLAIN_BYTES {
            self.fault = Some(format!("its rows are more than {MAX_PLAIN_BYTES} bytes"));
        } else {
            self.unpacked.rows.push(PlainRow { key, line });
            return;
        }
        self.unpacked = Unpacked::default();
    }

    fn refused(&mut self, bytes: &[u8], poison: Poison) {
        if self.fault.is_none() {
            self.unpacked.refused.push((bytes.to_vec(), poison));
        }
    }

    fn control(&mut self, control: Control) {
        self.unpacked.control.push(control);
    }
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// How deep a valid JSON text nests: 0 for what is no object and no list.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut inside, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
