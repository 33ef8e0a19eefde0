//! Weir's own tables with a few rules, run in memory.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use weir_anomaly::{Poison, Record};
use weir_engine::{MemorySink, MemorySource, PlanOptions, Program, RawRecord, RunOptions, RunReport, plan, run};
use weir_rules::{Environment, Pack, Rule, compile};

const HEADER: &str = "-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n";
/// Every event is an anomaly, named by its time.
pub(crate) const ALL: &str =
    "SELECT series AS key, event_time, id AS event_id, value, 1.0 AS score, timestamp FROM events";
/// What lies below zero.
pub(crate) const BELOW: &str = "SELECT series AS key, event_time, value, 1.0 AS score FROM events WHERE value < 0.0";
/// How many events of a series came in a minute.
pub(crate) const PER_MINUTE: &str = "SELECT series AS key, window, n AS value, 1.0 AS score FROM (
    SELECT series, tumble(INTERVAL '1 minute') AS window, count(*) AS n FROM events GROUP BY series, window) AS minutes";

/// A minute of 2026.
pub(crate) const NOON: i64 = 1_767_268_800_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;

/// Weir's tables with these rules.
pub(crate) fn program(settings: &str, rules: &[(&str, &str)]) -> Program {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let rule = |(name, body): &(&str, &str)| {
        Rule::parse(Path::new(&format!("{name}.sql")), &format!("-- name = \"{name}\"\n{HEADER}{body}")).unwrap()
    };
    let pack = Pack { rules: rules.iter().map(rule).collect(), ..Pack::load(&sql).unwrap() };
    let environment = Environment::parse(Path::new("test.toml"), settings).unwrap();
    plan(&compile(&pack, &environment).unwrap().sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// What a run gave.
pub(crate) struct Found {
    pub(crate) anomalies: Vec<Value>,
    pub(crate) poison: Vec<Poison>,
    pub(crate) report: RunReport,
}

impl Found {
    pub(crate) fn of_rule(&self, rule: &str) -> Vec<&Value> {
        self.anomalies.iter().filter(|a| a["rule"] == rule).collect()
    }

    pub(crate) fn kinds(&self) -> BTreeMap<&str, u64> {
        self.report.sources[0].kinds.iter().map(|(kind, rows)| (kind.as_str(), *rows)).collect()
    }
}

pub(crate) fn run_on(program: &Program, records: Vec<RawRecord>, options: RunOptions) -> Found {
    let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
    let mut options = options;
    let read = records.len() as u64;
    options.sources.insert("events_raw".into(), MemorySource::new(records));
    options.sinks.insert("anomalies".into(), anomalies.clone());
    options.sinks.insert("poison".into(), poison.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(program, options, std::future::pending())).unwrap_or_else(|e| panic!("{e}"));
    // In = events, control and poison, in every run of every test.
    let source = &report.sources[0];
    assert_eq!(source.records, read);
    assert_eq!(source.kinds.values().sum::<u64>() + source.poison, read, "{:?}", source.kinds);
    assert!(read == source.poison || source.unaccounted() == Some(0));
    let poison = poison
        .rows()
        .iter()
        .map(|row| match Record::parse(row).unwrap() {
            Record::Poison(poison) => poison,
            Record::Anomaly(anomaly) => panic!("{anomaly:?}"),
        })
        .collect();
    let anomalies = anomalies.rows().iter().map(|row| serde_json::from_slice(row).unwrap()).collect();
    Found { anomalies, poison, report }
}

pub(crate) fn record(payload: impl AsRef<[u8]>, arrival_nanos: i64) -> RawRecord {
    RawRecord { payload: payload.as_ref().to_vec().into(), arrival_nanos: Some(arrival_nanos), partition: 0 }
}
