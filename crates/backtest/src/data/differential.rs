//! Holds the decoder of readers and tests, and the reader of files, equal to the SQL that runs: over one corpus of made and damaged
//! records, field by field.

use std::path::Path;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::Deserialize;
use weir_anomaly::Timestamp;
use weir_decode::{Decoded, decode};
use weir_engine::{MemorySink, MemorySource, RawRecord, RunOptions, plan};
use weir_rules::{Environment, Pack, TimeMode, compile};

use super::read::{Columns, Read, each};

/// Records of the corpus.
const RECORDS: usize = 6000;

const TIMES: [&str; 44] = [
    "1767225600000",
    "1767225600000.0",
    "1.7672256e12",
    "17672256E5",
    "1767225600000.25",
    "1767225600000.12345",
    "\"1767225600000\"",
    "\"+1767225600000\"",
    "\" 1767225600000\"",
    "\"1.7672256e12\"",
    "1767225600",
    "1767225600.5",
    "\"1767225600\"",
    "1767225600000000",
    "1767225600000000000",
    "0",
    "-1",
    "99999999999",
    "99999999999.9999",
    "100000000000",
    "7258118399999",
    "7258118400000",
    "1e400",
    "\"2026-01-01\"",
    "\"2026-01-01T00:00:00Z\"",
    "\"2026-01-01t00:00:00.123456789z\"",
    "\"2026-01-01 00:00:00.1234567891\"",
    "\"2026-01-01T000000\"",
    "\"2026-01-01T00000000\"",
    "\"2026-01-01T01:00:00+01:00\"",
    "\"2026-01-01 01:00:00 +0100\"",
    "\"2026-01-01T01:00:00+01\"",
    "\"2026-01-01 01:00:00 Europe/Berlin\"",
    "\"2026-03-29 02:30:00 Europe/Berlin\"",
    "\"2026-10-25 02:30:00 Europe/Berlin\"",
    "\"2025-12-31T23:59:60Z\"",
    "\"2026-02-29\"",
    "\"1970-01-01\"",
    "\"2262-01-01\"",
    "\"0001-01-01T00:00:00Z\"",
    "\"9999-12-31\"",
    "\"yesterday\"",
    "\"\"",
    "null",
];
const VALUES: [&str; 28] = [
    "1",
    "-0.0",
    "0.0",
    "-0",
    "\"-0\"",
    "96.03917960195423",
    "0.1",
    "5e-324",
    "1e308",
    "1.7976931348623157e308",
    "1.7976931348623155e308",
    "-1.7976931348623157e308",
    "1e400",
    "123456789012345678901234567890",
    "\"1.5\"",
    "\" 1.5\"",
    "\"1,5\"",
    "\"+2\"",
    "\".5\"",
    "\"5.\"",
    "\"1e2\"",
    "\"inf\"",
    "\"NaN\"",
    "\"\"",
    "true",
    "null",
    "{\"a\":1}",
    "[1]",
];
const TEXTS: [&str; 24] = [
    "\"pump-1\"",
    "17",
    "-17.50",
    "1e3",
    "12345678901234567890123",
    "true",
    "null",
    "{\"a\": [1, 2]}",
    "[]",
    "\"\"",
    "\"a\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\n\\t\\\"\\\\\"",
    "\"\u{202e}é\"",
    "\"\\u0000\"",
    "0.1",
    "1.0",
    "01",
    "\"}{\"",
    "\"a/b\"",
    "\"\u{feff}\"",
    "\"\\w\"",
    "NaN",
];
const MORE: [&str; 14] = [
    "",
    "\"weir\":\"north\"",
    "\"weir\":\"heartbeat\"",
    "\"weir\":null",
    "\"value\":2",
    "\"source\":\"second\"",
    "\"tags\":{\"a\":{\"b\":[]}}",
    "\"pressure\":9",
    "\"\\u0076alue\":3",
    "\"a\":1,\"a\":1",
    "\"weir\":\"probe\",\"probe_id\":\"1\",\"sent_at\":\"2\"",
    "\"\":1",
    "\"deep\":[[[[[[[[]]]]]]]]",
    "\"x\":\"\\ud800\"",
];

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn record(&mut self) -> Vec<u8> {
        let mut fields = Vec::new();
        let usual = |random: &mut Self| random.below(3) > 0;
        for (name, all, most) in [("timestamp", &TIMES[..], "\"2026-01-01T00:00:00Z\""), ("value", &VALUES[..], "1.5")]
        {
            let value = if usual(self) { most } else { self.of(all) };
            if self.below(30) > 0 {
                fields.push(format!("\"{name}\":{value}"));
            }
        }
        for name in ["source", "metric", "id"] {
            if usual(self) {
                fields.push(format!("\"{name}\":{}", self.of(&TEXTS)));
            }
        }
        let more = self.of(&MORE);
        if self.below(3) == 0 && !more.is_empty() {
            let place = self.below(fields.len() + 1);
            fields.insert(place, more.to_owned());
        }
        let blank = ["", "", " ", "\t"][self.below(4)];
        let mut record = format!("{blank}{{{}}}{blank}", fields.join(&format!(",{blank}"))).into_bytes();
        if self.below(4) == 0 {
            self.damage(&mut record);
        }
        record.retain(|byte| *byte != b'\n' && *byte != b'\r');
        record
    }

    fn damage(&mut self, record: &mut Vec<u8>) {
        let at = self.below(record.len());
        match self.below(9) {
            0 => record.truncate(at),
            1 => drop(record.remove(at)),
            2 => record[at] = u8::try_from(self.below(256)).unwrap(),
            3 => record.insert(at, b"{}[]\",:\\ 0"[self.below(10)]),
            4 => record.extend(record.clone()),
            5 => record.extend_from_slice(b" oops"),
            6 => drop(record.splice(0..0, *b"\xef\xbb\xbf")),
            7 => *record = [b"[", record.as_slice(), b"]"].concat(),
            _ => *record = b"17".to_vec(),
        }
    }
}

