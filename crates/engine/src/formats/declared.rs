//! Records of a declared stream as columns: what `weir_stream` decodes goes straight into Arrow's builders.
//!
//! A table of `format = 'weir_stream'` has the stream's own columns in their order, then those of [`EXTRA`]. Each row is what a
//! record became: an event, a control record of Weir's own, or a refusal with the record's bytes.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType, Field, TimeUnit};
use weir_stream::{Column, Control, ControlKind, Declaration, Decoder, FieldType, Poison, Record, RowSink, Tally};

use super::json::{EXTENSION_KEY, JSON_EXTENSION};

/// The columns behind the stream's own: their names, and whether they can be NULL.
///
/// | column | |
/// |---|---|
/// | `weir_kind` | `event`, `heartbeat`, `probe`, or the reason for which the record is poison |
/// | `weir_time` | the declared time of an event; the arrival where the stream goes by it; NULL of what was refused |
/// | `weir_raw` | the bytes of what was refused, and of nothing else |
/// | `weir_error` | why it was refused, for a person |
/// | `weir_probe_id`, `weir_sent_at` | what a probe says |
pub(crate) const EXTRA: [(&str, bool); 6] = [
    ("weir_kind", false),
    ("weir_time", true),
    ("weir_raw", true),
    ("weir_error", true),
    ("weir_probe_id", true),
    ("weir_sent_at", true),
];

/// The columns that a table for a stream has.
pub(crate) fn fields(declaration: &Declaration) -> Vec<Field> {
    let own = declaration.columns().into_iter().map(|column| {
        // A row that was refused has none of the stream's columns.
        let field = Field::new(column.name, data_type(column.kind), true);
        match column.kind {
            FieldType::Json => field.with_metadata([(EXTENSION_KEY.to_owned(), JSON_EXTENSION.to_owned())].into()),
            _ => field,
        }
    });
    let extra = EXTRA.into_iter().map(|(name, nullable)| {
        let data_type = match name {
            "weir_time" => time_type(),
            "weir_raw" => DataType::Binary,
            _ => DataType::Utf8,
        };
        Field::new(name, data_type, nullable)
    });
    own.chain(extra).collect()
}

/// The type as `CREATE TABLE` writes it.
pub(crate) fn sql_type(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Float64 => "DOUBLE",
        DataType::Int64 => "BIGINT",
        DataType::Boolean => "BOOLEAN",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::Binary => "BYTEA",
        _ if super::json::is_json(field) => "JSON",
        _ => "TEXT",
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, None)
}

fn data_type(kind: FieldType) -> DataType {
    match kind {
        FieldType::Double => DataType::Float64,
        FieldType::Integer => DataType::Int64,
        FieldType::Boolean => DataType::Boolean,
        FieldType::Timestamp => time_type(),
        FieldType::Text | FieldType::Json => DataType::Utf8,
    }
}

/// Collects records as rows of a batch.
#[derive(Debug)]
pub(crate) struct DeclaredDecoder {
    decoder: Decoder,
    columns: Columns,
}

impl DeclaredDecoder {
    pub(crate) fn new(declaration: &Declaration) -> Self {
        let decoder = Decoder::new(declaration);
        let own = decoder.columns().iter().map(Builder::new).collect();
        Self { decoder, columns: Columns { own, ..Columns::default() } }
    }

    /// Adds what a record gives: any number of rows, also none.
    pub(crate) fn push(&mut self, payload: &[u8], arrival: i64) -> Tally {
        self.decoder.decode(Record { bytes: payload, arrival: Some(arrival) }, &mut self.columns)
    }

    /// How many rows are collected.
    pub(crate) fn len(&self) -> usize {
        self.columns.kind.len()
    }

    /// How many bytes the texts have that are collected.
    pub(crate) fn bytes(&self) -> u64 {
        self.columns.bytes
    }

