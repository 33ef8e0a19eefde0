//! The whole path with the real binaries: emulator, Terraform, engine, alerter. Each test brings up a stack of its own.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan};
use weir_rules::{Environment, Pack, compile};

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The command as `make build` leaves it, next to this test's own binary.
fn weir(arguments: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
    assert!(weir.exists(), "{} is missing: run `make build` first", weir.display());
    let mut command = Command::new(weir);
    command.args(arguments).current_dir(repo());
    command
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Nothing that the command started may be left.
fn assert_clean(stack: &str, port: &str) {
    assert!(!repo().join(format!(".weir/{stack}/processes.json")).exists(), "the stack's processes are still recorded");
    TcpListener::bind(format!("127.0.0.1:{port}")).expect("the emulator still listens");
}

/// The ids that the rules find when the same events are read from memory, with nothing that can fail.
fn ids_in_memory() -> BTreeSet<String> {
    let sql = repo().join("sql");
    let file = sql.join("environments/local.toml");
    let environment = Environment::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
    let program = compile(&Pack::load(&sql).unwrap(), &environment).unwrap();
    let program = plan(&program.sql, &PlanOptions::default()).unwrap();
    let generated = weir(&["generate"]).output().unwrap();
    assert!(generated.status.success(), "{}", said(&generated));
    let events = String::from_utf8(generated.stdout).unwrap();
    let found = MemorySink::new();
    let mut options = RunOptions::default();
    options.sources.insert("events_raw".into(), MemorySource::lines(&events));
    options.sinks.insert("poison".into(), MemorySink::new());
    options.sinks.insert("anomalies".into(), found.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(weir_engine::run(&program, options, std::future::pending())).unwrap();
    let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    found.lines().iter().map(id).collect()
}

#[test]
fn no_anomaly_is_missing_and_none_is_stored_twice_though_the_engine_is_killed() {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let report = folder.path().join("report.json");
    let arguments = ["demo", "--stack", "e2e", "--port", &port, "--kill-engine", "--json", report.to_str().unwrap()];
    let output = weir(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_clean("e2e", &port);

    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let stored: BTreeSet<String> = serde_json::from_value(report["stored_ids"].clone()).unwrap();
    assert_eq!(stored, ids_in_memory(), "what is stored against what the rules find without any fault");
    for rule in ["static_threshold", "event_rate", "zscore", "level_shift"] {
        let row = report["rules"].as_array().unwrap().iter().find(|row| row["rule"] == rule).expect(rule);
        assert_eq!(row["anomalies"], row["stored"], "{row}");
        assert!(row["alerts"].as_u64() > Some(0), "{row}");
    }
    let injected = |kind: &str| report["injected"].as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap().clone();
    assert_eq!(injected("spike")["found"], injected("spike")["of"]);
    assert_eq!(injected("level shift")["found"], injected("level shift")["of"]);
    assert_eq!((&report["poison"], &report["quarantined"]), (&json!(4), &json!(4)));
    assert!(report["put_to_alert"]["p99"].as_i64() > Some(0), "{report}");
}

#[test]
fn a_step_that_fails_is_named_and_leaves_nothing_running() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = weir(&["demo", "--stack", "e2e-busy", "--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("error: port {port} is in use\n  hint: ")), "{}", said(&output));
}

#[test]
fn a_bad_line_in_the_data_is_named_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.csv");
    fs::write(&file, "timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:05:00,one\n").unwrap();
    let output = weir(&["demo", "--stack", "e2e-bad", "--port", &free_port(), "--data", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("readings.csv:3: `one` is no finite number\n  hint: "), "{}", said(&output));
    assert!(!repo().join(".weir/e2e-bad").exists(), "a stack's folder was made");
}
