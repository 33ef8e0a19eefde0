//! The default pack on the embedded engine, in both time modes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::path::Path;

use weir_anomaly::{AnomalyId, Record, Timestamp, id::Identity, stored_key};
use weir_engine::{MemorySink, MemorySource, PlanOptions, RawRecord, RunOptions, RunReport, plan, run};
use weir_rules::{Environment, Pack, Rule, compile};

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
    // Those call a function in Rust, which this crate does not have; their own tests run them.
    pack.rules.retain(|rule| !rule.header.tags.iter().any(|tag| tag == "udf"));
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

/// Keys at every edge of the contract: bytes, characters, nothing, what looks cut, and long ones with one beginning.
fn edge_keys() -> Vec<String> {
    let mut keys: Vec<String> =
        ["", " ", "\t", "a", "(none)", "~", "\0", "a\0b", "'", "\"", "\\"].map(str::to_owned).into();
    for unit in ["a", "é", "㋡", "🌊", " "] {
        for count in [240, 241, 255, 256, 257, 272, 273, 274, 341, 342, 512, 513, 1023, 1024, 1025, 5000] {
            keys.push(unit.repeat(count));
        }
    }
    let arn =
        format!("arn:aws:lambda:eu-central-1:000000000000:function:{}", "tenant-region-service-component-".repeat(40));
    keys.extend(["alpha", "beta", "", "é"].map(|end| arn.clone() + end));
    let cut: Vec<String> =
        keys.iter().map(|key| stored_key(key).into_owned()).filter(|cut| !keys.contains(cut)).collect();
    keys.extend(cut);
    keys
}

/// The key and the id are made in SQL by the engine and in Rust by all else.
#[test]
fn a_key_and_an_id_are_the_same_in_sql_as_in_rust_and_no_two_keys_share_one() {
    let header =
        "-- name = \"keyed\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n";
    let start = 1_763_856_000_000_i64;
    let (from, to) = (Timestamp::from_millis(start).unwrap(), Timestamp::from_millis(start + 60_000).unwrap());
    let event = Identity::Event { time: from, event_id: "" };
    for (body, identity) in [
        ("SELECT event ->> 'who' AS key, event_time, value, 1.0 AS score FROM events", event),
        (
            "SELECT who AS key, window, n AS value, 1.0 AS score FROM (SELECT event ->> 'who' AS who, tumble(INTERVAL '1 minute') AS window, \
             count(*) AS n FROM events GROUP BY 1, 2) AS w",
            Identity::Window { start: from, end: to },
        ),
    ] {
        let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
        let rule = Rule::parse(Path::new("keyed.sql"), &format!("{header}{body}")).unwrap();
        let pack = Pack { rules: vec![rule], ..Pack::load(&sql).unwrap() };
        let environment = Environment::parse(Path::new("test.toml"), "time = \"event\"").unwrap();
        let program = plan(&compile(&pack, &environment).unwrap().sql, &PlanOptions::default()).unwrap();

        let keys = edge_keys();
        let events: Vec<RawRecord> = keys
            .iter()
            .map(|key| {
                let event =
                    serde_json::json!({"timestamp": start, "value": 1, "source": "s", "metric": "m", "who": key});
                RawRecord { payload: event.to_string().into(), arrival_nanos: Some(start * 1_000_000), partition: 0 }
            })
            .collect();
        let found = MemorySink::new();
        let mut options = RunOptions::default();
        options.sources.insert("events_raw".into(), MemorySource::new(events));
        options.sinks.insert("anomalies".into(), found.clone());
        options.sinks.insert("poison".into(), MemorySink::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&program, options, std::future::pending())).unwrap_or_else(|e| panic!("{e}"));

        let mut got: Vec<(String, String)> = found
            .lines()
            .iter()
            .map(|line| match Record::parse(line.as_bytes()) {
                Ok(Record::Anomaly(anomaly)) => (anomaly.key, anomaly.id.to_string()),
                other => panic!("{other:?}: {line}"),
            })
            .collect();
        let mut expected: Vec<(String, String)> = keys
            .iter()
            .map(|key| {
                let key = stored_key(key).into_owned();
                let id = AnomalyId::compute("keyed", &key, identity).to_string();
                (key, id)
            })
            .collect();
        got.sort();
        expected.sort();
        got.dedup();
        expected.dedup();
        // Of all keys only the missing one and its name are one.
        assert_eq!(expected.len(), keys.iter().filter(|key| !key.is_empty()).count());
        let ids: std::collections::BTreeSet<&String> = expected.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), expected.len(), "two keys share an id");
        assert!(got == expected, "got {got:#?}\nexpected {expected:#?}");
    }
}

/// As they were before long keys were cut otherwise.
const FIXED: [&str; 3] =
    ["c5ab27bafb0678d1c4d36330664c9215", "9c7a6eb1dc7d6c27b4a6c6ee75b8a15f", "952832f68c18b2d25618611c5a6c95ca"];

/// Ids in people's tables: those of keys up to 256 characters never change.
#[test]
fn ids_of_short_keys_are_fixed_for_ever() {
    let at = Timestamp::from_nanos(1_763_856_000_000_000_000);
    let id = |key: &str| {
        AnomalyId::compute("zscore", &stored_key(key), Identity::Event { time: at, event_id: "" }).to_string()
    };
    assert_eq!(id("pump-7/temperature"), FIXED[0]);
    assert_eq!(id(&"k".repeat(256)), FIXED[1]);
    assert_eq!(id(""), FIXED[2]);
}
