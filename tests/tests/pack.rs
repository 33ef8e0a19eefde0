//! The default pack on the embedded engine, in both time modes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::path::Path;

use weir_engine::{MemorySink, MemorySource, PlanOptions, RawRecord, RunOptions, RunReport, plan, run};
use weir_rules::{Environment, Pack, compile};

fn program(settings: &str) -> String {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let environment = Environment::parse(Path::new("test.toml"), settings).unwrap();
    compile(&Pack::load(&sql).unwrap(), &environment).unwrap().sql
}

/// Four days of one series, a reading every five minutes, with one spike on the third day.
fn readings() -> Vec<RawRecord> {
    let start = 1_763_856_000_000i64;
    (0..4 * 288i64)
        .map(|i| {
            let at = start + i * 300_000;
            let value = if i == 700 { 500.0 } else { 20.0 + f64::from(i32::try_from(i % 7).unwrap()) };
            let json = format!(r#"{{"timestamp":{at},"value":{value},"source":"pump-7","metric":"temperature"}}"#);
            RawRecord { payload: json.into(), arrival_nanos: Some(at * 1_000_000), partition: 0 }
        })
        .collect()
}

fn run_pack(time: &str, records: Vec<RawRecord>, batch_size: usize) -> (Vec<String>, Vec<String>, RunReport) {
    run_with(&format!("time = \"{time}\""), records, batch_size)
}

fn run_with(settings: &str, records: Vec<RawRecord>, batch_size: usize) -> (Vec<String>, Vec<String>, RunReport) {
    let program = plan(&program(settings), &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
    let mut options = RunOptions { batch_size, ..RunOptions::default() };
    options.sources.insert("events_raw".into(), MemorySource::new(records));
    options.sinks.insert("anomalies".into(), anomalies.clone());
    options.sinks.insert("poison".into(), poison.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(&program, options, std::future::pending())).unwrap_or_else(|e| panic!("{e}"));
    let sorted = |sink: &MemorySink| {
        let mut lines = sink.lines();
        lines.sort();
        lines
    };
    (sorted(&anomalies), sorted(&poison), report)
}

#[test]
fn a_spike_is_an_anomaly_in_both_time_modes() {
    for time in ["arrival", "event"] {
        let (anomalies, poison, report) = run_pack(time, readings(), 8192);
        let spikes: Vec<_> = anomalies.iter().filter(|a| a.contains("\"rule\":\"zscore\"")).collect();
        assert_eq!(spikes.len(), 1, "{time}: {anomalies:#?}");
        assert!(spikes[0].contains("\"value\":500.0"), "{time}: {spikes:?}");
        assert!(poison.is_empty(), "{time}: {poison:?}");
        assert_eq!(report.sources.len(), 1);
        assert_eq!(report.sources[0].late, 0);
    }
}

#[test]
fn both_ways_of_decoding_give_the_same_anomalies() {
    for time in ["arrival", "event"] {
        let (tolerant, _, _) = run_pack(time, readings(), 8192);
        let (typed, _, _) = run_with(&format!("time = \"{time}\"\ndecode = \"typed\""), readings(), 8192);
        assert!(!tolerant.is_empty());
        assert_eq!(typed, tolerant, "{time}");
    }
}

#[test]
fn typed_decoding_drops_what_does_not_fit_and_goes_on() {
    let mut records = readings();
    let at = records[5].arrival_nanos;
    for payload in [
        b"\xff\xfe".as_slice(),
        b"{\"timestamp\":",
        b"{\"value\":1}",
        b"{\"timestamp\":1763856000000,\"value\":\"x\"}",
        b"{\"weir\":\"heartbeat\",\"timestamp\":1763856000000}",
    ] {
        records.insert(10, RawRecord { payload: payload.into(), arrival_nanos: at, partition: 0 });
    }
    for time in ["arrival", "event"] {
        let settings = format!("time = \"{time}\"\ndecode = \"typed\"");
        let clean = run_with(&settings, readings(), 8192);
        let (anomalies, poison, _) = run_with(&settings, records.clone(), 64);
        assert_eq!(anomalies, clean.0, "{time}");
        assert!(poison.is_empty(), "typed decoding has no raw bytes to quarantine");
    }
}

#[test]
fn every_rule_runs_whatever_its_stage_and_decoding() {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let mut pack = Pack::load(&sql).unwrap();
    // It calls a function in Rust, which this crate does not have; its own tests run it.
    pack.rules.retain(|rule| rule.header.name != "adaptive");
    let mut settings = String::new();
    for rule in &pack.rules {
        settings.push_str(&format!("[rules.{}]\nstage = \"active\"\n", rule.header.name));
    }
    for decode in ["tolerant", "typed"] {
        let environment =
            Environment::parse(Path::new("test.toml"), &format!("decode = \"{decode}\"\n{settings}")).unwrap();
        let program = compile(&pack, &environment).unwrap();
        assert_eq!(program.rules.len(), pack.rules.len());
        plan(&program.sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{decode}: {e}"));
    }
}

#[test]
fn the_batch_size_changes_nothing() {
    let mut records = readings();
    // Some disorder, some of it too late.
    records.swap(10, 11);
    records.swap(100, 900);
    let whole = run_pack("event", records.clone(), 8192);
    for batch_size in [1, 7, 256] {
        let (anomalies, _, report) = run_pack("event", records.clone(), batch_size);
        assert_eq!(anomalies, whole.0, "batches of {batch_size}");
        assert_eq!(report.sources[0].late, whole.2.sources[0].late, "batches of {batch_size}");
    }
}

#[test]
fn what_is_no_event_is_poison_and_disturbs_nobody() {
    let mut records = readings();
    let bad = |payload: &'static [u8]| RawRecord {
        payload: payload.into(),
        arrival_nanos: Some(records[5].arrival_nanos.unwrap()),
        partition: 0,
    };
    let inserted = [
        bad(b"\xff\xfe"),
        bad(b"{\"timestamp\":"),
        bad(b"{\"value\":1}"),
        bad(b"{\"timestamp\":1763856000000,\"value\":\"x\"}"),
    ];
    for (n, record) in inserted.into_iter().enumerate() {
        records.insert(10 + n, record);
    }
    for time in ["arrival", "event"] {
        let clean = run_pack(time, readings(), 8192);
        let (anomalies, poison, report) = run_pack(time, records.clone(), 64);
        assert_eq!(anomalies, clean.0, "{time}");
        let counted: Vec<_> = report.rules.iter().map(|r| (r.name.as_str(), r.sink.as_str(), r.rows)).collect();
        assert!(counted.contains(&("weir_poison", "poison", 4)), "{time}: {counted:?}");
        assert!(counted.iter().all(|(name, ..)| !name.contains(':')), "a statement without a name: {counted:?}");
        let reasons: Vec<_> = ["not_utf8", "not_json", "bad_timestamp", "bad_value"]
            .iter()
            .map(|r| poison.iter().filter(|p| p.contains(&format!("\"reason\":\"{r}\""))).count())
            .collect();
        assert_eq!(reasons, [1, 1, 1, 1], "{time}: {poison:#?}");
    }
}
