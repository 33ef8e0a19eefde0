//! The example streams as projects, with the real binary: check, tests, and a backtest that finds the one fault of the records and
//! nothing else.

use std::{collections::BTreeSet, fs, path::Path, process::Output};

use serde_json::Value;
use weir_tests::{repo, weir};

/// Each example: the key of its fault, and the reason of the record that is refused, if one is.
const EXAMPLES: [(&str, &str, &[&str]); 18] = [
    ("apache_log", "httpd", &["bad_time:time"]),
    ("climate", "cellar", &["bad_field:temperature"]),
    ("cloudtrail_sign_in", "mallory", &[]),
    ("dynamodb_changes", "north", &[]),
    ("firelens", "api", &[]),
    ("github_webhooks", "workflows", &[]),
    ("guardduty", "i-00000000000000002", &[]),
    ("heart_rate", "HIGH", &[]),
    ("meter_batches", "m-1", &[]),
    ("metric_stream", "i-00000000000000002", &[]),
    ("nginx_json", "nginx", &[]),
    ("otlp_metrics", "web-2", &[]),
    ("snowplow", "clicker", &[]),
    ("stock_ticker", "MSFT", &[]),
    ("stripe_events", "charge.failed", &[]),
    ("taxi_trips", "237", &[]),
    ("vpc_flow_logs", "198.51.100.77", &[]),
    ("wikimedia_changes", "VandalBot", &[]),
];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    weir(arguments).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}: weir {arguments:?}\n{}{}",
        folder.display(),
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A file of records, or a folder of one record a file.
fn records(folder: &Path) -> String {
    let mut found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = found.find(|path| path.file_stem().is_some_and(|stem| stem == "records")).unwrap();
    found.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_example_is_a_project_whose_rule_finds_the_fault_and_nothing_else() {
    let folder = repo().join("examples/streams");
    let there = fs::read_dir(&folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(there, EXAMPLES.len(), "each example is tried");
    for (name, key, refused) in EXAMPLES {
        let project = folder.join(name);
        good(&project, &["check", "--deny", "warnings"]);
        good(&project, &["test"]);
        let input = records(&project);
        let out = tempfile::NamedTempFile::new().unwrap();
        let path = out.path().display().to_string();
        let mut arguments = vec!["backtest", "--input", &input, "--as", name, "--json", "--out", &path];
        if name == "heart_rate" {
            arguments.extend(["--every", "1s"]);
        }
        let report: Value = serde_json::from_str(&good(&project, &arguments)).unwrap();
        let anomalies = fs::read_to_string(out.path()).unwrap();
        let found: Vec<Value> = anomalies.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let keys: BTreeSet<&str> = found.iter().map(|anomaly| anomaly["key"].as_str().unwrap()).collect();
        assert_eq!(keys, [key].into(), "{name}: {anomalies}");
        // The cellar says twice how it is.
        assert_eq!(found.len(), if name == "climate" { 2 } else { 1 }, "{name}: {anomalies}");
        let reasons: Vec<&String> = report["history"]["skipped_by_reason"].as_object().unwrap().keys().collect();
        assert_eq!(reasons, refused, "{name}");
    }
}

#[test]
fn a_backtest_of_what_is_mostly_poison_fails_and_says_what_to_do() {
    let climate = repo().join("examples/streams/climate");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.jsonl").display().to_string();
    let good_one = "{\"device\":\"a\",\"last_seen\":\"2026-01-01T00:00:00Z\",\"temperature\":1}\n";
    fs::write(&file, format!("{good_one}{}", "{\"device\":\"a\",\"last_seen\":1767225600}\n".repeat(2))).unwrap();
    let output = run(&climate, &["backtest", "--input", &file, "--as", "climate"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2 of 3 records are refused by the stream `climate`"), "{said}");
    assert!(said.contains("the first bad_time:last_seen: ") && said.contains("records.jsonl:2"), "{said}");

    // Whoever leaves `--as` out is told of it.
    let output = run(&climate, &["backtest", "--input", &file]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--as climate reads records of the stream `climate`"), "{said}");

    for (arguments, says) in [
        (vec!["--as", "climte"], "did you mean `climate`?"),
        (vec!["--as", "climate", "--value", "x"], "leave out --timestamp"),
        (vec!["--as", "climate", "--every", "1s"], "say when they were"),
        (vec!["--every", "1s"], "--as names one"),
    ] {
        let arguments = [vec!["backtest", "--input", file.as_str()], arguments].concat();
        let output = run(&climate, &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn a_stream_by_arrival_needs_to_be_told_when_records_of_a_file_arrive() {
    let heart = repo().join("examples/streams/heart_rate");
    let output = run(&heart, &["backtest", "--input", "records.jsonl", "--as", "heart_rate"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("goes by arrival") && said.contains("--every 1s"), "{said}");
}

#[test]
fn a_backtest_compares_with_a_folder_of_rules_and_says_when_that_lacks_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let climate = repo().join("examples/streams/climate");
    let options = ["backtest", "--input", "records.jsonl", "--as", "climate"];
    let compare = |with: &Path| {
        let with = with.display().to_string();
        let arguments = [options.as_slice(), &["--compare", &with]].concat();
        let output = run(&climate, &arguments);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    // A folder needs no tables.sql.
    let same = climate.join("sql");
    assert!(!same.join("tables.sql").exists());
    let (success, said) = compare(&same);
    assert!(success && said.contains("against"), "{said}");

    let older = folder.path().join("sql");
    fs::create_dir_all(older.join("rules")).unwrap();
    let body = "SELECT series AS key, event_time, value, 0.5 AS score FROM events WHERE value > 1.0";
    let header =
        "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n";
    fs::write(older.join("rules/high.sql"), format!("{header}\n{body}\n")).unwrap();
    let (success, said) = compare(&older);
    assert!(!success && said.contains("do not know the stream `climate`"), "{said}");
    assert!(said.contains("hint: leave out --compare"), "{said}");

    // With the stream, and no rule on it, all rules are new.
    fs::create_dir_all(older.join("streams")).unwrap();
    fs::copy(climate.join("sql/streams/climate.toml"), older.join("streams/climate.toml")).unwrap();
    let (success, said) = compare(&older);
    assert!(success && said.contains("(new)") && !said.contains("high"), "{said}");
    let (success, said) = compare(folder.path());
    assert!(!success && said.contains("is neither a folder with rules nor a git revision"), "{said}");
}

#[test]
fn an_anomaly_of_a_declared_stream_is_explained_from_its_raw_records() {
    for (name, field) in [("climate", "cellar/temperature"), ("vpc_flow_logs", "198.51.100.77"), ("heart_rate", "HIGH")]
    {
        let project = repo().join("examples/streams").join(name);
        let input = records(&project);
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("anomalies.jsonl").display().to_string();
        let mut arguments = vec!["backtest", "--input", &input, "--as", name, "--out", &out];
        if name == "heart_rate" {
            arguments.extend(["--every", "1s"]);
        }
        good(&project, &arguments);
        let text = fs::read_to_string(&out).unwrap();
        let anomaly: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let id = anomaly["id"].as_str().unwrap();
        let said = good(&project, &["explain", id, "--from", &out, "--input", &input]);
        assert!(said.contains("computed again: the same anomaly"), "{name}: {said}");
        assert!(said.contains(field) && !said.contains(": 0\n"), "{name}: {said}");
        let output = run(&project, &["explain", id, "--from", &out, "--input", &input, "--value", "x"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("events: not to be had any more (the rule's records are read as"), "{name}: {said}");
    }
}
