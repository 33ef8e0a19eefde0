//! Records with the rows that they must give: a stream's file tests itself.

use std::path;

use toml::de::{DeTable, DeValue};

use super::{
    Declaration,
    key::SAMPLE,
    table::{Source, Table, entries, wrong_type},
};
use crate::{
    decode::{Decoder, Record},
    fault::{Fault, did_you_mean},
    row::{Decoded, Row, Rows, Value},
    time::TimeReader,
};

/// A `[[sample]]` of a stream's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The record.
    pub record: SampleRecord,
    /// When it arrived; nanoseconds since the epoch.
    pub arrival: Option<i64>,
    /// The rows that it must give, each by some of its columns as JSON; `None`: any.
    pub rows: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    /// The reason for which it must be refused.
    pub poison: Option<String>,
    /// Where it stands in the file, in bytes.
    at: usize,
}

/// Where a sample's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleRecord {
    /// In the file itself.
    Text(String),
    /// In another file, relative to the stream's.
    File(String),
}

pub(super) fn read(source: &mut Source<'_>, top: &Table<'_, '_>, declaration: &Declaration) -> Vec<Sample> {
    let Some(value) = top.get("sample") else { return Vec::new() };
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type(source, value, "sample", "tables: [[sample]]");
        return Vec::new();
    };
    let mut samples = Vec::new();
    for item in items {
        let at = item.span().start;
        let DeValue::Table(table) = item.get_ref() else {
            wrong_type(source, item, "sample", "tables: [[sample]]");
            continue;
        };
        let table = Table::new(source, table, at, &SAMPLE);
        let record = match (table.text(source, "record"), table.text(source, "file")) {
            (Some((text, _)), None) => SampleRecord::Text(text.to_owned()),
            (None, Some((text, _))) => SampleRecord::File(text.to_owned()),
            _ => {
                source.fault(at, "a sample has a `record` or a `file`");
                continue;
            }
        };
        let rows = rows(source, &table, declaration);
        let poison = table.text(source, "poison").map(|(text, _)| text.to_owned());
        if rows.is_some() && poison.is_some() {
            source.fault(at, "a sample has rows or is poison");
        }
        let arrival =
            table.text(source, "arrival").and_then(|(text, span)| match TimeReader::default().read_text(text) {
                Ok(nanos) => Some(nanos),
                Err(_) => {
                    source.fault(span.start, format!("`{text}` is no time in RFC 3339"));
                    None
                }
            });
        samples.push(Sample { record, arrival, rows, poison, at });
    }
    samples
}

fn rows(
    source: &mut Source<'_>,
    table: &Table<'_, '_>,
    declaration: &Declaration,
) -> Option<Vec<serde_json::Map<String, serde_json::Value>>> {
    let items = match (table.get("row"), table.get("rows")) {
        (None, None) => return None,
        (Some(one), None) => vec![one],
        (None, Some(many)) => match many.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => {
                wrong_type(source, many, "rows", "a list of tables");
                return None;
            }
        },
        (Some(one), Some(_)) => {
            source.fault(one.span().start, "a sample has a `row` or `rows`");
            return None;
        }
    };
    let mut rows = Vec::new();
    for item in items {
        match item.get_ref() {
            DeValue::Table(row) => rows.push(expected(source, row, declaration)),
            _ => wrong_type(source, item, "row", "a table of columns and values"),
        }
    }
    Some(rows)
}

fn expected(
    source: &mut Source<'_>,
    row: &DeTable<'_>,
    declaration: &Declaration,
) -> serde_json::Map<String, serde_json::Value> {
    let columns = declaration.columns();
    let names = || columns.iter().map(|column| column.name.as_str()).chain(["event_time"]);
    let mut wanted = serde_json::Map::new();
    for entry in entries(row) {
        if !names().any(|name| name == entry.key) {
            let hint = did_you_mean(entry.key, names().collect::<Vec<_>>());
            source.fault_with_hint(entry.at, format!("there is no field `{}`", entry.key), hint);
        }
        match json(entry.value.get_ref()) {
            Some(value) => drop(wanted.insert(entry.key.to_owned(), value)),
            None => {
                source.fault(entry.value.span().start, format!("`{}` has a value that no column can have", entry.key))
            }
        }
    }
    wanted
}

fn json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => number.as_str().parse::<i64>().ok()?.into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().filter(|value| value.is_finite())?.into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect::<Option<Vec<_>>>()?.into(),
        DeValue::Table(table) => serde_json::Value::Object(
            table
                .iter()
                .map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
    })
}

impl Declaration {
    /// Decodes the samples and says which do not give what they must. `read` gets the bytes of a `file`.
    pub fn check_samples(
        &self,
        file: &path::Path,
        text: &str,
        mut read: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
    ) -> Vec<Fault> {
        let mut decoder = Decoder::new(self);
        let mut faults = Vec::new();
        for sample in &self.samples {
            let bytes = match &sample.record {
                SampleRecord::Text(text) => Ok(text.as_bytes().to_vec()),
                SampleRecord::File(name) => read(name).map_err(|error| format!("`{name}` cannot be read: {error}")),
            };
            let mut rows = Rows::default();
            let result = bytes.and_then(|bytes| {
                decoder.decode(Record { bytes: &bytes, arrival: sample.arrival }, &mut rows);
                sample.compare(self, &rows)
            });
            if let Err(message) = result {
                faults.push(Fault::new(file, text, sample.at, message));
            }
        }
        faults
    }
}

impl Sample {
    fn compare(&self, declaration: &Declaration, decoded: &Rows) -> Result<(), String> {
        let refused = decoded.refusals().next();
        if let Some(wanted) = &self.poison {
            return match refused {
                Some(poison) if poison.reason.to_string() == *wanted => Ok(()),
                Some(poison) => Err(format!("the record is refused as {poison}, not as {wanted}")),
                None => Err(format!("the record is accepted, not refused as {wanted}")),
            };
        }
        if let Some(poison) = refused {
            return Err(format!("the record is refused: {poison}"));
        }
        let found: Vec<&Row> = decoded.rows().collect();
        let Some(wanted) = &self.rows else {
            return if decoded.decoded.iter().any(|d| matches!(d, Decoded::Row(_))) {
                Ok(())
            } else {
                Err("the record gives no row".to_owned())
            };
        };
        if found.len() != wanted.len() {
            return Err(format!("the record gives {} rows, not {}", found.len(), wanted.len()));
        }
        let columns = declaration.columns();
        for (row, wanted) in found.into_iter().zip(wanted) {
            for (name, wanted) in wanted {
                let value = match columns.iter().position(|column| column.name == *name) {
                    Some(index) => row.values.get(index).cloned().unwrap_or(Value::Null),
                    None => row.time.map_or(Value::Null, Value::Timestamp),
                };
                if !is(&value, wanted) {
                    return Err(format!("`{name}` is {}, not {wanted}", value.to_json()));
                }
            }
        }
        Ok(())
    }
}

/// Whether a value is what a sample says: numbers by their value, times by their instant, JSON as JSON; `""` is also what is NULL.
fn is(value: &Value, wanted: &serde_json::Value) -> bool {
    match (value, wanted) {
        (Value::Timestamp(nanos), serde_json::Value::String(text)) => {
            TimeReader::default().read_text(text) == Ok(*nanos)
        }
        (Value::Double(value), serde_json::Value::Number(number)) => number.as_f64() == Some(*value),
        (Value::Json(text), serde_json::Value::String(wanted)) if text == wanted => true,
        (Value::Null, serde_json::Value::String(text)) => text.is_empty(),
        (value, wanted) => value.to_json() == *wanted,
    }
}
