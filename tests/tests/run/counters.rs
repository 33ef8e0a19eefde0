//! What a run counts, says and shows.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::*;

/// Three rules over one file: a filter and two windows.
const COUNTED: &str = "
CREATE TABLE events (t TIMESTAMP, k TEXT, v DOUBLE)
WITH (connector = 'single_file', path = 'events.jsonl', type = 'source', format = 'json', bad_data = 'drop', event_time_field = 't');
CREATE TABLE found (k TEXT, v DOUBLE) WITH (connector = 'single_file', path = 'found.jsonl', type = 'sink', format = 'json');
-- rule high (high.sql), version 1
INSERT INTO found SELECT k, v FROM events WHERE v > 5;
-- rule sums (sums.sql), version 1
INSERT INTO found SELECT k, s FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM events GROUP BY 1, 2);
INSERT INTO found SELECT 'a', s FROM (SELECT tumble(INTERVAL '1 minute') AS w, sum(v) AS s FROM events WHERE k = 'a' GROUP BY 1);
";

/// Two late rows (one by 20 s, one by 70 s), one poison record, one row without a time.
const EVENTS: &str = r#"{"t":"2026-01-01T00:00:05Z","k":"a","v":1}
{"t":"2026-01-01T00:00:35Z","k":"b","v":9}
{"t":"2026-01-01T00:00:06Z","k":"a","v":2}
{"t":
{"k":"a","v":7}
{"t":"2026-01-01T00:02:00Z","k":"a","v":3}
{"t":"2026-01-01T00:00:50Z","k":"a","v":8}
"#;

#[test]
fn late_rows_poison_and_rows_without_time_are_counted_by_source_and_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let output = run(folder.path(), COUNTED, &["--json", "--stats", "stats.json"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));

    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let source = &report["sources"][0];
    let counts = |of: &Value| ["late", "poison", "without_time"].map(|key| of[key].as_u64().unwrap());
    assert_eq!((source["records"].as_u64(), counts(source)), (Some(7), [2, 1, 1]), "{report}");
    let rules: Vec<_> = report["rules"].as_array().unwrap().iter().collect();
    let named: Vec<_> = rules.iter().map(|r| (r["name"].as_str().unwrap(), r["rows"].as_u64().unwrap())).collect();
    assert_eq!(named, [("high", 3), ("sums", 3), ("found:9", 2)], "{report}");
    assert_eq!(counts(rules[0]), [0, 1, 0], "a filter drops nothing: {report}");
    assert_eq!(counts(rules[1]), [2, 1, 1], "{report}");
    assert_eq!(counts(rules[2]), [1, 1, 1], "the minute of the first late row was open: {report}");
    let kept: Value = serde_json::from_slice(&fs::read(folder.path().join("stats.json")).unwrap()).unwrap();
    assert_eq!(kept, report, "what --stats keeps at the end");

    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "read events: 7 records, 2 late, 1 poison, 1 without a usable time, 0 from the future
rule high: 3 rows, 0 late, 1 poison, 0 without a usable time
rule sums: 3 rows, 2 late, 1 poison, 1 without a usable time
rule found:9: 2 rows, 1 late, 1 poison, 1 without a usable time
wrote found: 8 rows
";
    assert_eq!(stderr, expected);
}

#[test]
fn a_row_that_cannot_be_computed_costs_its_rule_that_row_and_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let sql = format!(
        "{COUNTED}-- rule words\nINSERT INTO found SELECT k, CAST(k AS DOUBLE) AS v FROM events WHERE v > 2;\n"
    );
    let output = run(folder.path(), &sql, &["--json"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count =
        |key: &str| report["rules"].as_array().unwrap().iter().map(|r| r[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((count("rows"), count("rule_errors")), (vec![3, 3, 2, 0], vec![0, 0, 0, 4]), "{report}");
    assert!(report["rules"][3]["rule_error"].as_str().unwrap().contains("'b'"), "{report}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("rows are left out of a rule").count(), 1, "{stderr}");
    assert!(stderr.contains("rule=\"words\"") && stderr.contains("4 rule_errors"), "{stderr}");
}

/// A rule of a program that is not a pack's: as on Arroyo, but said.
#[test]
fn text_that_is_compared_with_a_number_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let sql = COUNTED.replace("v > 5", "k > 5");
    let output = run(folder.path(), &sql, &[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let warning = "program.sql:6:49: text is compared with a number\n  hint: as text, 9 is more than 20; write TRY_CAST(k AS DOUBLE)";
    assert!(stderr.starts_with("warning: ") && stderr.contains(warning), "{stderr}");
}

#[test]
fn a_run_that_fails_says_what_it_counted_and_every_line_of_a_json_log_is_an_object() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let failing = COUNTED.replace("'drop'", "'fail'");
    let output = run(folder.path(), &failing, &["--log-format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let lines: Vec<Value> =
        String::from_utf8(output.stderr).unwrap().lines().map(|l| serde_json::from_str(l).expect(l)).collect();
    for line in &lines {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    let [ended, failed] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&ended["level"], &ended["message"]), (&"INFO".into(), &"the run has ended".into()));
    assert_eq!(ended["report"]["rules"][1]["name"], "sums");
    assert_eq!(failed["level"], "ERROR");
    assert!(failed["message"].as_str().unwrap().starts_with("table events: a record cannot be decoded: "), "{failed}");
}

/// Answers of the metrics' port.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of a metric.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn metrics_are_served_on_loopback_and_sigterm_ends_the_run_well() {
    let folder = tempfile::tempdir().unwrap();
    for threads in ["1", "2"] {
        let mut running =
            Running::start(run(folder.path(), COUNTING, &["--metrics-port", "0", "--parallelism", threads]));
        let said = running.line();
        let address =
            said.strip_prefix("metrics are at http://").and_then(|a| a.strip_suffix("/metrics")).expect(&said);
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let rows = "weir_rule_rows_total{rule=\"windows\",sink=\"seen\"}";
        let text = until("rows are counted", || {
            Some(get(address, "/metrics")).filter(|text| metric(text, rows).is_some_and(|n| n > 2.0))
        });
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
        assert!(text.contains("# TYPE weir_source_records_total counter\n"), "{text}");
        assert!(metric(&text, "weir_source_records_total{source=\"ticks\"}") > Some(200.0), "{text}");
        assert!(metric(&text, "weir_source_watermark_seconds{source=\"ticks\"}") > Some(1.7e9), "{text}");
        assert!(get(address, "/").starts_with("HTTP/1.1 404"), "only /metrics is there");
        running.signal(Signal::SIGTERM);
        let (status, rest) = running.end();
        assert_eq!(status.code(), Some(0), "{rest}");
        assert!(rest.starts_with("read ticks: "), "{rest}");
    }
}

#[test]
fn a_metrics_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(folder.path(), COUNTING, &["--metrics-port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("error: port {port} is in use: ")), "{}", said(&output));
}
