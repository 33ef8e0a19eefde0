//! `weir rows`: what Weir sees of a stream's records, row by row, and what it refuses.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, ErrorKind, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use serde_json::json;
use weir_project::Repo;
use weir_records::{Next, Raw, Report, Shape};
use weir_stream::{Column, ControlKind, Declaration, Decoded, Decoder, Record, Row, Rows, Tally, Value};

use super::streams::declared;
use crate::target::Target;

/// Shows row by row what Weir makes of a stream's records, and each refusal with its reason and its place
///
/// Rows go to standard output, a count by reason to standard error. Exit codes: 0 every record was taken; 1 the command failed;
/// 2 the command line is wrong; 3 a record was refused.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir rows climate --input records.jsonl --limit 20\n  weir rows flows --input s3://my-logs/vpc/2026/01/01/ --json\n  weir rows orders --input kinesis://shop-orders --stack local"
)]
pub(crate) struct RowsCommand {
    /// The stream: a file below sql/streams without .toml, or `events`, Weir's own
    #[arg(value_name = "NAME")]
    stream: String,
    /// Where records are: a file, a folder, - for standard input, s3://BUCKET/PREFIX, or kinesis://STREAM for what it keeps
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|FOLDER|-|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// Prints one JSON object a row, with `event_time` and the stream's columns; one with `refused` for each refusal
    #[arg(long)]
    json: bool,
    /// At most so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Takes each file as one record, as it stands
    #[arg(long)]
    whole_files: bool,
    #[command(flatten)]
    target: Target,
}

/// Bytes of a refused record that are shown.
const SHOWN: usize = 200;

