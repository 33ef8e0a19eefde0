//! The records of a case as files that a program for Arroyo reads in place of streams: those of a stream that passes the gate are what
//! the gate makes of them.

use std::{fmt::Write as _, sync::Arc};

use anyhow::{Result, bail};
use serde_json::json;
use weir_arroyo::local::Arrival;
use weir_engine::RawRecord;
use weir_rules::{Environment, StreamFile, TimeMode, source_table, why_gate};
use weir_stream::{Framing, plain::Unpacker};

/// The table that Weir's own events enter by.
const OWN_TABLE: &str = "events_raw";

/// The lines that one source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// The source's table.
    pub(super) table: String,
    /// Whether each line says when its record arrived.
    pub(super) arrival: Arrival,
    /// The file.
    pub(super) text: Arc<[u8]>,
}

/// The lines of a stream's records; without a stream they are Weir's own events.
pub(super) fn of(stream: Option<&StreamFile>, environment: &Environment, records: &[RawRecord]) -> Result<Lines> {
    let Some(stream) = stream else {
        return written(OWN_TABLE.to_owned(), by(environment.time), false, records);
    };
    let declaration = &stream.declaration;
    let table = source_table(&declaration.name);
    if why_gate(stream, environment).is_some() {
        // What carries no time gets its arrival from the gate, as its time.
        let time = if declaration.carries_time() { environment.time } else { TimeMode::Event };
        return written(table, by(time), true, &through_the_gate(stream, records));
    }
    let time = if declaration.carries_time() { environment.time } else { TimeMode::Arrival };
    written(table, by(time), declaration.envelope.framing == Framing::Lines, records)
}

fn by(time: TimeMode) -> Arrival {
    match time {
        TimeMode::Event => Arrival::Unused,
        TimeMode::Arrival => Arrival::InFile,
    }
}

/// What the gate puts for these records. What it refuses never comes to Arroyo.
fn through_the_gate(stream: &StreamFile, records: &[RawRecord]) -> Vec<RawRecord> {
    let mut unpacker = Unpacker::new(&stream.declaration);
    let mut rows = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let arrival = record.arrival_nanos.unwrap_or_default();
        let unpacked = unpacker.unpack(&record.payload, arrival, &index.to_string());
        rows.extend(unpacked.rows.into_iter().map(|row| RawRecord { payload: row.line.into(), ..record.clone() }));
    }
    rows
}

/// The file of these records; with `framing` each line of a record is a record of its own.
fn written(table: String, arrival: Arrival, framing: bool, records: &[RawRecord]) -> Result<Lines> {
    let mut text = Vec::new();
    for record in records {
        let parts: Vec<&[u8]> =
            if framing { record.payload.split(|byte| *byte == b'\n').collect() } else { vec![&record.payload] };
        for part in parts {
            line(&mut text, part, arrival, record.arrival_nanos)?;
        }
    }
    Ok(Lines { table, arrival, text: text.into() })
}

fn line(text: &mut Vec<u8>, record: &[u8], arrival: Arrival, nanos: Option<i64>) -> Result<()> {
    match arrival {
        Arrival::Unused if record.contains(&b'\n') => {
            bail!("a record with a line break in it cannot be put into a file for Arroyo");
        }
        Arrival::Unused => text.extend_from_slice(record),
        Arrival::InFile => {
            let mut raw = String::with_capacity(record.len() * 2);
            for byte in record {
                let _ = write!(raw, "{byte:02x}");
            }
            let line = json!({ "arrival": nanos.unwrap_or(0), "raw": raw });
            text.extend_from_slice(line.to_string().as_bytes());
        }
    }
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stream: &str, time: &str, records: &[&str]) -> (Arrival, String) {
        let stream = StreamFile::parse("s.toml".as_ref(), stream).unwrap();
        let environment = Environment::parse("e.toml".as_ref(), &format!("time = \"{time}\"")).unwrap();
        let record = |payload: &&str| RawRecord {
            payload: (*payload).to_owned().into(),
            arrival_nanos: Some(1_767_225_600_000_000_000),
            partition: 0,
        };
        let records: Vec<RawRecord> = records.iter().map(record).collect();
        let lines = of(Some(&stream), &environment, &records).unwrap();
        assert_eq!(lines.table, "s_raw");
        (lines.arrival, String::from_utf8(lines.text.to_vec()).unwrap())
    }

    #[test]
    fn a_stream_that_arroyo_reads_itself_is_as_it_is() {
        let timed = "time = { path = \"t\", format = \"unix\" }\n[fields]\na = \"text\"";
        assert_eq!(lines(timed, "event", &["{}", "x"]), (Arrival::Unused, "{}\nx\n".to_owned()));
        let hex = "{\"arrival\":1767225600000000000,\"raw\":\"7b7d\"}\n";
        assert_eq!(lines(timed, "arrival", &["{}"]), (Arrival::InFile, hex.to_owned()));
        assert_eq!(lines("[fields]\na = \"text\"", "event", &["{}"]), (Arrival::InFile, hex.to_owned()));
        let framed = format!("envelope = \"lines\"\n{timed}");
        assert_eq!(lines(&framed, "event", &["{}\n{}", "x"]).1, "{}\n{}\nx\n");
        assert_eq!(lines(&framed, "arrival", &["{}\n{}"]).1, hex.repeat(2));
    }

    #[test]
    fn of_a_stream_behind_the_gate_it_is_what_the_gate_puts() {
        let values = "envelope = \"values\"\n[fields]\na = \"text\"";
        let row = |n: u32, a: &str| {
            format!("{{\"a\":\"{a}\",\"event_time\":\"2026-01-01T00:00:00Z\",\"@record\":\"0-{n}\"}}\n")
        };
        let both = row(0, "x") + &row(1, "y");
        assert_eq!(lines(values, "arrival", &["{\"a\":\"x\"}{\"a\":\"y\"}", "oops"]), (Arrival::Unused, both));
    }
}
