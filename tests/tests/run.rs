//! `weir run` with the real binary: what it counts and shows, how it stops, and where it keeps its state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// A busy machine is slow; nothing here takes more than a second on an idle one.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// `weir run` on a program, as `make build` leaves the command next to this test's own binary.
fn run(folder: &Path, sql: &str, arguments: &[&str]) -> Command {
    let program = folder.join("program.sql");
    fs::write(&program, sql).unwrap();
    let test = std::env::current_exe().unwrap();
    let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
    assert!(weir.exists(), "{} is missing: run `make build` first", weir.display());
    let mut command = Command::new(weir);
    command.arg("run").arg(program).args(arguments).current_dir(folder).env_remove("WEIR_LOG");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// A run in the background; dropping it kills it.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// The next line on standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// How it ended, and what else it said.
    fn end(mut self) -> (ExitStatus, String) {
        let status = until("the run ends", || self.child.try_wait().unwrap());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

/// Counts for ever, into a file.
const COUNTING: &str = "
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '2000', event_time_interval = '1000000');
CREATE TABLE seen (lo BIGINT, hi BIGINT, c BIGINT) WITH (connector = 'single_file', path = 'seen.jsonl', type = 'sink', format = 'json');
-- rule windows
INSERT INTO seen SELECT lo, hi, c FROM (
  SELECT tumble(INTERVAL '100 milliseconds') AS w, min(CAST(counter AS BIGINT)) AS lo, max(CAST(counter AS BIGINT)) AS hi, count(*) AS c
  FROM ticks GROUP BY 1);
";

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

/// What the runs wrote, each row once, in order: no count may be missing, and no two rows may tell of the same one.
fn assert_nothing_lost(file: &Path) -> i64 {
    let text = fs::read_to_string(file).unwrap();
    // The last line of a killed run may be cut off: the next run goes on behind it.
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut rows: Vec<[i64; 3]> = rows.map(|r| ["lo", "hi", "c"].map(|key| r[key].as_i64().unwrap())).collect();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.first().map(|r| r[0]), Some(0), "{rows:?}");
    for pair in rows.windows(2) {
        assert_eq!(pair[0][1] + 1, pair[1][0], "between {:?} and {:?}", pair[0], pair[1]);
    }
    assert!(rows.iter().all(|[lo, hi, c]| hi - lo + 1 == *c), "{rows:?}");
    rows.last().unwrap()[1]
}

fn stat(folder: &Path, key: &str) -> Option<u64> {
    let report: Value = serde_json::from_slice(&fs::read(folder.join("stats.json")).ok()?).ok()?;
    report[key].as_u64()
}

#[test]
fn sigterm_writes_a_last_checkpoint_and_the_next_run_goes_on_there_without_repeating_a_row() {
    let folder = tempfile::tempdir().unwrap();
    // No checkpoint but the last one.
    let arguments = ["--state", "state", "--checkpoint-interval-millis", "3600000"];
    let seen = folder.path().join("seen.jsonl");
    let lines = || fs::read_to_string(&seen).unwrap_or_default().lines().count();
    for round in 1..=2 {
        let before = lines();
        let running = Running::start(run(folder.path(), COUNTING, &arguments));
        until("windows are written", || (lines() > before + 3).then_some(()));
        running.signal(Signal::SIGTERM);
        let (status, rest) = running.end();
        assert_eq!(status.code(), Some(0), "{rest}");
        assert!(folder.path().join("state/checkpoint").exists(), "round {round}");
    }
    assert_nothing_lost(&seen);
    let text = fs::read_to_string(&seen).unwrap();
    let mut rows: Vec<&str> = text.lines().collect();
    let all = rows.len();
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), all, "a row was repeated");
}

/// Counts for ever, into a stream.
const COUNTING_TO_A_STREAM: &str = "
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '500', event_time_interval = '1000000');
CREATE TABLE seen (c BIGINT) WITH (connector = 'kinesis', stream_name = 'seen', type = 'sink', format = 'json');
INSERT INTO seen SELECT CAST(counter AS BIGINT) AS c FROM ticks;
";

/// A run whose stream is at an address.
fn to_a_stream(folder: &Path, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = run(folder, COUNTING_TO_A_STREAM, arguments);
    let keys = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    command.env("AWS_ENDPOINT_URL", endpoint).envs(keys);
    command
}