pub(crate) async fn run(command: RowsCommand) -> Result<ExitCode> {
    let declaration = declared(&Repo::find()?, &command.stream)?;
    let shape = if command.whole_files { Shape::Whole } else { Shape::of(&declaration) };
    let mut shown = Shown::new(&declaration, command.json, BufWriter::new(io::stdout().lock()));
    let connect = async || Ok(command.target.connect().await?.0);
    let mut reports = Vec::new();
    let mut left = command.limit.unwrap_or(u64::MAX);
    let mut read = Ok(());
    for input in &command.input {
        let mut take = |raw: Raw<'_>| {
            left = left.saturating_sub(1);
            shown.record(&raw)?;
            Ok(if left == 0 { Next::Stop } else { Next::Record })
        };
        match weir_records::read(input, shape, &connect, &mut take).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                read = Err(error);
                break;
            }
        }
        if left == 0 {
            break;
        }
    }
    let flushed = shown.out.flush();
    match (read, flushed) {
        // Whoever reads the rows has enough: `weir rows … | head`.
        (Err(error), _) if is_closed(&error) => return Ok(ExitCode::SUCCESS),
        (_, Err(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        (read, flushed) => {
            read?;
            flushed.context("standard output cannot be written")?;
        }
    }
    for line in summary(&declaration, &shown.counts, &reports) {
        eprintln!("{line}");
    }
    Ok(if shown.counts.tally.poison == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn is_closed(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|e| e.kind() == ErrorKind::BrokenPipe)
}

/// What was shown.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    tally: Tally,
    /// Refusals by reason: how many, and where the first is.
    refused: BTreeMap<String, (u64, String)>,
    without_time: u64,
}

struct Shown<W: Write> {
    decoder: Decoder,
    columns: Vec<Column>,
    json: bool,
    out: W,
    counts: Counts,
}

impl<W: Write> Shown<W> {
    fn new(declaration: &Declaration, json: bool, out: W) -> Self {
        Self {
            decoder: Decoder::new(declaration),
            columns: declaration.columns(),
            json,
            out,
            counts: Counts::default(),
        }
    }

    fn record(&mut self, raw: &Raw<'_>) -> Result<()> {
        let mut rows = Rows::default();
        self.counts.records += 1;
        self.counts.tally += self.decoder.decode(Record { bytes: raw.bytes, arrival: raw.arrival }, &mut rows);
        for decoded in &rows.decoded {
            let line = match decoded {
                Decoded::Row(row) => {
                    self.counts.without_time += u64::from(row.time.is_none());
                    if self.json { row.to_json(&self.columns) } else { text(row, &self.columns) }
                }
                Decoded::Refused(bytes, poison) => {
                    let reason = poison.reason.to_string();
                    let place = raw.place.to_string();
                    let record = start(bytes);
                    let line = if self.json {
                        json!({ "refused": reason, "detail": poison.detail, "place": place, "record": record })
                            .to_string()
                    } else {
                        format!("refused  {place}: {poison}\n         {record}")
                    };
                    self.counts.refused.entry(reason).or_insert((0, place)).0 += 1;
                    line
                }
                Decoded::Control(control) => {
                    let kind = match control.kind {
                        ControlKind::Heartbeat => "heartbeat",
                        ControlKind::Probe => "probe",
                    };
                    if self.json { json!({ "control": kind }).to_string() } else { format!("control  {kind}") }
                }
            };
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// A row for people: its time, then its columns but for those that are NULL.
fn text(row: &Row, columns: &[Column]) -> String {
    let time = row.time.map_or(Value::Null, Value::Timestamp).to_json();
    let mut line = time.as_str().unwrap_or("(arrival)").to_owned();
    for (column, value) in columns.iter().zip(&row.values) {
        let shown = match value {
            Value::Null => continue,
            Value::Text(text) if is_word(text) => text.clone(),
            Value::Timestamp(_) => value.to_json().as_str().unwrap_or_default().to_owned(),
            Value::Json(json) => json.clone(),
            other => other.to_json().to_string(),
        };
        line.push_str(&format!("  {}={shown}", column.name));
    }
    line
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"\"=".contains(c))
}

/// The beginning of a record: as text, or in hexadecimal digits.
fn start(bytes: &[u8]) -> String {
    let cut = bytes.get(..SHOWN).unwrap_or(bytes);
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    let text = match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        // A character may be cut in two.
        Err(error) if error.error_len().is_none() && bytes.len() > SHOWN => {
            cut.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok())
        }
        Err(_) => None,
    };
    match text {
        Some(text) => {
            let shown =
                text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() });
            format!("{}{more}", shown.collect::<String>())
        }
        None => format!("0x{}{more}", cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// What became of the records, a few lines of it.
fn summary(declaration: &Declaration, counts: &Counts, reports: &[Report]) -> Vec<String> {
    let tally = &counts.tally;
    let mut lines = Vec::new();
    for report in reports {
        for (why, names) in &report.skipped {
            lines.push(format!("skipped: {} ({why})", names.join(", ")));
        }
    }
    let mut said = format!("{} records: {} rows", counts.records, tally.rows);
    for (count, what) in [(tally.ignored, "ignored"), (tally.control, "control records"), (tally.poison, "refused")] {
        if count > 0 {
            said.push_str(&format!(", {count} {what}"));
        }
    }
    lines.push(said);
    for (reason, (count, first)) in &counts.refused {
        lines.push(format!("  {reason}  {count}, the first at {first}"));
    }
    if counts.without_time > 0 && declaration.time.is_none() {
        lines.push(
            "the time of a row is its arrival, which a file does not say: `time` in the stream's file names a field"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use weir_records::Place;

    use super::*;

    fn shown(json: bool, records: &[&[u8]]) -> String {
        let text = "time = { path = \"at\", format = \"rfc3339\" }\nignore = \"device = 'test'\"\n[fields]\ndevice = { type = \"text\", required = true }\ntemperature = \"double\"\nnote = \"text\"\n";
        let declaration = Declaration::parse("climate.toml".as_ref(), text).unwrap();
        let mut shown = Shown::new(&declaration, json, Vec::new());
        for (index, bytes) in records.iter().enumerate() {
            let place = Place::Line { of: "r.jsonl", line: index as u64 + 1 };
            shown.record(&Raw { bytes, arrival: None, place }).unwrap();
        }
        let summary = summary(&declaration, &shown.counts, &[]).join("\n");
        format!("{}--\n{summary}", String::from_utf8(shown.out).unwrap())
    }

    const RECORDS: [&[u8]; 6] = [
        br#"{"at":"2026-01-01T00:00:00Z","device":"cellar","temperature":12.5,"note":"a door"}"#,
        br#"{"at":"2026-01-01T00:01:00Z","device":"attic"}"#,
        br#"{"at":"2026-01-01T00:02:00Z","device":"attic","temperature":"n/a"}"#,
        br#"{"at":"yesterday","device":"attic"}"#,
        b"\xff\xfe",
        br#"{"at":"2026-01-01T00:02:00Z","device":"test"}"#,
    ];

    #[test]
    fn rows_and_refusals_come_in_the_order_of_records() {
        insta::assert_snapshot!(shown(false, &RECORDS));
    }

    #[test]
    fn the_same_as_json() {
        insta::assert_snapshot!(shown(true, &RECORDS));
    }

    #[test]
    fn what_is_shown_of_a_record_is_short_and_plain() {
        assert_eq!(start(b"a\nb"), "a\\nb");
        assert_eq!(start(&[0xff, 0x00]), "0xff00");
        assert_eq!(start("é".repeat(200).as_bytes()).chars().count(), SHOWN / 2 + 1);
        assert_eq!(start(&[b'a'; 201]).chars().count(), SHOWN + 1);
        let cut = [b"a".as_slice(), "é".repeat(200).as_bytes()].concat();
        assert!(start(&cut).starts_with("aé") && start(&cut).ends_with("é…"));
    }
}
