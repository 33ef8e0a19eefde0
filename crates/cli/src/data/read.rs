//! Reads a person's own events: CSV with a header line, or JSON lines.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use weir_anomaly::{Timestamp, event::Event};

use super::TimedEvent;

/// Which columns or fields hold what.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct Columns {
    /// The column or field with the time (RFC 3339, `YYYY-MM-DD hh:mm:ss`, or epoch milliseconds)
    #[arg(long, default_value = "timestamp", value_name = "NAME")]
    pub(crate) timestamp: String,
    /// The column or field with the reading
    #[arg(long, default_value = "value", value_name = "NAME")]
    pub(crate) value: String,
    /// The column or field with the source; the file's name stands in where there is none
    #[arg(long, default_value = "source", value_name = "NAME")]
    pub(crate) source: String,
    /// The column or field with the metric
    #[arg(long, default_value = "metric", value_name = "NAME")]
    pub(crate) metric: String,
}

/// Every event of a file, in order of time.
pub(crate) fn read(file: &Path, columns: &Columns) -> Result<Vec<TimedEvent>> {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let stem = file.file_stem().map_or_else(|| "unknown".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let mut events = match extension {
        "csv" => read_csv(opened, file, &stem, columns)?,
        "jsonl" | "ndjson" | "json" => read_json_lines(opened, file, &stem, columns)?,
        _ => bail!("{}: what this holds is not known\n  hint: name it .csv or .jsonl", file.display()),
    };
    if events.is_empty() {
        bail!("{} holds no events", file.display());
    }
    events.sort_by_key(|event| event.time);
    Ok(events)
}

fn read_csv(input: File, file: &Path, stem: &str, columns: &Columns) -> Result<Vec<TimedEvent>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let headers =
        reader.headers().with_context(|| format!("{}: the header line cannot be read", file.display()))?.clone();
    let find = |name: &str| headers.iter().position(|header| header == name);
    let needed = |name: &str, option: &str| {
        find(name).ok_or_else(|| {
            let found: Vec<&str> = headers.iter().collect();
            anyhow!(
                "{}:1: there is no column `{name}`\n  hint: the columns are {}; name the right one with --{option}",
                file.display(),
                found.join(", ")
            )
        })
    };
    let (timestamp, value) = (needed(&columns.timestamp, "timestamp")?, needed(&columns.value, "value")?);
    let (source, metric) = (find(&columns.source), find(&columns.metric));
    let mut events = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{}: not CSV", file.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |index: usize| record.get(index).unwrap_or_default();
        let text =
            |index: Option<usize>| index.and_then(|i| record.get(i)).filter(|t| !t.is_empty()).map(str::to_owned);
        let made = time(field(timestamp)).and_then(|time| {
            Ok(timed(time, number(field(value))?, text(source).or_else(|| Some(stem.to_owned())), text(metric)))
        });
        events.push(made.map_err(|fault| at_line(file, line, &fault))?);
    }
    Ok(events)
}

fn read_json_lines(input: File, file: &Path, stem: &str, columns: &Columns) -> Result<Vec<TimedEvent>> {
    let mut events = Vec::new();
    for (index, line) in BufReader::new(input).lines().enumerate() {
        let line = line.with_context(|| format!("{} cannot be read", file.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let number = u64::try_from(index).unwrap_or(0) + 1;
        events.push(from_json(&line, stem, columns).map_err(|fault| at_line(file, number, &fault))?);
    }
    Ok(events)
}

fn from_json(line: &str, stem: &str, columns: &Columns) -> Result<TimedEvent, String> {
    let mut fields = match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err("not a JSON object".to_owned()),
        Err(e) => return Err(format!("not JSON: {e}")),
    };
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
    made.event.rest = fields;
    Ok(made)
}

fn timed(time: Timestamp, value: f64, source: Option<String>, metric: Option<String>) -> TimedEvent {
    let event = Event { timestamp: time.to_string(), value, source, metric, id: None, rest: serde_json::Map::new() };
    TimedEvent { time, event }
}

fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(millis) = text.parse::<i64>() {
        return Timestamp::from_millis(millis).ok_or_else(|| format!("`{text}` is no time"));
    }
    text.parse().map_err(|_| format!("`{text}` is no time (RFC 3339, `YYYY-MM-DD hh:mm:ss` or epoch milliseconds)"))
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(|| format!("`{text}` is no finite number"))
}

fn at_line(file: &Path, line: u64, fault: &str) -> anyhow::Error {
    anyhow!("{}:{line}: {fault}\n  hint: mend or remove the line; nothing was sent", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            timestamp: "timestamp".into(),
            value: "value".into(),
            source: "source".into(),
            metric: "metric".into(),
        }
    }

    fn read_text(name: &str, text: &str) -> Result<Vec<TimedEvent>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        read(&file, &columns())
    }

    #[test]
    fn csv_and_json_lines_give_the_same_events() {
        let csv =
            read_text("a.csv", "timestamp,value,source\n2026-01-01 00:05:00,2.5,x\n2026-01-01 00:00:00,1,x\n").unwrap();
        let json = read_text(
            "a.jsonl",
            "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":1,\"source\":\"x\"}\n\n{\"timestamp\":1767225900000,\"value\":\"2.5\",\"source\":\"x\"}\n",
        )
        .unwrap();
        assert_eq!(csv, json);
        assert_eq!(csv[0].series(), "x/value", "the earlier event first");
    }

    #[test]
    fn a_bad_line_is_named() {
        let said = |name, text| {
            let error = read_text(name, text).unwrap_err().to_string();
            error.split_once(name).map(|(_, said)| said.to_owned()).unwrap_or(error)
        };
        assert_eq!(
            said("a.csv", "timestamp,value\n2026-01-01 00:00:00,1\nnow,2\n"),
            ":3: `now` is no time (RFC 3339, `YYYY-MM-DD hh:mm:ss` or epoch milliseconds)\n  hint: mend or remove the line; nothing was sent"
        );
        assert!(
            said("a.csv", "time,value\n")
                .starts_with(":1: there is no column `timestamp`\n  hint: the columns are time, value")
        );
        assert!(said("a.jsonl", "{\"timestamp\":0}").starts_with(":1: there is no field `value`"));
        assert!(said("a.jsonl", "{\"timestamp\":0,\"value\":1}\n{").starts_with(":2: not JSON"));
        assert!(said("a.csv", "timestamp,value\n0,nan\n").starts_with(":2: `nan` is no finite number"));
    }
}
