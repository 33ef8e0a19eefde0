//! Reads a person's own events: CSV with a header line, JSON lines, both also gzipped, or Parquet.

mod csv;
mod json;
mod parquet;

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use flate2::read::MultiGzDecoder;
use weir_anomaly::{Timestamp, event::Event};

use super::TimedEvent;
pub(crate) use json::from_json;

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

impl Default for Columns {
    fn default() -> Self {
        let [timestamp, value, source, metric] = ["timestamp", "value", "source", "metric"].map(str::to_owned);
        Self { timestamp, value, source, metric }
    }
}

/// A line (or row) that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// Its number, from 1.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) fault: String,
}

/// Takes what is read, event by event; an error ends the reading.
pub(crate) type Take<'a> = dyn FnMut(Result<TimedEvent, BadLine>) -> Result<()> + 'a;

/// Every event of a file, in order of time. The first line that is no event is an error.
pub(crate) fn read(file: &Path, columns: &Columns) -> Result<Vec<TimedEvent>> {
    let mut events = Vec::new();
    each(file, columns, &mut |event| {
        events.push(event.map_err(|bad| {
            anyhow!("{}:{}: {}\n  hint: mend or remove the line; nothing was sent", file.display(), bad.line, bad.fault)
        })?);
        Ok(())
    })?;
    if events.is_empty() {
        bail!("{} holds no events", file.display());
    }
    events.sort_by_key(|event| event.time);
    Ok(events)
}

/// Gives every event of a file, in the file's order.
pub(crate) fn each(file: &Path, columns: &Columns, take: &mut Take<'_>) -> Result<()> {
    let opened = || File::open(file).with_context(|| format!("{} cannot be read", file.display()));
    let (kind, gzipped) = Kind::of(file).with_context(|| unknown(file))?;
    let stem = stem(file);
    match kind {
        Kind::Parquet => parquet::each(opened()?, file, &stem, columns, take),
        text => each_line(text, gzipped, opened()?, file, &stem, columns, take),
    }
}

/// Whether a file's name says that it holds events.
pub(crate) fn holds_events(file: &Path) -> bool {
    Kind::of(file).is_some()
}

/// The file's name without what says of which kind it is: the source where a file names none.
pub(crate) fn stem(file: &Path) -> String {
    let name = file.file_name().map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    JsonLines,
    Parquet,
}

impl Kind {
    /// The kind that a name stands for, and whether it is gzipped.
    fn of(file: &Path) -> Option<(Self, bool)> {
        let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
        let gzipped = name.ends_with(".gz");
        let kind = match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1 {
            "csv" => Self::Csv,
            "jsonl" | "ndjson" | "json" => Self::JsonLines,
            "parquet" if !gzipped => Self::Parquet,
            _ => return None,
        };
        Some((kind, gzipped))
    }
}

fn each_line(
    kind: Kind,
    gzipped: bool,
    input: impl Read,
    file: &Path,
    stem: &str,
    columns: &Columns,
    take: &mut Take<'_>,
) -> Result<()> {
    let input: Box<dyn Read + '_> = if gzipped { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) };
    match kind {
        Kind::Csv => csv::each(input, file, stem, columns, take),
        _ => json::each(input, file, stem, columns, take),
    }
}

fn unknown(file: &Path) -> String {
    format!(
        "{}: what this holds is not known\n  hint: name it .csv, .jsonl (either also .gz) or .parquet",
        file.display()
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str) -> Result<Vec<TimedEvent>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        read(&file, &Columns::default())
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
    fn a_gzipped_file_gives_what_the_plain_one_gives() {
        let text = "timestamp,value\n2026-01-01 00:00:00,1\n";
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, text.as_bytes()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv.gz");
        std::fs::write(&file, gz.finish().unwrap()).unwrap();
        assert_eq!(read(&file, &Columns::default()).unwrap(), read_text("a.csv", text).unwrap());
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
