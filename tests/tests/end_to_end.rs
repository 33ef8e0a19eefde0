//! The whole path with the real binaries: emulator, Terraform, engine, alerter. Each test brings up a stack of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
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

/// A stack that `weir up` started; dropping it ends it.
struct Stack(&'static str);

impl Stack {
    fn up(name: &'static str, port: &str) -> Self {
        let stack = Self(name);
        let output = weir(&["up", "--stack", name, "--port", port]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        stack
    }

    /// What a command prints that talks to this stack.
    fn weir(&self, arguments: &[&str]) -> String {
        let output = weir(arguments).args(["--stack", self.0]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The first line with a word in it that a following command prints.
    fn weir_until(&self, arguments: &[&str], word: &str) -> String {
        let mut child = weir(arguments).args(["--stack", self.0]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let found = lines.map_while(Result::ok).find(|line| line.contains(word));
        child.kill().unwrap();
        child.wait().unwrap();
        found.unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = weir(&["down", "--stack", self.0]).output();
    }
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
    let injected =
        |kind: &str| report["injected"].as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap().clone();
    assert_eq!(injected("spike")["found"], injected("spike")["of"]);
    assert_eq!(injected("level shift")["found"], injected("level shift")["of"]);
    assert_eq!((&report["poison"], &report["quarantined"]), (&json!(4), &json!(4)));
    assert!(report["put_to_alert"]["p99"].as_i64() > Some(0), "{report}");
}

#[test]
fn poison_on_either_stream_ends_in_quarantine_and_can_be_sent_again() {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let stack = Stack::up("e2e-poison", &port);
    let large = "x".repeat(900_000);
    let event = r#"{"timestamp":"2026-01-01T00:00:00Z","value":99,"source":"pump-1","metric":"temperature"}"#;
    let put = |to: &str, lines: &[&[u8]]| {
        let file = folder.path().join("records");
        fs::write(&file, lines.join(&b'\n')).unwrap();
        stack.weir(&["put", file.to_str().unwrap(), "--stream", to]);
    };
    put("weir-e2e-poison-events", &[b"{\"value\":1", b"\xff\xfe", large.as_bytes(), event.as_bytes()]);
    put("weir-e2e-poison-anomalies", &[b"no anomaly", b"{\"id\":7}"]);

    // Each look shows all that has arrived, so the last one counts.
    let mut found = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while found.len() < 5 && Instant::now() < deadline {
        found.clear();
        for line in stack.weir(&["quarantine"]).lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["whole"], true, "{record}");
            let text = record["text"].as_str().map_or_else(|| record["base64"].to_string(), str::to_owned);
            found.insert((
                record["stream"].as_str().unwrap().to_owned(),
                record["reason"].as_str().unwrap().to_owned(),
                text,
            ));
        }
    }
    let expected = [
        ("weir-e2e-poison-events", "not_json", "{\"value\":1"),
        ("weir-e2e-poison-events", "not_utf8", "\"//4\""),
        ("weir-e2e-poison-events", "not_json", large.as_str()),
        ("weir-e2e-poison-anomalies", "not_json", "no anomaly"),
        ("weir-e2e-poison-anomalies", "invalid_field", "{\"id\":7}"),
    ];
    assert_eq!(
        found,
        expected.map(|(stream, reason, text)| (stream.to_owned(), reason.to_owned(), text.to_owned())).into()
    );
    let anomalies = stack.weir_until(&["tail", "--oldest", "--json"], "static_threshold");
    assert!(anomalies.contains("\"key\":\"pump-1/temperature\""), "the event among the poison arrived: {anomalies}");
    let found: Value = serde_json::from_str(&anomalies).unwrap();
    what_a_stack_keeps_can_be_replayed_and_explained(&stack, &port, found["id"].as_str().unwrap());
    drop(stack);
    assert_clean("e2e-poison", &port);
}

/// The stream's one event (its poison is told and left out), the same in S3, and the anomaly in the table.
fn what_a_stack_keeps_can_be_replayed_and_explained(stack: &Stack, port: &str, id: &str) {
    for object in ["/history", "/history/2026/pump-1.csv"] {
        let body = "timestamp,metric,value\n2026-01-01T00:00:00Z,temperature,99\n";
        let mut s3 = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        let length = if object == "/history" { 0 } else { body.len() };
        write!(
            s3,
            "PUT {object} HTTP/1.1\r\nhost: s3.localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )
        .unwrap();
        s3.write_all(&body.as_bytes()[..length]).unwrap();
        let mut answer = String::new();
        s3.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{object}: {answer}");
    }
    for (input, skipped) in [("kinesis://weir-e2e-poison-events", 3), ("s3://history/2026", 0)] {
        let backtest = ["backtest", "--rules", "static_threshold", "--json", "--stack", stack.0, "--input", input];
        let output = weir(&backtest).output().unwrap();
        // A history in which most records are no events says nothing about rules: the report comes, and the exit code tells.
        assert_eq!(output.status.code(), Some(i32::from(skipped > 1)), "{}", said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["history"]["events"], &report["history"]["skipped"]),
            (&json!(1), &json!(skipped)),
            "{report}"
        );
        assert_eq!(report["rules"][0]["anomalies"], 1, "{report}");
    }

    // The stream has it a moment before the table does.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !weir(&["show", id, "--stack", stack.0]).output().unwrap().status.success() {
        assert!(Instant::now() < deadline, "the anomaly {id} is not stored");
        std::thread::sleep(Duration::from_millis(200));
    }
    for input in [&[][..], &["--input", "s3://history/2026/pump-1.csv"]] {
        let explained = stack.weir(&[&["explain", id][..], input].concat());
        for line in
            ["${high} = 90.0", "2026-01-01T00:00:00Z  pump-1/temperature  99", "computed again: the same anomaly"]
        {
            assert!(explained.contains(line), "{line}: {explained}");
        }
    }
}

#[test]
fn an_interrupted_demo_cleans_up() {
    let port = free_port();
    let mut demo = weir(&["demo", "--stack", "e2e-int", "--port", &port]).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    // A connection, as binding the port would take it from the emulator.
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        assert!(Instant::now() < deadline, "the emulator did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let interrupt = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert_clean("e2e-int", &port);
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
    let output = weir(&["demo", "--stack", "e2e-bad", "--port", &free_port(), "--data", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("readings.csv:3: `one` is no finite number\n  hint: "), "{}", said(&output));
    assert!(!repo().join(".weir/e2e-bad").exists(), "a stack's folder was made");
}
