//! Parquet, row by row: an event becomes a JSON record in any case.

use std::path::Path;

use anyhow::{Context, Result};
use parquet::{
    basic::{LogicalType, TimeUnit},
    file::{
        reader::{ChunkReader, FileReader},
        serialized_reader::SerializedFileReader,
    },
    record::{Field, Row},
};
use serde_json::{Map, Value};
use weir_anomaly::Timestamp;

use super::{BadLine, Columns, Take, json::from_fields};

pub(super) fn each(
    input: impl ChunkReader + 'static,
    file: &Path,
    stem: &str,
    columns: &Columns,
    take: &mut Take<'_>,
) -> Result<()> {
    let what = || format!("{}: not Parquet that can be read", file.display());
    let hint = || format!("{}\n  hint: uncompressed, Snappy and gzip pages are read", what());
    let reader = SerializedFileReader::new(input).with_context(what)?;
    // Nanoseconds have no row type of their own: they come as plain numbers.
    let in_nanos: Vec<bool> = reader
        .metadata()
        .file_metadata()
        .schema()
        .get_fields()
        .iter()
        .map(|field| {
            let logical = field.get_basic_info().logical_type();
            matches!(logical, Some(LogicalType::Timestamp { unit: TimeUnit::NANOS(_), .. }))
        })
        .collect();
    for (index, row) in reader.get_row_iter(None).with_context(hint)?.enumerate() {
        let row = row.with_context(hint)?;
        let line = u64::try_from(index).unwrap_or(0) + 1;
        let mut fields = Map::new();
        for ((name, field), nanos) in row.get_column_iter().zip(&in_nanos) {
            let value = match field {
                Field::Long(at) if *nanos => text(Timestamp::from_nanos(*at)),
                other => json(other),
            };
            fields.insert(name.clone(), value);
        }
        take(from_fields(fields, stem, columns).map_err(|fault| BadLine { line, fault }))?;
    }
    Ok(())
}

fn text(time: impl ToString) -> Value {
    Value::String(time.to_string())
}

fn json(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(v) => Value::Bool(*v),
        Field::Byte(v) => Value::from(*v),
        Field::Short(v) => Value::from(*v),
        Field::Int(v) => Value::from(*v),
        Field::Long(v) => Value::from(*v),
        Field::UByte(v) => Value::from(*v),
        Field::UShort(v) => Value::from(*v),
        Field::UInt(v) => Value::from(*v),
        Field::ULong(v) => Value::from(*v),
        Field::Float16(v) => Value::from(f32::from(*v)),
        Field::Float(v) => Value::from(*v),
        Field::Double(v) => Value::from(*v),
        // A decimal as text is read as the number that it is.
        Field::Decimal(_) | Field::Date(_) => text(field),
        Field::Str(v) => Value::String(v.clone()),
        Field::Bytes(v) => text(String::from_utf8_lossy(v.data())),
        Field::TimestampMillis(v) => Timestamp::from_millis(*v).map_or(Value::Null, text),
        Field::TimestampMicros(v) => v.checked_mul(1000).map_or(Value::Null, |v| text(Timestamp::from_nanos(v))),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(json).collect()),
        Field::MapInternal(map) => {
            let name = |key: &Field| match key {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(key, value)| (name(key), json(value))).collect())
        }
    }
}

fn object(row: &Row) -> Value {
    Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).collect())
}
