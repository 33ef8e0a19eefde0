//! JSON lines: one event a line.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::{BadLine, Columns, Take, number, time, timed};
use crate::data::TimedEvent;

pub(super) fn each(input: impl Read, file: &Path, stem: &str, columns: &Columns, take: &mut Take<'_>) -> Result<()> {
    let mut reader = BufReader::new(input);
    let mut bytes = Vec::new();
    let mut line = 0;
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).with_context(|| format!("{} cannot be read", file.display()))? == 0 {
            return Ok(());
        }
        line += 1;
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        take(from_json(&bytes, stem, columns).map_err(|fault| BadLine { line, fault }))?;
    }
}

/// Reads one record.
pub(crate) fn from_json(record: &[u8], stem: &str, columns: &Columns) -> Result<TimedEvent, String> {
    match serde_json::from_slice(record) {
        Ok(Value::Object(fields)) => from_fields(fields, stem, columns),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(e) => Err(format!("not JSON: {e}")),
    }
}

/// Reads the fields of one event; what no column is named for is kept.
pub(super) fn from_fields(mut fields: Map<String, Value>, stem: &str, columns: &Columns) -> Result<TimedEvent, String> {
    let missing = |name: &str| format!("there is no field `{name}`");
    let time = match fields.remove(&columns.timestamp) {
        Some(Value::String(text)) => time(&text)?,
        Some(Value::Number(millis)) => time(&millis.to_string())?,
        _ => return Err(missing(&columns.timestamp)),
    };
    let value = match fields.remove(&columns.value) {
        Some(Value::Number(value)) => value.as_f64().unwrap_or(f64::NAN),
        Some(Value::String(text)) => number(&text)?,
        _ => return Err(missing(&columns.value)),
    };
    let mut text = |name: &str| fields.remove(name).and_then(|v| v.as_str().map(str::to_owned));
    let (source, metric, id) = (text(&columns.source), text(&columns.metric), text("id"));
    let mut made = timed(time, value, source.or_else(|| Some(stem.to_owned())), metric);
    made.event.id = id;
    // Under its own name, a field that was mapped away must not shadow the event's.
    for name in ["timestamp", "value", "source", "metric"] {
        fields.remove(name);
    }
    made.event.rest = fields;
    Ok(made)
}