    /// Hands over the columns and starts anew.
    pub(crate) fn finish(&mut self) -> Vec<ArrayRef> {
        let columns = &mut self.columns;
        columns.bytes = 0;
        let mut arrays: Vec<ArrayRef> = columns.own.iter_mut().map(Builder::finish).collect();
        arrays.extend([
            Arc::new(columns.kind.finish()) as ArrayRef,
            Arc::new(columns.time.finish()),
            Arc::new(columns.raw.finish()),
            Arc::new(columns.error.finish()),
            Arc::new(columns.probe_id.finish()),
            Arc::new(columns.sent_at.finish()),
        ]);
        arrays
    }
}

#[derive(Debug, Default)]
struct Columns {
    own: Vec<Builder>,
    /// Of the texts, and of what was refused.
    bytes: u64,
    kind: StringBuilder,
    time: TimestampNanosecondBuilder,
    raw: BinaryBuilder,
    error: StringBuilder,
    probe_id: StringBuilder,
    sent_at: StringBuilder,
}

#[derive(Debug)]
enum Builder {
    Double(Float64Builder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampNanosecondBuilder),
    Text(StringBuilder),
}

impl Builder {
    fn new(column: &Column) -> Self {
        match column.kind {
            FieldType::Double => Self::Double(Float64Builder::new()),
            FieldType::Integer => Self::Integer(Int64Builder::new()),
            FieldType::Boolean => Self::Boolean(BooleanBuilder::new()),
            FieldType::Timestamp => Self::Timestamp(TimestampNanosecondBuilder::new()),
            FieldType::Text | FieldType::Json => Self::Text(StringBuilder::new()),
        }
    }

    fn null(&mut self) {
        match self {
            Self::Double(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Boolean(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}

impl Columns {
    /// A row that is no event.
    fn other(&mut self, kind: &str, time: Option<i64>) {
        self.own.iter_mut().for_each(Builder::null);
        self.kind.append_value(kind);
        self.time.append_option(time);
    }

    fn without_refusal(&mut self) {
        self.raw.append_null();
        self.error.append_null();
    }
}

impl RowSink for Columns {
    #[inline]
    fn null(&mut self, column: usize) {
        if let Some(builder) = self.own.get_mut(column) {
            builder.null();
        }
    }

    #[inline]
    fn double(&mut self, column: usize, value: f64) {
        if let Some(Builder::Double(builder)) = self.own.get_mut(column) {
            builder.append_value(value);
        }
    }

    #[inline]
    fn integer(&mut self, column: usize, value: i64) {
        if let Some(Builder::Integer(builder)) = self.own.get_mut(column) {
            builder.append_value(value);
        }
    }

    #[inline]
    fn boolean(&mut self, column: usize, value: bool) {
        if let Some(Builder::Boolean(builder)) = self.own.get_mut(column) {
            builder.append_value(value);
        }
    }

    #[inline]
    fn timestamp(&mut self, column: usize, nanos: i64) {
        if let Some(Builder::Timestamp(builder)) = self.own.get_mut(column) {
            builder.append_value(nanos);
        }
    }

    #[inline]
    fn text(&mut self, column: usize, value: &str) {
        if let Some(Builder::Text(builder)) = self.own.get_mut(column) {
            builder.append_value(value);
            self.bytes += value.len() as u64;
        }
    }

    #[inline]
    fn json(&mut self, column: usize, value: &str) {
        self.text(column, value);
    }

    #[inline]
    fn end_row(&mut self, time: Option<i64>) {
        self.kind.append_value("event");
        self.time.append_option(time);
        self.without_refusal();
        self.probe_id.append_null();
        self.sent_at.append_null();
    }

    fn refused(&mut self, bytes: &[u8], poison: Poison) {
        self.other(&poison.reason.to_string(), None);
        self.bytes += (bytes.len() + poison.detail.len()) as u64;
        self.raw.append_value(bytes);
        self.error.append_value(&poison.detail);
        self.probe_id.append_null();
        self.sent_at.append_null();
    }

    fn control(&mut self, control: Control) {
        let kind = match control.kind {
            ControlKind::Heartbeat => "heartbeat",
            ControlKind::Probe => "probe",
        };
        self.other(kind, control.time);
        self.without_refusal();
        self.probe_id.append_option(control.probe_id);
        self.sent_at.append_option(control.sent_at);
    }
}