/// The counts on a stream of one shard, each once, in order.
fn counts_on(emulator: &weir_tests::Emulator, stream: &str) -> Vec<i64> {
    let shard = serde_json::json!({"StreamName": stream, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = emulator.kinesis("GetShardIterator", &shard).unwrap()["ShardIterator"].clone();
    let mut counts = Vec::new();
    loop {
        let answer = emulator.kinesis("GetRecords", &serde_json::json!({"ShardIterator": iterator})).unwrap();
        for record in answer["Records"].as_array().unwrap() {
            let row = weir_anomaly::base64_bytes(record["Data"].as_str().unwrap()).unwrap();
            counts.push(serde_json::from_slice::<Value>(&row).unwrap()["c"].as_i64().unwrap());
        }
        if answer["MillisBehindLatest"] == 0 {
            counts.sort_unstable();
            counts.dedup();
            return counts;
        }
        iterator = answer["NextShardIterator"].clone();
    }
}

#[test]
fn a_run_whose_sink_is_down_ends_in_time_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = weir_tests::Emulator::start(&folder.path().join("emulator")).unwrap();
    emulator.kinesis("CreateStream", &serde_json::json!({"StreamName": "seen", "ShardCount": 1})).unwrap();
    let arguments = ["--state", "state", "--checkpoint-interval-millis", "100", "--stats", "stats.json"];
    let healthy = || {
        let _ = fs::remove_file(folder.path().join("stats.json"));
        let running = Running::start(to_a_stream(folder.path(), &emulator.endpoint(), &arguments));
        until("checkpoints are written", || stat(folder.path(), "checkpoints").filter(|n| *n >= 3));
        running.signal(Signal::SIGTERM);
        let (status, rest) = running.end();
        assert_eq!(status.code(), Some(0), "{rest}");
    };
    until("the stream is there", || emulator.kinesis("ListShards", &serde_json::json!({"StreamName": "seen"})).ok());
    healthy();
    let checkpoint = || fs::read(folder.path().join("state/checkpoint")).unwrap();
    let before = checkpoint();

    // One endpoint takes connections and never answers, one refuses them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, limit) in [(silent.local_addr().unwrap(), 3), (refusing, 1), (silent.local_addr().unwrap(), 0)] {
        let within = limit.to_string();
        let arguments = [&arguments[..], &["--stop-within", &within]].concat();
        let _ = fs::remove_file(folder.path().join("stats.json"));
        let running = Running::start(to_a_stream(folder.path(), &format!("http://{address}"), &arguments));
        // The source goes on until every queue between it and the sink is full: nothing takes what it hands on then.
        let mut read = (0, Instant::now());
        until("the queues are full", || {
            let report = fs::read(folder.path().join("stats.json")).ok()?;
            let report: Value = serde_json::from_slice(&report).ok()?;
            let records = report["sources"][0]["records"].as_u64()?;
            if records != read.0 {
                read = (records, Instant::now());
            }
            (records > 0 && read.1.elapsed() > Duration::from_secs(2)).then_some(())
        });
        let asked = Instant::now();
        running.signal(Signal::SIGTERM);
        let (status, rest) = running.end();
        let took = asked.elapsed();
        assert_eq!(status.code(), Some(1), "{address}: {rest}");
        assert!(took < Duration::from_secs(limit + 8), "{address}: {took:?}");
        let expected = format!(
            "error: the sinks, or the place of the state, did not take what was left within {limit} s: no last checkpoint was written\n  hint: "
        );
        assert!(rest.contains(&expected), "{address}: {rest}");
        assert_eq!(checkpoint(), before, "{address}: the checkpoint before stays as it is");
    }

    healthy();
    let counts = counts_on(&emulator, "seen");
    assert!(counts.len() > 200, "{}", counts.len());
    assert!(counts.iter().copied().eq(0..counts.len() as i64), "a count is missing: {counts:?}");
}

#[test]
fn a_folder_holds_the_state_of_one_run_at_a_time_and_is_free_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--state", "state", "--checkpoint-interval-millis", "50", "--stats", "stats.json"];
    for _ in 0..2 {
        let _ = fs::remove_file(folder.path().join("stats.json"));
        let running = Running::start(run(folder.path(), COUNTING, &arguments));
        until("a checkpoint is written", || stat(folder.path(), "checkpoints").filter(|n| *n >= 1));
        let other = run(folder.path(), COUNTING, &["--state", "state"]).output().unwrap();
        assert_eq!(other.status.code(), Some(1), "{}", said(&other));
        let expected = "error: state is in use by another run\nhint: one folder holds the state of one run: ";
        assert!(said(&other).contains(expected), "{}", said(&other));
        running.signal(Signal::SIGKILL);
        assert!(!running.end().0.success());
    }
}

