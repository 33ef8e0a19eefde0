//! Parquet, row by row: an event becomes a JSON record in any case.

use std::path::Path;

use anyhow::{Context, Result, bail};
use parquet::{
    basic::{Compression, LogicalType, TimeUnit},
    file::{
        metadata::ColumnChunkMetaData,
        reader::{ChunkReader, FileReader},
        serialized_reader::SerializedFileReader,
    },
    record::{Field, Row},
};
use serde_json::Value;
use weir_anomaly::Timestamp;

use super::{HandOn, Maker};

pub(super) fn each(
    input: impl ChunkReader + 'static,
    file: &Path,
    maker: &Maker,
    hand_on: &mut HandOn<'_>,
) -> Result<()> {
    let what = || format!("{}: not Parquet that can be read", file.display());
    let reader = SerializedFileReader::new(input).with_context(what)?;
    let metadata = reader.metadata();
    let pages = metadata.row_groups().iter().flat_map(|group| group.columns()).map(ColumnChunkMetaData::compression);
    if let Some(other) = pages.into_iter().find(|pages| !is_read(*pages)) {
        bail!(
            "{}: its pages are compressed with {other}, which is not read\n  hint: write it with Snappy, gzip or no compression",
            file.display()
        );
    }
    // Nanoseconds have no row type of their own: they come as plain numbers.
    let in_nanos: Vec<bool> = metadata
        .file_metadata()
        .schema()
        .get_fields()
        .iter()
        .map(|field| {
            let logical = field.get_basic_info().logical_type();
            matches!(logical, Some(LogicalType::Timestamp { unit: TimeUnit::NANOS(_), .. }))
        })
        .collect();
    let mut out = Vec::new();
    for (index, row) in reader.get_row_iter(None).with_context(what)?.enumerate() {
        let row = row.with_context(what)?;
        let line = u64::try_from(index).unwrap_or(0) + 1;
        let fields: Vec<(&str, String)> = row
            .get_column_iter()
            .zip(&in_nanos)
            .map(|((name, field), nanos)| {
                let value = match field {
                    Field::Long(at) if *nanos => text(Timestamp::from_nanos(*at)),
                    other => json(other),
                };
                (name.as_str(), value.to_string())
            })
            .filter(|(_, value)| value != "null")
            .collect();
        maker.write_members(fields.iter().map(|(name, value)| (*name, value.as_str())), &mut out);
        hand_on(line, Ok(&out))?;
    }
    Ok(())
}

fn is_read(pages: Compression) -> bool {
    matches!(pages, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };

    use super::*;
    use crate::data::read::{Columns, Read, Refusal, of_stream};

    /// Two rows, with times in this unit.
    fn read(unit: &str, times: &[i64], compression: Compression) -> Vec<(u64, String, Read)> {
        let schema = format!(
            "message events {{ required int64 timestamp (TIMESTAMP({unit},true)); required double value; optional binary source (UTF8); required int64 batch; }}"
        );
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let file = tempfile::NamedTempFile::new().unwrap();
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let mut writer = SerializedFileWriter::new(file.reopen().unwrap(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(times, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[1.5, f64::NAN], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        // The second row has no source.
        column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("pump-1")], Some(&[1, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[7, 8], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        let mut events = Vec::new();
        let maker = Maker::new(&Columns::default(), "a");
        each(file.reopen().unwrap(), Path::new("a.parquet"), &maker, &mut |line, record: Result<&[u8], Refusal>| {
            let record = record.unwrap();
            events.push((line, String::from_utf8_lossy(record).into_owned(), of_stream(record)));
            Ok(())
        })
        .unwrap();
        events
    }

    #[test]
    fn rows_are_events_in_every_unit_of_time_and_compression() {
        let at = 1_767_225_600;
        for (unit, each) in [("MILLIS", 1_000), ("MICROS", 1_000_000), ("NANOS", 1_000_000_000)] {
            for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default())] {
                let events = read(unit, &[at * each, (at + 1) * each], compression);
                let Read::Event(first) = &events[0].2 else { panic!("{events:?}") };
                assert_eq!(first.time.to_string(), "2026-01-01T00:00:00Z", "{unit}");
                assert_eq!((first.series().as_str(), first.value), ("pump-1/value", 1.5));
                assert!(events[0].1.contains("\"batch\":7"), "{}", events[0].1);
                assert_eq!(events.len(), 2);
            }
        }
    }

    #[test]
    fn a_row_without_a_number_is_named_by_its_place() {
        let at = 1_767_225_600_000;
        let events = read("MILLIS", &[at, at + 1], Compression::UNCOMPRESSED);
        assert!(matches!(&events[1], (2, _, Read::Refused(refusal)) if refusal.reason == "bad_value"), "{events:?}");
    }
}
