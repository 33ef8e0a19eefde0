//! Each record is counted as exactly one thing.

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, StreamStats, plan, run};
use weir_rules::{Environment, compile};

use crate::common::{pack, planned, records, run_on};

const LINES: &str = "envelope = [\"gzip\", \"lines\"]\ntime = { path = \"at\", format = \"unix\" }\nignore = \"kind = 'ping'\"\nheartbeat = true\n[fields]\nkind = \"text\"\nx = \"double\"";
const ALL: &str = "SELECT 'all' AS key, event_time, x AS value, 1.0 AS score FROM lines";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn records_inside_an_envelope_are_processed_ignored_control_or_poison() {
    let program = planned(&pack(&[("lines", LINES)], &[("all", ALL)]), "time = \"event\"").unwrap();
    let text = "{\"at\":1767225600,\"x\":1}\n\n{\"at\":1767225601,\"kind\":\"ping\"}\n{\"at\":1767225602,\"x\":\"y\"}\n{\"weir\":\"heartbeat\"}\n{\"at\":1767225603,\"x\":2}\n";
    let found = run_on(
        &program,
        &[("lines_raw", records([gzip(text), b"\x1f\x8bdamaged".to_vec(), b"\n".to_vec()]))],
        RunOptions::default(),
    );
    let source = found.report.sources.iter().find(|source| source.name == "lines_raw").unwrap();
    assert_eq!((source.records, source.rows), (3, 5));
    let stats = StreamStats { accepted: 3, ignored: 1, poison: 2, control: 1 };
    assert_eq!(source.stream, Some(stats), "the line break alone is accepted, and gives no row");
    assert_eq!(found.anomalies.len(), 2);
    assert_eq!(found.poison.iter().map(|p| p.reason.as_str()).collect::<Vec<_>>(), ["bad_field:x", "bad_envelope"]);
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0_i64..100, -5.0_f64..5.0).prop_map(|(s, x)| format!("{{\"at\":{},\"x\":{x}}}", 1_767_225_600 + s).into_bytes()),
        1 => Just(b"{\"at\":1767225600,\"kind\":\"ping\"}".to_vec()),
        1 => Just(b"{\"weir\":\"heartbeat\"}".to_vec()),
        1 => Just(b"{\"weir\":\"heartbeat\",\"x\":1}".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(prop::sample::select(b"{}[]\":,ax1 \n".to_vec()), 0..20),
    ]
}

/// Arrow counts the bytes of a text column in 32 bits: a text of the record in each of its rows must not bring it there.
#[test]
fn records_whose_rows_hold_gigabytes_of_text_are_refused_or_come_in_several_batches() {
    const BATCHES: &str = "envelope = \"auto\"\neach = \"$.rows[*]\"\n[fields]\nbig = { type = \"text\", of = \"record\" }\nx = \"double\"";
    let program = planned(&pack(&[("lines", BATCHES)], &[("all", ALL)]), "time = \"event\"").unwrap();
    let record = |bytes: usize, rows: usize| {
        let rows = vec!["{\"x\":1}"; rows].join(",");
        format!("{{\"big\":\"{}\",\"rows\":[{rows}]}}", "k".repeat(bytes))
    };
    let mut payloads = vec![gzip(&record(30_000_000, 80))];
    // 2.3 GB of text in all.
    payloads.extend((0..40).map(|_| record(1_000_000, 58).into_bytes()));
    payloads.push(record(3, 1).into_bytes());
    let found = run_on(&program, &[("lines_raw", records(payloads))], RunOptions::default());
    let source = found.report.sources.iter().find(|source| source.name == "lines_raw").unwrap();
    assert_eq!((source.records, source.rows), (42, 1 + 40 * 58 + 1));
    assert_eq!(source.stream, Some(StreamStats { accepted: 41, poison: 1, ..StreamStats::default() }));
    assert_eq!(found.poison.iter().map(|p| p.reason.as_str()).collect::<BTreeSet<_>>(), BTreeSet::from(["too_large"]));
    assert_eq!(found.anomalies.len(), 40 * 58 + 1);
}

/// A file's lines are its records, whatever is in them.
#[tokio::test]
async fn each_line_of_a_file_is_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let several = "{\"at\":1767225600,\"x\":1}{\"at\":1767225600,\"x\":1}";
    std::fs::write(&path, format!("{several}\n\n{several}\n{{\"at\":1}}\n{{\"weir\":\"heartbeat\"}}")).unwrap();
    let stream = LINES.replace("[\"gzip\", \"lines\"]", "\"values\"");
    let pack = pack(&[("lines", &stream)], &[("all", ALL)]);
    let sql = compile(&pack, &Environment::parse("test.toml".as_ref(), "time = \"event\"").unwrap()).unwrap().sql;
    let from = "connector = 'kinesis', type = 'source', stream_name = 'weir-lines',\n  'source.offset' = 'earliest',";
    assert!(sql.contains(from), "{sql}");
    let file = format!("connector = 'single_file', type = 'source', path = '{}',", path.display());
    let program = plan(&sql.replace(from, &file), &PlanOptions::default()).unwrap();
    let mut options = RunOptions::default();
    for source in program.sources().iter().filter(|source| source.name != "lines_raw") {
        options.sources.insert(source.name.clone(), MemorySource::new(Vec::new()));
    }
    for sink in program.sinks() {
        options.sinks.insert(sink.name.clone(), MemorySink::new());
    }
    let report = run(&program, options, std::future::pending()).await.unwrap();
    let source = report.sources.iter().find(|source| source.name == "lines_raw").unwrap();
    assert_eq!((source.records, source.rows), (4, 6), "lines, and what is in them");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_record_is_counted_twice_or_not_at_all(payloads in prop::collection::vec(record(), 0..60), batch_size in 1_usize..20, by_arrival in any::<bool>()) {
        let one = LINES.replace("[\"gzip\", \"lines\"]", "\"json\"");
        let settings = if by_arrival { "time = \"arrival\"" } else { "time = \"event\"" };
        let program = planned(&pack(&[("lines", &one)], &[("all", ALL)]), settings).unwrap();
        let read = payloads.len() as u64;
        let found = run_on(&program, &[("lines_raw", records(payloads))], RunOptions { batch_size, ..RunOptions::default() });
        let source = found.report.sources.iter().find(|source| source.name == "lines_raw").unwrap();
        let stats = source.stream.unwrap_or_default();
        prop_assert_eq!((source.records, stats.records()), (read, read));
        let kind = |name: &str| source.kinds.get(name).copied().unwrap_or(0);
        prop_assert_eq!((kind("event"), kind("heartbeat")), (stats.accepted, stats.control));
        prop_assert_eq!(found.anomalies.len() as u64, stats.accepted);
        prop_assert_eq!(found.poison.len() as u64, stats.poison);
    }
}