/// The AWS emulator alone, on a port of its own.
struct Emulator {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Emulator {
    fn start() -> Self {
        let script = repo().join("scripts/local-aws.sh");
        assert!(Command::new(&script).arg("install").stdout(Stdio::null()).status().unwrap().success());
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(&script)
            .arg("run")
            .env("GATEWAY_PORT", port.to_string())
            .env("WEIR_EMULATOR_DIR", folder.path().join("emulator"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let address = format!("127.0.0.1:{port}");
        let emulator = Self { process, address, _folder: folder };
        until("the emulator answers", || TcpStream::connect(&emulator.address).ok());
        emulator
    }

    /// Makes a bucket; the emulator wants no signature.
    fn bucket(&self, name: &str) {
        let answer = until("a bucket is made", || {
            let mut stream = TcpStream::connect(&self.address).ok()?;
            let address = &self.address;
            write!(stream, "PUT /{name} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            Some(answer)
        });
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Calls Kinesis; the emulator wants no signature.
    fn kinesis(&self, action: &str, body: &Value) -> String {
        let (body, address) = (body.to_string(), &self.address);
        let answer = until(action, || {
            let mut stream = TcpStream::connect(address).ok()?;
            write!(
                stream,
                "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: Kinesis_20131202.{action}\r\n\
                 Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0\r\n\
                 Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            (!answer.is_empty()).then_some(answer)
        });
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Command {
        self.run_program(folder, COUNTING, arguments)
    }

    fn run_program(&self, folder: &Path, sql: &str, arguments: &[&str]) -> Command {
        let mut command = run(folder, sql, arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn state_in_s3_survives_kill_9_and_belongs_to_one_run() {
    let emulator = Emulator::start();
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--state", "s3://weir-state/runs/one", "--checkpoint-interval-millis", "100", "--stats", "stats.json"];
    let output = emulator.run(folder.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("NoSuchBucket"), "{}", said(&output));

    emulator.bucket("weir-state");
    let seen = folder.path().join("seen.jsonl");
    let _ = fs::remove_file(&seen);
    for _ in 0..2 {
        let _ = fs::remove_file(folder.path().join("stats.json"));
        let running = Running::start(emulator.run(folder.path(), &arguments));
        until("checkpoints are written", || stat(folder.path(), "checkpoints").filter(|n| *n >= 3));
        running.signal(Signal::SIGKILL);
        let (status, _) = running.end();
        assert!(!status.success());
    }
    let before = assert_nothing_lost(&seen);

    // Two runs at a time are a mistake: the second to write is told so, whoever it is.
    let other = tempfile::tempdir().unwrap();
    let first = Running::start(emulator.run(folder.path(), &arguments));
    let second = Running::start(emulator.run(other.path(), &arguments));
    let mut both = [Some(first), Some(second)];
    let is_over = |r: &mut Option<Running>| r.as_mut().is_some_and(|r| r.child.try_wait().unwrap().is_some());
    let ended = until("one of two runs is told that the other has written", || {
        both.iter_mut().find_map(|r| if is_over(r) { r.take() } else { None })
    });
    let (status, rest) = ended.end();
    assert_eq!(status.code(), Some(1), "{rest}");
    assert!(rest.contains("another run has written s3://weir-state/runs/one/checkpoint since this one did"), "{rest}");
    let left = both.into_iter().flatten().next().unwrap();
    left.signal(Signal::SIGTERM);
    let (status, rest) = left.end();
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(before > 0);
}

/// What is written to a stream while the run is down.
const LATEST: &str =
    "CREATE TABLE events (v BIGINT) WITH (connector = 'kinesis', stream_name = 'weir-events', type = 'source',
        'source.offset' = 'latest', format = 'json');
    CREATE TABLE seen (v BIGINT) WITH (connector = 'single_file', path = 'seen.jsonl', type = 'sink', format = 'json');
    INSERT INTO seen SELECT v FROM events;";

#[test]
fn a_source_that_begins_at_latest_begins_there_once_also_when_no_record_came() {
    let emulator = Emulator::start();
    emulator.kinesis("CreateStream", &serde_json::json!({"StreamName": "weir-events", "ShardCount": 1}));
    until("the stream is there", || {
        let answer = emulator.kinesis("DescribeStreamSummary", &serde_json::json!({"StreamName": "weir-events"}));
        answer.contains("ACTIVE").then_some(())
    });
    let put = |v: i64| {
        // {"v":1} and {"v":2}
        let data = if v == 1 { "eyJ2IjoxfQ==" } else { "eyJ2IjoyfQ==" };
        emulator
            .kinesis("PutRecord", &serde_json::json!({"StreamName": "weir-events", "PartitionKey": "p", "Data": data}));
    };
    put(1);
    let folder = tempfile::tempdir().unwrap();
    // No checkpoint but the first one.
    let arguments = ["--state", "state", "--checkpoint-interval-millis", "3600000", "--stats", "stats.json"];
    let first = Running::start(emulator.run_program(folder.path(), LATEST, &arguments));
    until("the first checkpoint is written", || stat(folder.path(), "checkpoints").filter(|n| *n >= 1));
    first.signal(Signal::SIGKILL);
    assert!(!first.end().0.success());
    put(2);
    let second = Running::start(emulator.run_program(folder.path(), LATEST, &arguments));
    let seen = || fs::read_to_string(folder.path().join("seen.jsonl")).unwrap_or_default();
    until("what was written meanwhile is read", || seen().contains("{\"v\":2}").then_some(()));
    second.signal(Signal::SIGTERM);
    let (status, rest) = second.end();
    assert_eq!(status.code(), Some(0), "{rest}");
    assert_eq!(seen(), "{\"v\":2}\n", "what was there before is not read");
}
