//! Policies of a rule's header, as the embedded engine runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::path::Path;

use serde_json::{Value, json};
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan};
use weir_rules::{Environment, Pack, Rule, compile};

/// Every event is a finding, and 10 is expected of it.
fn rule(policy: &str) -> Rule {
    let policy: String = policy.lines().map(|line| format!("-- {line}\n")).collect();
    let text = format!(
        "-- name = \"every\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n{policy}
SELECT series AS key, timestamp AS event_time, value, CASE WHEN metric = 'unknown' THEN NULL ELSE 10.0 END AS expected, 1.0 AS score
FROM events"
    );
    Rule::parse(Path::new("every.sql"), &text).unwrap_or_else(|e| panic!("{e}"))
}

/// The keys and values that are found: events of Thursday, 1 January 2026, and later.
fn found(policy: &str, events: &[(&str, &str, f64)]) -> Vec<String> {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let mut pack = Pack::load(&sql).unwrap();
    pack.rules = vec![rule(policy)];
    let environment = Environment::parse(Path::new("test.toml"), "time = \"event\"").unwrap();
    let program = compile(&pack, &environment).unwrap();
    let program = plan(&program.sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}\n{}", program.sql));
    let lines: Vec<String> = events
        .iter()
        .map(|(time, metric, value)| {
            json!({"timestamp": format!("2026-01-{time}:00Z"), "source": "p.1", "metric": metric, "value": value})
                .to_string()
        })
        .collect();
    let sink = MemorySink::new();
    let mut options = RunOptions::default();
    options.sources.insert("events_raw".into(), MemorySource::lines(&lines.join("\n")));
    options.sinks.insert("poison".into(), MemorySink::new());
    options.sinks.insert("anomalies".into(), sink.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(weir_engine::run(&program, options, std::future::pending())).unwrap();
    let mut found: Vec<String> = sink
        .lines()
        .iter()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", record["key"].as_str().unwrap(), record["value"])
        })
        .collect();
    found.sort();
    found
}

const VALUES: [(&str, &str, f64); 5] = [
    ("01T10:00", "flow", 12.0),
    ("01T10:01", "flow", 7.0),
    ("01T10:02", "flow", 10.5),
    ("01T10:03", "heat", 5.0),
    ("01T10:04", "unknown", 10.5),
];

#[test]
fn direction_and_deviations_compare_with_what_was_expected() {
    let all = ["p.1/flow 10.5", "p.1/flow 12.0", "p.1/flow 7.0", "p.1/heat 5.0", "p.1/unknown 10.5"];
    assert_eq!(found("", &VALUES), all);
    assert_eq!(
        found("[policy]\ndirection = \"above\"", &VALUES),
        ["p.1/flow 10.5", "p.1/flow 12.0", "p.1/unknown 10.5"],
        "what was not expected cannot be compared"
    );
    assert_eq!(found("[policy]\ndirection = \"below\"", &VALUES), ["p.1/flow 7.0", "p.1/heat 5.0", "p.1/unknown 10.5"]);
    assert_eq!(found("[policy]\nleast_deviation = 2.5", &VALUES), ["p.1/flow 7.0", "p.1/heat 5.0", "p.1/unknown 10.5"]);
    assert_eq!(
        found("[policy]\nleast_relative_deviation = 0.2", &VALUES),
        ["p.1/flow 12.0", "p.1/flow 7.0", "p.1/heat 5.0", "p.1/unknown 10.5"],
        "a fifth of ten is enough"
    );
}

#[test]
fn the_longest_pattern_that_matches_decides() {
    let policy = "[policy]\ndirection = \"above\"\n[policy.\"p.1/h*\"]\ndirection = \"below\"\n[policy.\"p?1/un*\"]\n\
                  ignore_values = [{ from = 10, to = 10.5 }]\n[policy.\"px1/*\"]\nleast_deviation = 1000";
    assert_eq!(found(policy, &VALUES), ["p.1/flow 10.5", "p.1/flow 12.0", "p.1/heat 5.0"]);
}

#[test]
fn ranges_do_not_count() {
    assert_eq!(
        found("[policy]\nignore_values = [{ from = 5, to = 7 }, { from = 12, to = 12 }]", &VALUES),
        ["p.1/flow 10.5", "p.1/unknown 10.5"]
    );
    // Thursday the 1st to Sunday the 4th.
    let events = [
        ("01T01:59", "m", 1.0),
        ("01T02:00", "m", 2.0),
        ("01T02:30", "m", 3.0),
        ("02T22:00", "m", 4.0),
        ("03T05:59", "m", 5.0),
        ("03T06:00", "m", 6.0),
        ("03T23:00", "m", 7.0),
        ("04T05:00", "m", 8.0),
    ];
    let left = |times: &str| -> Vec<String> {
        let found = found(&format!("[policy]\nignore_times = [{times}]"), &events);
        found.iter().map(|found| found.replace("p.1/m ", "")).collect()
    };
    assert_eq!(left("{ from = \"02:00\", to = \"02:30\" }"), ["1.0", "3.0", "4.0", "5.0", "6.0", "7.0", "8.0"]);
    assert_eq!(
        left("{ days = [\"friday\"], from = \"22:00\", to = \"06:00\" }"),
        ["1.0", "2.0", "3.0", "6.0", "7.0", "8.0"]
    );
    assert_eq!(
        left("{ days = [\"saturday\", \"sunday\"], from = \"00:00\", to = \"00:00\" }"),
        ["1.0", "2.0", "3.0", "4.0"]
    );
}

#[test]
fn a_policy_is_part_of_the_version() {
    let version = |policy: &str| rule(policy).version("x");
    assert_ne!(version(""), version("[policy]\ndirection = \"above\""));
    assert_ne!(version("[policy]\nleast_deviation = 1"), version("[policy]\nleast_deviation = 2"));
}
