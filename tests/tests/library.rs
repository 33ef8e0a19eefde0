//! What the rules say of generated data: of clean ones every anomaly is a false alarm, of the others each fault must be found.
//! And that nothing is missing that a person needs to use one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and shows its table"
)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, process::Command};

use serde_json::Value;
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan};
use weir_rules::{Environment, Pack, compile, testfile::TestFile};

#[path = "library/wild.rs"]
mod wild;

/// Days of event time and sources of one seed. `WEIR_CLEAN_SEEDS` sets the number of seeds; docs/library.md has more.
const DAYS: &str = "14";
const SOURCES: &str = "3";
const SEEDS: u64 = 2;

/// Detectors that are judged by docs/detection.md: they compare with all that they have seen, so a fortnight is full of firsts.
const DETECTORS: [&str; 6] =
    ["adaptive", "forecast_residual", "random_cut_forest", "random_cut_forest_with_explanation", "records", "surprise"];

/// The library at its defaults, every rule active but the detectors.
fn program() -> String {
    compiled(|rule| !DETECTORS.contains(&rule))
}

/// The rules of the library that are asked for, at their defaults, every one active.
fn compiled(wanted: impl Fn(&str) -> bool) -> String {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let mut pack = Pack::load(&sql).unwrap();
    pack.rules.retain(|rule| wanted(&rule.header.name));
    let mut settings = "time = \"event\"\n".to_owned();
    for rule in &pack.rules {
        writeln!(settings, "[rules.{}]\nstage = \"active\"", rule.header.name).unwrap();
    }
    compile(&pack, &Environment::parse(Path::new("test.toml"), &settings).unwrap()).unwrap().sql
}

