//! From bytes to columns in one pass.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::column::Column;
use super::error::{DecodeError, UnsupportedColumn};
use super::rows::Rows;
use super::scan::Cursor;

/// How records are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// `json.unstructured`: a record is not parsed, it becomes the text of the only column `value`. Never fails: bytes that
    /// are no UTF-8 are replaced, as on Arroyo.
    pub unstructured: bool,
}

/// Collects records as rows of a batch.
///
/// A record is one JSON object. Fields are found by name; unknown ones are checked and dropped, missing ones are null, the
/// last of several with one name counts. Conversions are those of Arroyo's arrow-json: a quoted number fills a number column,
/// a number cut to an integer fills an integer column, a timestamp is RFC 3339 text (UTC when it names no zone) or a number in
/// the column's unit; nothing else is converted.
#[derive(Debug)]
pub struct JsonDecoder {
    schema: SchemaRef,
    rows: Rows<Column>,
    options: DecodeOptions,
    /// Where escapes are resolved.
    scratch: Vec<u8>,
}

impl JsonDecoder {
    /// A decoder for the physical columns of a table.
    ///
    /// # Errors
    /// A column's type cannot be read from JSON.
    pub fn new(schema: &Schema, options: DecodeOptions) -> Result<Self, UnsupportedColumn> {
        if options.unstructured
            && let Some(field) = schema.fields().iter().find(|field| *field.data_type() != DataType::Utf8)
        {
            return Err(UnsupportedColumn { column: field.name().clone(), data_type: field.data_type().to_string() });
        }
        Ok(Self { schema: Arc::new(schema.clone()), rows: Rows::new(schema.fields())?, options, scratch: Vec::new() })
    }

    /// Adds exactly one row, or leaves no trace.
    ///
    /// # Errors
    /// The record is no JSON object that fits the columns.
    #[inline]
    pub fn push(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        let len = self.rows.len();
        let read = if self.options.unstructured {
            self.rows.push_text(String::from_utf8_lossy(payload).as_bytes())
        } else {
            push_object(&mut self.rows, payload, &mut self.scratch)
        };
        read.inspect_err(|_| self.rows.truncate(len))
    }

    /// Adds a row for each line of `chunk`; what is no row is handed to `bad` with the reason. Blank lines are no records.
    pub fn push_lines(&mut self, chunk: &[u8], bad: &mut dyn FnMut(&[u8], DecodeError)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if let Err(error) = self.push(line) {
                bad(line, error);
            }
        }
    }

    /// How many rows are collected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over the rows and starts anew.
    ///
    /// # Errors
    /// Only a defect of the decoder.
    pub fn finish(&mut self) -> Result<RecordBatch, DecodeError> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.rows.finish()?, &options)
            .map_err(|error| DecodeError::Internal(error.to_string()))
    }
}

fn push_object(rows: &mut Rows<Column>, payload: &[u8], scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut cursor = Cursor::new(payload);
    if cursor.next_token()? != b'{' {
        cursor.skip(0)?;
        return Err(DecodeError::NotAnObject);
    }
    rows.read(&mut cursor, scratch, 0)?;
    if cursor.at_end() {
        return Ok(());
    }
    Err(cursor.fault("one record holds one object: more follows it"))
}

#[cfg(test)]
mod tests;
