//! Packs of declared streams and rules, run in memory.

use std::path::Path;

use serde_json::Value;
use weir_anomaly::{Poison, Record};
use weir_engine::{
    MemorySink, MemorySource, PlanError, PlanOptions, Program, RawRecord, RunOptions, RunReport, plan, run,
};
use weir_rules::{Environment, OWN_TABLES, Pack, Rule, StreamFile, compile};

/// The study's wide event.
pub(crate) const CLIMATE: &str = r#"
stream = "iot-climate"
key = "device"
time = { path = "last_seen", format = "rfc3339" }
metrics = ["temperature", "humidity"]

[fields]
device = { type = "text", required = true }
temperature = "double"
humidity = "double"
battery = "integer"
"#;

/// 2026-01-01.
pub(crate) const START: i64 = 1_767_225_600_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) fn pack(streams: &[(&str, &str)], rules: &[(&str, &str)]) -> Pack {
    let stream = |(name, text): &(&str, &str)| {
        StreamFile::parse(format!("sql/streams/{name}.toml").as_ref(), text)
            .unwrap_or_else(|faults| panic!("{faults:?}"))
    };
    let rule = |(name, body): &(&str, &str)| {
        let header = "-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n";
        Rule::parse(Path::new(&format!("{name}.sql")), &format!("-- name = \"{name}\"\n{header}{body}")).unwrap()
    };
    Pack {
        tables_file: "sql/tables.sql".into(),
        tables: OWN_TABLES.to_owned(),
        streams: streams.iter().map(stream).collect(),
        rules: rules.iter().map(rule).collect(),
    }
}

pub(crate) fn planned(pack: &Pack, settings: &str) -> Result<Program, PlanError> {
    let environment = Environment::parse(Path::new("test.toml"), settings).unwrap();
    let sql = compile(pack, &environment).unwrap_or_else(|errors| panic!("{errors:?}")).sql;
    plan(&sql, &PlanOptions::default())
}

/// What a run gave.
pub(crate) struct Found {
    pub(crate) anomalies: Vec<Value>,
    pub(crate) poison: Vec<Poison>,
    pub(crate) report: RunReport,
}

pub(crate) fn records(payloads: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<RawRecord> {
    let record = |(index, payload): (i64, Vec<u8>)| RawRecord {
        payload: payload.into(),
        arrival_nanos: Some(START + index * SECOND),
        partition: 0,
    };
    (0..).zip(payloads.into_iter().map(|payload| payload.as_ref().to_vec())).map(record).collect()
}

pub(crate) fn run_on(program: &Program, feeds: &[(&str, Vec<RawRecord>)], options: RunOptions) -> Found {
    let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
    let mut options = options;
    for source in program.sources() {
        let records = feeds.iter().find(|(name, _)| *name == source.name).map(|(_, records)| records.clone());
        options.sources.insert(source.name.clone(), MemorySource::new(records.unwrap_or_default()));
    }
    options.sinks.insert("anomalies".into(), anomalies.clone());
    options.sinks.insert("poison".into(), poison.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(program, options, std::future::pending())).unwrap_or_else(|e| panic!("{e}"));
    for source in &report.sources {
        assert_eq!(source.unaccounted().unwrap_or(0), 0, "{}: each row is one of its kinds", source.name);
    }
    let poison = poison
        .rows()
        .iter()
        .map(|row| match Record::parse(row).unwrap() {
            Record::Poison(poison) => poison,
            Record::Anomaly(anomaly) => panic!("{anomaly:?}"),
        })
        .collect();
    let mut anomalies: Vec<Value> = anomalies.rows().iter().map(|row| serde_json::from_slice(row).unwrap()).collect();
    anomalies
        .sort_by_key(|anomaly| (anomaly["timestamp"].to_string(), anomaly["key"].to_string(), anomaly.to_string()));
    Found { anomalies, poison, report }
}