fn generated(arguments: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
    assert!(weir.exists(), "{} is missing: run `make build` first", weir.display());
    let output =
        Command::new(weir).args(["generate", "--days", DAYS, "--sources", SOURCES]).args(arguments).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// What the library finds in these events.
fn anomalies(program: &str, events: &str) -> Vec<Value> {
    let options = PlanOptions { udfs: weir_udfs::udfs(), ..PlanOptions::default() };
    let program = plan(program, &options).unwrap_or_else(|e| panic!("{e}"));
    let found = MemorySink::new();
    let mut options = RunOptions::default();
    options.sources.insert("events_raw".into(), MemorySource::lines(events));
    options.sinks.insert("poison".into(), MemorySink::new());
    options.sinks.insert("anomalies".into(), found.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(weir_engine::run(&program, options, std::future::pending())).unwrap();
    found.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Which rule must find which fault.
const FINDS: [(&str, &str); 9] = [
    ("spike", "zscore"),
    ("spike", "robust_zscore"),
    ("level_shift", "level_shift"),
    ("level_shift", "seasonal_deviation"),
    ("drift", "ewma_drift"),
    ("flat_line", "flat_line"),
    ("gap", "no_data"),
    ("burst", "event_count"),
    ("burst", "event_rate"),
];

#[test]
fn every_fault_is_found_by_the_rule_that_is_named_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.json");
    let events = generated(&["--seed", "3", "--labels-out", labels.to_str().unwrap()]);
    let found = anomalies(&program(), &events);
    let labels: Vec<Value> = serde_json::from_slice(&fs::read(labels).unwrap()).unwrap();
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    for (kind, rule) in FINDS {
        for label in labels.iter().filter(|label| label["kind"] == kind) {
            let source = text(label, "source");
            let series = format!("{source}/{}", text(label, "metric"));
            // Both are RFC 3339 in UTC to the second at least: the first 19 characters compare as times do. An anomaly of a
            // window that begins within the fault and ends after it counts as well.
            let within = |anomaly: &Value| {
                let time = |value: &Value, name: &str| text(value, name).chars().take(19).collect::<String>();
                let begun = if anomaly["window_start"].is_null() { "timestamp" } else { "window_start" };
                time(label, "start") <= time(anomaly, "timestamp") && time(anomaly, begun) <= time(label, "end")
            };
            let hit = found.iter().any(|anomaly| {
                anomaly["rule"] == rule && [&source, &series].contains(&&text(anomaly, "key")) && within(anomaly)
            });
            assert!(hit, "{rule} does not find {label}");
        }
    }
}

#[test]
fn clean_data_raise_no_alarm() {
    let seeds = std::env::var("WEIR_CLEAN_SEEDS").ok().map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let program = program();
    let mut by_rule: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..=seeds {
        for anomaly in anomalies(&program, &generated(&["--clean", "--seed", &seed.to_string()])) {
            *by_rule.entry(anomaly["rule"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    println!("{seeds} seeds of {DAYS} days, {SOURCES} sources with 2 metrics: false alarms by rule {by_rule:?}");
    if seeds == SEEDS {
        // The figures are deterministic: a change is a change of a rule.
        assert!(by_rule.is_empty(), "{by_rule:?}");
    }
}

/// The words of a section (`## NAME`) of a page.
fn words(page: &str, name: &str) -> usize {
    let section = page.split("\n## ").find_map(|section| section.strip_prefix(name)?.strip_prefix('\n'));
    section.map_or(0, |text| text.split_whitespace().count())
}

#[test]
fn each_rule_has_an_owner_a_runbook_tests_and_a_paragraph_on_when_to_use_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = |name: &str| fs::read_to_string(root.join("docs").join(name)).unwrap();
    let (library, runbooks) = (page("library.md"), page("runbooks.md"));
    let pack = Pack::load(&root.join("sql")).unwrap();
    assert!(pack.rules.len() >= 14, "{}", pack.rules.len());
    for rule in &pack.rules {
        let name = rule.header.name.as_str();
        assert!(!rule.header.owner.trim().is_empty(), "{name}");
        assert_eq!(rule.header.runbook, format!("docs/runbooks.md#{name}"));
        assert!(words(&runbooks, name) >= 30, "docs/runbooks.md says too little of {name}");
        assert!(words(&library, name) >= 40, "docs/library.md says too little of {name}");
        let file = root.join("sql/tests").join(format!("{name}.toml"));
        let tests = TestFile::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
        let silent = tests.cases.iter().filter(|case| case.expect.is_empty()).count();
        assert!(silent > 0 && silent < tests.cases.len(), "{}", file.display());
    }
}

/// The rules of the table in docs/library.md.
const TRIED: [&str; 18] = [
    "cardinality_jump",
    "correlation_break",
    "error_burst",
    "event_count",
    "event_rate",
    "ewma_drift",
    "flat_line",
    "latency_percentile",
    "level_shift",
    "new_source",
    "no_data",
    "peer_outlier",
    "rate_of_change",
    "records",
    "robust_zscore",
    "seasonal_deviation",
    "static_threshold",
    "zscore",
];

/// The table of what each disturbance of ordinary series makes each of these rules say, and what they say of other readings.
fn wild_table(wanted: impl Fn(&str) -> bool) -> (String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pack = Pack::load(&root.join("sql")).unwrap();
    let rules: Vec<String> = pack.rules.iter().map(|r| r.header.name.clone()).filter(|name| wanted(name)).collect();
    let program = compiled(wanted);
    let usual = wild::found(&anomalies(&program, &wild::events(None).0));
    let column = |(name, disturbance)| {
        let (events, when) = wild::events(Some(disturbance));
        (name, wild::compare(&usual, &wild::found(&anomalies(&program, &events)), &when, disturbance))
    };
    let (left, right) = wild::DISTURBANCES.split_at(wild::DISTURBANCES.len() / 2);
    let columns: Vec<_> = std::thread::scope(|threads| {
        let right = threads.spawn(|| right.iter().copied().map(column).collect::<Vec<_>>());
        let mut columns: Vec<_> = left.iter().copied().map(column).collect();
        columns.extend(right.join().unwrap());
        columns
    });
    // A gap and a burst change what the hours after them are compared with: docs/library.md says so.
    (wild::table(&rules, &columns), wild::others(&columns[..wild::ONE_READING]))
}

fn check_wild_table(wanted: impl Fn(&str) -> bool) {
    let (table, others) = wild_table(wanted);
    println!("{table}\n{others}");
    assert!(others.is_empty(), "rules speak of readings that are as ever:\n{others}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/library.md");
    assert!(fs::read_to_string(page).unwrap().contains(&table), "docs/library.md has another table than:\n{table}");
}

/// `WEIR_WILD_RULES` names the rules that are tried, separated by commas, while one is mended: then the table is printed and
/// compared with nothing.
#[test]
fn a_wild_reading_is_spoken_of_and_no_other() {
    match std::env::var("WEIR_WILD_RULES").ok() {
        Some(rules) => {
            let (table, others) = wild_table(|rule| rules.split(',').any(|name| name == rule));
            println!("{table}\n{others}");
        }
        None => check_wild_table(|rule| TRIED.contains(&rule)),
    }
}

/// `adaptive` rebuilds 1,000 readings for each reading: more than two minutes of CPU.
#[test]
fn adaptive_speaks_of_a_wild_reading_and_of_no_other() {
    if std::env::var_os("WEIR_TEST_ALL").is_none() {
        println!("skipped: adaptive on wild readings takes minutes; make test-all runs it");
        return;
    }
    check_wild_table(|rule| rule == "adaptive");
}
