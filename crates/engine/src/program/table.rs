//! The tables that a program reads and writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use weir_stream::Declaration;

use crate::formats::json::TimestampFormat;

/// Whether a table is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rules read it.
    Source,
    /// Rules write it.
    Sink,
}

/// How a record's bytes are read and written.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// One JSON object a record; `unstructured` keeps the whole record as text in the column `value`.
    Json {
        /// Keep the record as it is.
        unstructured: bool,
        /// How timestamps are written.
        timestamps: TimestampFormat,
    },
    /// The record as text in the column `value`.
    RawString,
    /// The record's bytes in the column `value`.
    RawBytes,
    /// As a declared stream says; Arroyo has no such format.
    Declared(Arc<Declaration>),
}

/// What happens to a record that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadData {
    /// The program ends.
    Fail,
    /// The record is dropped and counted.
    Drop,
}

/// How far a row's event time may lie beyond its arrival and still tell how far event time has come. What lies further is an
/// event all the same: its windows are emitted when time comes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FutureLimit {
    /// So far. Within it, time counts by the arrival: a clock that runs ahead never makes what others send late.
    Of(Duration),
    /// Without end, for replays in which event time runs ahead of the clock on the wall.
    None,
}

impl FutureLimit {
    /// In nanoseconds; `None` without end.
    pub(crate) fn nanos(self) -> Option<i64> {
        match self {
            Self::Of(limit) => Some(i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)),
            Self::None => None,
        }
    }
}

/// One minute. Clocks that are kept by NTP differ by less than a second, and an event arrives behind its time; a clock
/// that is wrong by minutes, by daylight saving or by a zone is told.
impl Default for FutureLimit {
    fn default() -> Self {
        Self::Of(Duration::from_secs(60))
    }
}

/// A table of a program that a connector reads or writes.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Read or written.
    pub kind: TableKind,
    /// The connector.
    pub connector: String,
    /// The connector's own options, as they were written.
    pub options: BTreeMap<String, String>,
    /// How records are encoded; `None` where the connector makes its own rows.
    pub format: Option<Format>,
    /// What happens to records that cannot be decoded.
    pub bad_data: BadData,
    /// Records hold several rows, one a line.
    pub newline_framing: bool,
    /// With framing: how many bytes of a line are read; all when `None`.
    pub max_line_bytes: Option<usize>,
    /// For a source: how far a row's time may lie beyond its arrival. A comment `-- weir: future_limit = …` before the table
    /// sets it.
    pub future_limit: FutureLimit,
    /// The columns that a record carries; for a sink, all columns.
    pub schema: SchemaRef,
}