/// Records that are known to be hard, and made and damaged ones.
fn corpus() -> Vec<Vec<u8>> {
    let event = |timestamp: &str, value: &str, source: &str| {
        format!("{{\"timestamp\":{timestamp},\"value\":{value},\"source\":{source}}}").into_bytes()
    };
    let mut records: Vec<Vec<u8>> = TIMES.iter().map(|time| event(time, "1", "\"a\"")).collect();
    records.extend(VALUES.iter().map(|value| event("1767225600000", value, "\"a\"")));
    records.extend(TEXTS.iter().map(|text| event("1767225600000", "1", text)));
    records.extend(
        ["", " ", "null", "\"{}\"", "[]", "[{\"a\":1}", "{}", "{} {}", "}{", "\u{feff}{}"]
            .map(|text| text.as_bytes().to_vec()),
    );
    records.push(format!("{{\"a\":{}{}}}", "[".repeat(126), "]".repeat(126)).into_bytes());
    records.push(format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127)).into_bytes());
    records.push(vec![0xff, 0xfe]);
    let controls = [
        r#"{"weir":"heartbeat"}"#,
        r#"{"weir":"heartbeat","timestamp":"2026-01-01T00:00:00Z"}"#,
        r#" {"timestamp":null,"weir":"heartbeat"} "#,
        r#"{"weir":"heartbeat","value":1}"#,
        r#"{"weir":"heartbeat","weir":"heartbeat"}"#,
        r#"{"weir":"Heartbeat"}"#,
        r#"{"we\u0069r":"heartbeat"}"#,
        r#"{"weir":"probe"}"#,
        r#"{"weir":"probe","probe_id":"1","sent_at":"2"}"#,
        r#"{"weir":"probe","probe_id":null,"sent_at":{},"timestamp":17}"#,
        r#"{"weir":"probe","probe_id":"1","sent_at":"2","value":1}"#,
        r#"{"weir":"probe","probe_id":"1","timestamp":"2026-01-01"}"#,
        r#"{"weir":{"a":"heartbeat"}}"#,
    ];
    records.extend(controls.map(|text| text.as_bytes().to_vec()));
    let mut random = Random(ChaCha8Rng::seed_from_u64(11));
    while records.len() < RECORDS {
        records.push(random.record());
    }
    records
}

#[derive(Debug, Deserialize)]
struct Row {
    kind: String,
    timestamp: Option<Timestamp>,
    value: Option<f64>,
    source: String,
    metric: String,
    id: Option<String>,
}

/// What each record is and says, in one line.
fn line(decoded: &Decoded) -> String {
    match decoded {
        Decoded::Event(r) => {
            format!("event {} {:x} {:?} {:?} {:?}", r.time.nanos(), r.value.to_bits(), r.source, r.metric, r.id)
        }
        Decoded::Control => "control".to_owned(),
        Decoded::Poison(fault) => fault.reason.as_str().to_owned(),
    }
}

