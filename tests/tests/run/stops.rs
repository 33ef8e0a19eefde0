//! How a run stops, and where it goes on.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::*;

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
        assert_eq!(other.status.code(), Some(4), "{}", said(&other));
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

    // Two runs at a time are a mistake: the second to write is told so, either of them.
    let other = tempfile::tempdir().unwrap();
    let first = Running::start(emulator.run(folder.path(), &arguments));
    let second = Running::start(emulator.run(other.path(), &arguments));
    let mut both = [Some(first), Some(second)];
    let is_over = |r: &mut Option<Running>| r.as_mut().is_some_and(|r| r.child.try_wait().unwrap().is_some());
    let ended = until("one of two runs is told that the other has written", || {
        both.iter_mut().find_map(|r| if is_over(r) { r.take() } else { None })
    });
    let (status, rest) = ended.end();
    assert_eq!(status.code(), Some(4), "{rest}");
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
