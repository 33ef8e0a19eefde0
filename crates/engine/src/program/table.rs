//! The tables that a program reads and writes.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What happens to a record that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadData {
    /// The program ends.
    Fail,
    /// The record is dropped and counted.
    Drop,
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
    /// The columns that a record carries; for a sink, all columns.
    pub schema: SchemaRef,
}