/// The view `decoded` over the corpus, on the embedded engine.
async fn by_sql(records: &[Vec<u8>], time: TimeMode) -> Vec<String> {
    let tables_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
    let tables = std::fs::read_to_string(&tables_file).unwrap();
    let pack = Pack { tables_file, tables, streams: Vec::new(), rules: Vec::new() };
    let sql = compile(&pack, &Environment { time, ..Environment::default() }).unwrap().sql;
    let sql = format!(
        "{sql}\nCREATE TABLE found (kind TEXT, timestamp TIMESTAMP, value DOUBLE, source TEXT, metric TEXT, id TEXT) WITH \
         (connector = 'single_file', path = '/dev/null', type = 'sink', format = 'json');\n\
         INSERT INTO found SELECT kind, timestamp, value, source, metric, id FROM decoded;"
    );
    let program = plan(&sql, &weir_project::compile::plan_options()).unwrap_or_else(|error| panic!("{error}"));
    let raw = |record: &Vec<u8>| RawRecord {
        payload: record.clone().into(),
        arrival_nanos: Some(1_767_225_600_000_000_000),
        partition: 0,
    };
    let found = MemorySink::new();
    let mut options = RunOptions::default();
    for source in program.sources() {
        options.sources.insert(source.name.clone(), MemorySource::new(records.iter().map(raw).collect()));
    }
    for sink in program.sinks() {
        options.sinks.insert(sink.name.clone(), MemorySink::new());
    }
    options.sinks.insert("found".to_owned(), found.clone());
    weir_engine::run(&program, options, std::future::pending()).await.unwrap();
    let rows = found.lines();
    rows.iter()
        .map(|row| {
            let row: Row = serde_json::from_str(row).unwrap();
            match row.kind.as_str() {
                "event" => {
                    let (nanos, bits) = (row.timestamp.unwrap().nanos(), row.value.unwrap().to_bits());
                    format!("event {nanos} {bits:x} {:?} {:?} {:?}", row.source, row.metric, row.id)
                }
                "heartbeat" | "probe" => "control".to_owned(),
                other => other.to_owned(),
            }
        })
        .collect()
}

#[tokio::test]
async fn readers_and_the_sql_give_the_same_row_for_every_record() {
    let records = corpus();
    let own: Vec<String> = records.iter().map(|record| line(&decode(record))).collect();
    for time in [TimeMode::Event, TimeMode::Arrival] {
        let rows = by_sql(&records, time).await;
        assert_eq!(rows.len(), records.len());
        let shown = |record: &[u8]| String::from_utf8_lossy(record).into_owned();
        let differ = records.iter().zip(own.iter().zip(&rows)).filter(|(_, (own, row))| own != row);
        let differ: Vec<String> =
            differ.map(|(record, (own, row))| format!("{}\n  {own}\n  SQL: {row}", shown(record))).collect();
        assert!(
            differ.is_empty(),
            "{} differ by {time:?}:\n{}",
            differ.len(),
            differ[..differ.len().min(12)].join("\n")
        );
    }
    // A test that has no events, or no poison of a kind, holds nothing equal.
    for kind in [
        "event",
        "control",
        "not_utf8",
        "not_json",
        "several_values",
        "not_an_object",
        "repeated_field",
        "bad_timestamp",
        "bad_value",
    ] {
        let count = own.iter().filter(|line| line.split(' ').next() == Some(kind)).count();
        assert!(count >= 3, "{kind}: {count}");
    }
}

/// Whether an object begins right behind the end of something.
fn holds_several(record: &[u8]) -> bool {
    let ends = record.iter().enumerate().filter(|(_, byte)| **byte == b'}');
    ends.map(|(at, _)| record[at + 1..].trim_ascii_start()).any(|rest| rest.starts_with(b"{"))
}

#[test]
fn a_file_of_records_gives_what_each_of_them_is() {
    let records: Vec<Vec<u8>> = corpus()
        .into_iter()
        // What stands behind the end of an object is a record of its own in a file; a blank line is nothing.
        .filter(|record| !holds_several(record) && !record.trim_ascii().is_empty())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corpus.jsonl");
    let first = b"{\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":1}".to_vec();
    let all: Vec<Vec<u8>> = std::iter::once(first).chain(records).collect();
    std::fs::write(&file, all.join(&b'\n')).unwrap();
    let mut found = Vec::new();
    each(&file, &Columns::default(), &mut |record| {
        found.push((
            record.line,
            match record.read {
                Read::Event(reading) => line(&Decoded::Event(reading)),
                Read::Control => "control".to_owned(),
                Read::Refused(refusal) => refusal.reason.to_owned(),
            },
        ));
        Ok(())
    })
    .unwrap();
    for (index, (record, (number, what))) in all.iter().zip(&found).enumerate() {
        assert_eq!(
            (*number, what.as_str()),
            (index as u64 + 1, line(&decode(record)).as_str()),
            "{}",
            String::from_utf8_lossy(record)
        );
    }
    assert_eq!(found.len(), all.len());
}
