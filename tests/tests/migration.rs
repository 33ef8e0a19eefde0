//! The rules and settings of docs/migration.md, as the page has them: compiled, planned, and run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan};
use weir_rules::{Environment, Pack, Rule, compile};
use weir_tests::repo;

/// The blocks of a language on the page.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(repo().join("docs/migration.md")).unwrap();
    let fence = format!("\n```{language}\n");
    let opened = page.split(&fence).skip(1);
    opened.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// The page's rules, in place of the library's.
fn pack() -> Pack {
    let library = Pack::load(&repo().join("sql")).unwrap();
    let parse = |text: String| {
        let name = text.split('"').nth(1).unwrap();
        Rule::parse(Path::new(&format!("{name}.sql")), &text).unwrap_or_else(|e| panic!("{e}"))
    };
    Pack { rules: blocks("sql").into_iter().map(parse).collect(), ..library }
}

/// The rules that find something in these events.
fn finding(events: &[Value]) -> BTreeSet<String> {
    let settings = Environment::parse(Path::new("test.toml"), "time = \"event\"").unwrap();
    let program = compile(&pack(), &settings).unwrap().sql;
    let program = plan(&program, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let found = MemorySink::new();
    let mut options = RunOptions::default();
    options.sources.insert("events_raw".into(), MemorySource::lines(&lines.join("\n")));
    options.sinks.insert("poison".into(), MemorySink::new());
    options.sinks.insert("anomalies".into(), found.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(weir_engine::run(&program, options, std::future::pending())).unwrap();
    let rule = |line: &String| serde_json::from_str::<Value>(line).unwrap()["rule"].as_str().unwrap().to_owned();
    found.lines().iter().map(rule).collect()
}

/// 2026-01-01, in milliseconds.
const START: i64 = 1_767_225_600_000;

fn event(second: i64, metric: &str, value: f64) -> Value {
    json!({ "timestamp": START + second * 1000, "value": value, "source": "pump-1", "metric": metric })
}

#[test]
fn each_rule_finds_its_trouble_and_nothing_else() {
    let calm: Vec<Value> = (0..65).map(|n| event(n * 30, "temperature", 10.0)).collect();
    assert_eq!(finding(&calm), BTreeSet::new());
    let mut troubled = calm;
    troubled.extend((0..20).map(|n| event(1950 + n * 30, "temperature", 95.0)));
    troubled.extend((0..150).map(|n| event(3000 + n / 10, "error", 1.0)));
    let expected = ["above_moving_mean", "mean_above", "too_many_errors", "wide_spread"];
    assert_eq!(finding(&troubled), expected.map(str::to_owned).into());
}

#[test]
fn the_settings_switch_on_what_they_name() {
    let settings = blocks("toml");
    let [settings] = &settings[..] else { panic!("{settings:?}") };
    let environment = Environment::parse(Path::new("dev.toml"), settings).unwrap_or_else(|e| panic!("{e}"));
    let library = Pack::load(&repo().join("sql")).unwrap();
    let rules = |environment: &Environment| -> Vec<String> {
        compile(&library, environment).unwrap().rules.iter().map(|rule| rule.name.clone()).collect()
    };
    assert!(!rules(&Environment::default()).contains(&"records".to_owned()));
    let on: BTreeSet<String> = rules(&environment).into_iter().collect();
    for rule in ["records", "random_cut_forest", "random_cut_forest_with_explanation"] {
        assert!(on.contains(rule), "{on:?}");
    }
    // The functions in Rust are not in this crate; the rules' own tests run them.
    let mut library = library;
    library.rules.retain(|rule| !rule.header.tags.iter().any(|tag| tag == "udf"));
    let environment = Environment::parse(Path::new("dev.toml"), "[rules.records]\nstage = \"shadow\"").unwrap();
    let program = compile(&library, &environment).unwrap();
    assert!(program.rules.iter().any(|rule| rule.name == "records"));
    plan(&program.sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"));
}
