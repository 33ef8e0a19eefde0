//! From columns to bytes, as Arroyo's sinks write them.
//!
//! One object a row in schema order, nulls written out, NaN and infinities as null, timestamps without zone, binary as
//! base64, `JSON` columns nested. The shape is arrow-json's, Arroyo's additions are the [`EncoderFactory`] below.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    DataType, Field, FieldRef, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::is_json;

/// The column that carries event time through the engine; it is not part of any output.
const TIMESTAMP_COLUMN: &str = "_timestamp";

/// The option `json.timestamp_format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2026-11-23T05:00:00.250`: no zone, and no more fraction than needed (0, 3, 6 or 9 digits).
    #[default]
    Rfc3339,
    /// Milliseconds since the epoch, as a number.
    UnixMillis,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// How timestamps are written.
    pub timestamp_format: TimestampFormat,
}

/// Writes the rows of batches of one schema.
#[derive(Debug)]
pub struct JsonEncoder {
    /// The written columns.
    columns: Vec<usize>,
    /// The row as one struct, which is what arrow-json writes as an object.
    row: FieldRef,
    options: EncoderOptions,
}

impl JsonEncoder {
    /// An encoder for batches of `schema`.
    #[must_use]
    pub fn new(schema: &Schema, options: EncodeOptions) -> Self {
        let columns: Vec<usize> = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| field.name() != TIMESTAMP_COLUMN)
            .map(|(index, _)| index)
            .collect();
        let fields: Vec<FieldRef> = columns.iter().filter_map(|index| schema.fields().get(*index).cloned()).collect();
        Self {
            columns,
            row: Arc::new(Field::new_struct("", fields, false)),
            options: EncoderOptions::default()
                .with_explicit_nulls(true)
                .with_encoder_factory(Arc::new(ArroyoEncoders { timestamp_format: options.timestamp_format })),
        }
    }

    /// Writes each row as one object, without a separator.
    ///
    /// # Errors
    /// A column's type has no JSON form, or the batch is of another schema.
    pub fn encode(&self, batch: &RecordBatch) -> Result<Vec<Bytes>, ArrowError> {
        let rows = StructArray::from(batch.project(&self.columns)?);
        let mut encoder = make_encoder(&self.row, &rows, &self.options)?;
        // All rows in one allocation: cutting `Bytes` out of it is free.
        let mut out = Vec::new();
        let mut ends = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            encoder.encode(row, &mut out);
            ends.push(out.len());
        }
        let mut rest = Bytes::from(out);
        let mut start = 0;
        Ok(ends
            .into_iter()
            .map(|end| {
                let row = rest.split_to(end - start);
                start = end;
                row
            })
            .collect())
    }
}

#[derive(Debug)]
struct ArroyoEncoders {
    timestamp_format: TimestampFormat,
}

impl EncoderFactory for ArroyoEncoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Timestamp(unit, None) => {
                let values = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                    TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                    TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
                };
                match self.timestamp_format {
                    TimestampFormat::UnixMillis => Box::new(UnixMillis { values: values.clone(), unit: *unit }),
                    TimestampFormat::Rfc3339 => return Ok(None),
                }
            }
            DataType::Utf8 if is_json(field) => Box::new(NestedJson(array.as_string::<i32>())),
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                Box::new(Base64(Box::new(|row| array.value(row))))
            }
            DataType::LargeBinary => {
                let array = array.as_binary::<i64>();
                Box::new(Base64(Box::new(|row| array.value(row))))
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

struct UnixMillis {
    values: ScalarBuffer<i64>,
    unit: TimeUnit,
}

impl Encoder for UnixMillis {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        // Through a double and back, as Arroyo does: before 1970 it cuts towards the epoch.
        let value = self.values.get(row).copied().unwrap_or_default() as f64;
        let millis = match self.unit {
            TimeUnit::Second => value * 1_000.0,
            TimeUnit::Millisecond => value,
            TimeUnit::Microsecond => value / 1_000.0,
            TimeUnit::Nanosecond => value / 1_000_000.0,
        };
        // Writing to a vector cannot fail.
        let _ = write!(out, "{}", millis as i64);
    }
}

struct NestedJson<'a>(&'a StringArray);

impl Encoder for NestedJson<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.0.value(row);
        let start = out.len();
        let mut reader = serde_json::Deserializer::from_str(text);
        let copied = serde_transcode::transcode(&mut reader, &mut serde_json::Serializer::new(&mut *out));
        if copied.and_then(|()| reader.end()).is_err() {
            // Arroyo writes nothing here, which breaks the whole row. As a string the row stays JSON and the text stays visible.
            out.truncate(start);
            let _ = serde_json::to_writer(out, text);
        }
    }
}

/// Binary as base64; the closure hides how wide the offsets are.
struct Base64<'a>(Box<dyn Fn(usize) -> &'a [u8] + 'a>);

impl Encoder for Base64<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(BASE64_STANDARD.encode((self.0)(row)).as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests;
