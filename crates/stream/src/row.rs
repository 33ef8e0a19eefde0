//! Where decoded rows go: straight into somebody's columns ([`RowSink`]), or into plain values ([`Row`]).

use serde_json::Number;

use crate::{declaration::FieldType, reason::Poison};

/// Takes what a decoder makes of records.
///
/// For each row, the decoder calls one of `null` … `json` once for each column, in the order of
/// [`crate::Decoder::columns`], then `end_row`. It starts a row only when the whole record was accepted, so that a sink never
/// has to take anything back. A column gets values of its own type only: `double` for `double` columns, and so on.
pub trait RowSink {
    /// The column is NULL: the field is optional and absent.
    fn null(&mut self, column: usize);
    /// A finite number; never −0.0.
    fn double(&mut self, column: usize, value: f64);
    /// A whole number.
    fn integer(&mut self, column: usize, value: i64);
    /// True or false.
    fn boolean(&mut self, column: usize, value: bool);
    /// Nanoseconds since the Unix epoch, UTC.
    fn timestamp(&mut self, column: usize, nanos: i64);
    /// A text.
    fn text(&mut self, column: usize, value: &str);
    /// A JSON value's own text, as the record has it.
    fn json(&mut self, column: usize, value: &str);
    /// The row is complete. `time` is its event time in nanoseconds since the epoch, `None` when the stream goes by arrival
    /// and the record's arrival is not known.
    fn end_row(&mut self, time: Option<i64>);
    /// A record, or a record inside an envelope, was refused. `bytes` are its own: the whole record where it held no other,
    /// else the one inside, in as much of its envelope as it needs to get the same verdict when it is sent to the stream
    /// again (but for `too_large`, where the rest of the record had its share).
    fn refused(&mut self, bytes: &[u8], poison: Poison);
    /// One of Weir's own control records.
    fn control(&mut self, control: Control);
}

/// One of Weir's own records: neither event nor poison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `heartbeat` or `probe`.
    pub kind: ControlKind,
    /// The time that it carries, in nanoseconds since the epoch; none where it carries none that can be one.
    pub time: Option<i64>,
    /// A probe's id.
    pub probe_id: Option<String>,
    /// When a probe was sent, as it says.
    pub sent_at: Option<String>,
}

/// The kinds of control records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// Moves event time on in silence.
    Heartbeat,
    /// Passes through the whole path.
    Probe,
}

/// What became of records: every one is counted as exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records that were accepted, with or without rows (a list that `each` walks may be empty).
    pub accepted: u64,
    /// The rows that they gave.
    pub rows: u64,
    /// Rows that `ignore` left out.
    pub ignored: u64,
    /// Accepted records all of whose rows were left out.
    pub left_out: u64,
    /// Records that were refused.
    pub poison: u64,
    /// Weir's own control records.
    pub control: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rows += other.rows;
        self.ignored += other.ignored;
        self.left_out += other.left_out;
        self.poison += other.poison;
        self.control += other.control;
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A finite number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Nanoseconds since the epoch.
    Timestamp(i64),
    /// A text.
    Text(String),
    /// JSON's own text.
    Json(String),
}

impl Value {
    /// The value as JSON: times as RFC 3339 in UTC, JSON as itself.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Double(value) => Number::from_f64(*value).map_or(serde_json::Value::Null, serde_json::Value::Number),
            Self::Integer(value) => (*value).into(),
            Self::Boolean(value) => (*value).into(),
            Self::Timestamp(nanos) => weir_anomaly::Timestamp::from_nanos(*nanos).to_string().into(),
            Self::Text(text) => text.clone().into(),
            Self::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
        }
    }
}

/// A decoded row as plain values.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Event time, nanoseconds since the epoch.
    pub time: Option<i64>,
    /// One value a column.
    pub values: Vec<Value>,
}

/// A column of a stream's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// Whether it can be NULL: everything but a required field can.
    pub nullable: bool,
}

impl Row {
    /// The row as a JSON object, `event_time` first, then the columns in their order: what `weir rows --json` prints.
    #[must_use]
    pub fn to_json(&self, columns: &[Column]) -> String {
        let time = self.time.map_or(Value::Null, Value::Timestamp);
        let mut text = format!("{{\"event_time\":{}", time.to_json());
        for (column, value) in columns.iter().zip(&self.values) {
            let value = match value {
                Value::Json(json) => json.clone(),
                other => other.to_json().to_string(),
            };
            text.push_str(&format!(",{}:{value}", serde_json::Value::from(column.name.as_str())));
        }
        text.push('}');
        text
    }
}

/// What a record became, in the order in which it came.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A row.
    Row(Row),
    /// A refused record and its bytes.
    Refused(Vec<u8>, Poison),
    /// A control record.
    Control(Control),
}

/// A sink that keeps everything as plain values, for tests and for showing.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// What came, in order.
    pub decoded: Vec<Decoded>,
    row: Vec<Value>,
}

impl Rows {
    /// The rows alone.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.decoded.iter().filter_map(|decoded| match decoded {
            Decoded::Row(row) => Some(row),
            _ => None,
        })
    }

    /// The refusals alone.
    pub fn refusals(&self) -> impl Iterator<Item = &Poison> {
        self.decoded.iter().filter_map(|decoded| match decoded {
            Decoded::Refused(_, poison) => Some(poison),
            _ => None,
        })
    }

    fn put(&mut self, column: usize, value: Value) {
        debug_assert_eq!(column, self.row.len(), "columns come in order");
        self.row.push(value);
    }
}

impl RowSink for Rows {
    fn null(&mut self, column: usize) {
        self.put(column, Value::Null);
    }

    fn double(&mut self, column: usize, value: f64) {
        self.put(column, Value::Double(value));
    }

    fn integer(&mut self, column: usize, value: i64) {
        self.put(column, Value::Integer(value));
    }

    fn boolean(&mut self, column: usize, value: bool) {
        self.put(column, Value::Boolean(value));
    }

    fn timestamp(&mut self, column: usize, nanos: i64) {
        self.put(column, Value::Timestamp(nanos));
    }

    fn text(&mut self, column: usize, value: &str) {
        self.put(column, Value::Text(value.to_owned()));
    }

    fn json(&mut self, column: usize, value: &str) {
        self.put(column, Value::Json(value.to_owned()));
    }

    fn end_row(&mut self, time: Option<i64>) {
        let values = std::mem::take(&mut self.row);
        self.decoded.push(Decoded::Row(Row { time, values }));
    }

    fn refused(&mut self, bytes: &[u8], poison: Poison) {
        self.decoded.push(Decoded::Refused(bytes.to_vec(), poison));
    }

    fn control(&mut self, control: Control) {
        self.decoded.push(Decoded::Control(control));
    }
}
