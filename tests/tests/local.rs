//! Commands that look at a local stack and at queues, with the real binary on the emulator: looking changes nothing, and what
//! is said of a stack is true.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use weir_tests::{Emulator, free_ports, repo, weir};

/// A busy machine is slow; on an idle one nothing here takes more than seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

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

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A quarantine of its own on an emulator.
struct Quarantine {
    emulator: Emulator,
    url: String,
    _folder: tempfile::TempDir,
}

impl Quarantine {
    fn new() -> Self {
        Self::with(&json!({}))
    }

    /// With the attributes of its queue.
    fn with(attributes: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(folder.path()).unwrap();
        emulator.sqs("CreateQueue", &json!({"QueueName": "dead"})).unwrap();
        let queue = json!({"QueueName": "quarantine", "Attributes": attributes});
        let url = emulator.sqs("CreateQueue", &queue).unwrap()["QueueUrl"].as_str().unwrap().to_owned();
        Self { emulator, url, _folder: folder }
    }

    fn send(&self, body: &str) {
        self.emulator.sqs("SendMessage", &json!({"QueueUrl": self.url, "MessageBody": body})).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = weir(&["quarantine", "--queue-url", &self.url]);
        command.args(arguments).envs(self.emulator.environment());
        command
    }

    fn look(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Messages that the queue holds, and those that somebody holds.
    fn counts(&self) -> (u64, u64) {
        let asked = json!({"QueueUrl": self.url, "AttributeNames": ["All"]});
        let attributes = self.emulator.sqs("GetQueueAttributes", &asked).unwrap()["Attributes"].clone();
        let count = |name: &str| attributes[name].as_str().unwrap().parse().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }
}

fn record(id: &str, stream: &str, part: u32, parts: u32, raw: &str) -> String {
    json!({"record_id": id, "stream": stream, "reason": "not_json", "error": "the event is none", "raw": raw, "part": part,
        "parts": parts, "shard_id": "shardId-0", "sequence_number": "49", "arrival_time": null,
        "quarantined_at": "2026-11-23T05:00:00.000Z"})
    .to_string()
}

#[test]
fn looking_at_quarantine_hides_nothing_and_what_was_shown_is_sent_again() {
    let quarantine = Quarantine::new();
    quarantine.emulator.kinesis("CreateStream", &json!({"StreamName": "events", "ShardCount": 1})).unwrap();
    let empty = quarantine.look(&["--json"]);
    assert_eq!((out(&empty), err(&empty)), (String::new(), "0 records in quarantine\n".to_owned()));
    // More than one receive gives: 23 whole records, one of two parts, one that lacks a part, and a stray.
    for n in 0..23 {
        quarantine.send(&record(&format!("r{n:02}"), "events", 1, 1, "e30="));
    }
    quarantine.send(&record("two", "events", 2, 2, "bG8="));
    quarantine.send(&record("two", "events", 1, 2, "aGVs"));
    quarantine.send(&record("half", "events", 1, 2, "aGVs"));
    quarantine.send("hello from another team");

    let first = quarantine.look(&[]);
    assert!(first.status.success(), "{}", err(&first));
    assert_eq!(out(&first).lines().count(), 26, "{}", out(&first));
    assert!(err(&first).contains("25 records in quarantine\n"), "{}", err(&first));
    assert_eq!(quarantine.counts(), (27, 0), "a look holds nothing back");
    for arguments in [&[][..], &["--json"]] {
        let again = quarantine.look(arguments);
        assert_eq!((out(&again), err(&again)), (out(&first), err(&first)), "the same list again");
    }

    let sent = quarantine.look(&["--send-again"]);
    assert_eq!(out(&sent), out(&first), "what is sent is what was shown");
    assert_eq!(sent.status.code(), Some(1), "{}", err(&sent));
    assert!(err(&sent).contains("record half stays in quarantine: 1 of its 2 parts are here"), "{}", err(&sent));
    assert!(err(&sent).contains("24 of 25 records in quarantine were sent again"), "{}", err(&sent));
    assert_eq!(quarantine.counts(), (2, 0), "half a record and the stray stay, and can be seen");
    let left = quarantine.look(&[]);
    assert_eq!(out(&left).lines().count(), 2, "{}", out(&left));

    let shard = json!({"StreamName": "events", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = quarantine.emulator.kinesis("GetShardIterator", &shard).unwrap()["ShardIterator"].clone();
    let records = quarantine.emulator.kinesis("GetRecords", &json!({"ShardIterator": iterator})).unwrap();
    let mut data: Vec<_> = records["Records"].as_array().unwrap().iter().map(|r| r["Data"].as_str().unwrap()).collect();
    data.sort_unstable();
    assert_eq!(data.len(), 24, "{records}");
    assert_eq!(data[0], "aGVsbG8=", "the record of two parts is whole again");
}

#[test]
fn one_record_that_is_poison_on_two_streams_goes_back_to_both() {
    let quarantine = Quarantine::new();
    for stream in ["one", "two"] {
        quarantine.emulator.kinesis("CreateStream", &json!({"StreamName": stream, "ShardCount": 1})).unwrap();
        quarantine.send(&record("same bytes", stream, 1, 1, "e30="));
    }
    let sent = quarantine.look(&["--send-again"]);
    assert!(sent.status.success(), "{}", err(&sent));
    assert!(err(&sent).contains("2 of 2 records"), "{}", err(&sent));
    assert_eq!(quarantine.counts(), (0, 0));
}

#[test]
fn a_look_that_is_interrupted_or_killed_hides_nothing_for_good() {
    let quarantine = Quarantine::new();
    for n in 0..300 {
        quarantine.send(&record(&format!("r{n:03}"), "events", 1, 1, "e30="));
    }
    let look = |signal: Signal| {
        let mut looking = quarantine.command(&[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        until("the look holds messages", || (quarantine.counts().1 > 0).then_some(()));
        let pid = Pid::from_raw(i32::try_from(looking.id()).unwrap());
        kill(pid, signal).unwrap();
        let status = looking.wait().unwrap();
        let mut said = String::new();
        looking.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (status, said) = look(signal);
        // It may have come to its end just then.
        assert!(status.code().is_some(), "{signal}: {status}");
        assert!(status.success() || said.contains("error: interrupted"), "{signal}: {said}");
        assert_eq!(quarantine.counts(), (300, 0), "{signal}: {said}");
    }

    // Nobody can release what a killed look held; the next one waits until SQS does.
    look(Signal::SIGKILL);
    let after = quarantine.look(&[]);
    assert!(err(&after).contains("300 records in quarantine\n"), "{}", err(&after));
    assert_eq!(out(&after).lines().count(), 300);
    assert_eq!(quarantine.counts(), (300, 0));
}

#[test]
fn two_people_who_look_at_once_see_the_same() {
    let quarantine = Quarantine::new();
    for n in 0..120 {
        quarantine.send(&record(&format!("r{n:03}"), "events", 1, 1, "e30="));
    }
    let start = || quarantine.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [start(), start()];
    for looking in both {
        let output = looking.wait_with_output().unwrap();
        assert_eq!(out(&output).lines().count(), 120, "{}", err(&output));
        assert!(err(&output).ends_with("120 records in quarantine\n"), "{}", err(&output));
    }
    assert_eq!(quarantine.counts(), (120, 0));
}

#[test]
fn a_reader_that_goes_away_and_a_queue_that_counts_receives() {
    let dead = json!({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": "50"});
    let quarantine = Quarantine::with(&json!({"RedrivePolicy": dead.to_string()}));
    for n in 0..200 {
        quarantine.send(&record(&format!("r{n:03}"), "events", 1, 1, &"e30=".repeat(1000)));
    }
    let mut looking = quarantine.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(looking.stdout.take());
    let output = looking.wait_with_output().unwrap();
    assert!(!err(&output).contains("panicked"), "{}", err(&output));
    assert!(err(&output).contains("moves a message to its dead-letter queue after 50 receives"), "{}", err(&output));
    assert_eq!(quarantine.counts(), (200, 0));
}

/// A stack of its own; dropping it ends it.
struct Stack {
    name: &'static str,
    port: u16,
}

impl Stack {
    fn up(name: &'static str) -> Self {
        let [port] = free_ports().unwrap();
        let stack = Self { name, port };
        let output = stack.try_up();
        assert!(output.status.success(), "{}", err(&output));
        stack
    }

    fn try_up(&self) -> Output {
        weir(&["up", "--stack", self.name, "--port", &self.port.to_string()]).current_dir(repo()).output().unwrap()
    }

    fn weir(&self, arguments: &[&str]) -> Output {
        weir(arguments).args(["--stack", self.name]).current_dir(repo()).output().unwrap()
    }

    fn folder(&self) -> PathBuf {
        repo().join(".weir").join(self.name)
    }

    fn pid(&self, name: &str) -> i32 {
        let records: Value = serde_json::from_slice(&fs::read(self.folder().join("processes.json")).unwrap()).unwrap();
        let record = records.as_array().unwrap().iter().find(|record| record["name"] == name).unwrap();
        i32::try_from(record["pid"].as_i64().unwrap()).unwrap()
    }

    /// As a power cut would.
    fn kill(&self, name: &str) {
        killpg(Pid::from_raw(self.pid(name)), Signal::SIGKILL).unwrap();
        let part = if name == "engine" { "the embedded engine" } else { "the AWS emulator" };
        until("it has ended", || {
            (self.status().1["parts"].as_array()?.iter().any(|p| p["part"] == part && p["state"] == "ended"))
                .then_some(())
        });
    }

    fn status(&self) -> (Option<i32>, Value) {
        let output = self.weir(&["status", "--json"]);
        (
            output.status.code(),
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", err(&output))),
        )
    }

    fn put(&self, source: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("event");
        let event =
            json!({"timestamp": "2026-01-01T00:00:00Z", "value": 99, "source": source, "metric": "temperature"});
        fs::write(&file, event.to_string()).unwrap();
        self.weir(&["put", file.to_str().unwrap()])
    }

    fn until_shown(&self, source: &str) {
        let key = format!("{source}/temperature");
        until("the anomaly is stored", || {
            Some(self.weir(&["show", "--key", &key, "--json"]))
                .filter(|output| out(output).contains("static_threshold"))
        });
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.weir(&["down"]);
    }
}

#[test]
fn a_stack_says_what_of_it_has_ended_and_is_made_whole_again() {
    let stack = Stack::up("truth");
    let (code, status) = until("the engine has read", || Some(stack.status()).filter(|(code, _)| *code == Some(0)));
    assert_eq!((code, &status["well"]), (Some(0), &json!(true)), "{status}");
    let again = stack.try_up();
    assert!(again.status.success(), "{}", err(&again));
    assert!(err(&again).contains("nothing was missing, nothing was started"), "{}", err(&again));
    let nothing = stack.weir(&["show", "--rule", "zscore", "--json"]);
    assert_eq!(
        (out(&nothing), err(&nothing)),
        (String::new(), "table weir-truth-anomalies has no anomalies of rule zscore\n".to_owned())
    );

    let emulator = stack.pid("emulator");
    stack.kill("engine");
    let said = stack.weir(&["status"]);
    assert_eq!(said.status.code(), Some(3), "{}", out(&said));
    for line in
        ["stack `truth` is not well", "! has ended, last seen 20", "the end of ", "engine.log", "weir up --stack truth"]
    {
        assert!(out(&said).contains(line), "{line}: {}", out(&said));
    }
    let put = stack.put("pump-dead");
    let unread = "nothing reads the events of stack `truth`: the embedded engine has ended, last seen 20";
    assert!(put.status.success() && err(&put).contains(unread), "{}", err(&put));
    let shown = stack.weir(&["show", "--rule", "static_threshold", "--json"]);
    assert!(err(&shown).contains(unread) && out(&shown).is_empty(), "{}", err(&shown));
    let mut tail = weir(&["tail", "--stack", "truth"]).current_dir(repo()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::scope(|scope| {
        let stderr = tail.stderr.take().unwrap();
        let said = scope.spawn(move || {
            use std::io::{BufRead as _, BufReader};
            BufReader::new(stderr).lines().map_while(Result::ok).any(|line| line.contains(unread))
        });
        until("tail says so", || said.is_finished().then_some(()));
        tail.kill().unwrap();
        assert!(said.join().unwrap());
    });
    tail.wait().unwrap();

    let again = stack.try_up();
    assert!(again.status.success(), "{}", err(&again));
    assert!(err(&again).contains("the embedded engine has ended"), "{}", err(&again));
    assert!(err(&again).contains("started: the embedded engine. It ran already: the AWS emulator"), "{}", err(&again));
    assert_eq!(stack.pid("emulator"), emulator, "only what was missing is started");
    stack.until_shown("pump-dead");

    // The emulator holds everything in memory: without it there is no stack.
    stack.kill("emulator");
    let shown = stack.weir(&["show", "--rule", "static_threshold"]);
    assert_eq!(shown.status.code(), Some(1));
    let down = "error: stack `truth` is down: the AWS emulator has ended, last seen 20";
    assert!(err(&shown).contains(down) && err(&shown).contains("hint: weir up --stack truth"), "{}", err(&shown));
    let again = stack.try_up();
    assert!(again.status.success(), "{}", err(&again));
    assert!(err(&again).contains("What it held is lost: all of it is started anew"), "{}", err(&again));
    assert!(stack.put("pump-new").status.success());
    stack.until_shown("pump-new");

    // Half dead, then all dead.
    stack.kill("emulator");
    let begun = Instant::now();
    let ended = stack.weir(&["down"]);
    assert!(
        ended.status.success() && err(&ended).contains("of stack `truth` the AWS emulator has ended"),
        "{}",
        err(&ended)
    );
    assert!(err(&ended).contains("is down (1 processes ended)"), "{}", err(&ended));
    assert!(begun.elapsed() < PATIENCE);
    TcpListener::bind(("127.0.0.1", stack.port)).expect("nothing listens any more");
    assert!(!stack.folder().join("processes.json").exists());
    let (code, status) = stack.status();
    assert_eq!((code, &status["parts"]), (Some(3), &json!([])), "{status}");
    assert!(err(&stack.weir(&["down"])).contains("stack `truth` was not up"));
}

#[test]
fn a_stack_of_an_earlier_boot_is_told_as_such_and_strangers_with_its_pids_live() {
    let folder = repo().join(".weir/rebooted");
    fs::create_dir_all(&folder).unwrap();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let earlier = "00000000-0000-0000-0000-000000000000 17";
    let records: Vec<Value> = ["emulator", "engine"]
        .iter()
        .map(|name| json!({"name": name, "pid": stranger.id(), "started": earlier}))
        .collect();
    fs::write(folder.join("processes.json"), json!(records).to_string()).unwrap();
    let connection = json!({"endpoint": "http://127.0.0.1:1", "region": "us-east-1", "events_stream": "e", "anomalies_stream": "a",
        "table": "t", "inbox_url": "i", "quarantine_url": "q"});
    fs::write(folder.join("connection.json"), connection.to_string()).unwrap();
    let weir = |arguments: &[&str]| weir(arguments).args(["--stack", "rebooted"]).current_dir(repo()).output().unwrap();
    let status = weir(&["status"]);
    assert_eq!(status.status.code(), Some(3));
    assert!(out(&status).contains("the AWS emulator     ! ended when the machine did"), "{}", out(&status));
    assert!(err(&weir(&["tail"])).contains("is down: the AWS emulator ended when the machine did"));
    let down = weir(&["down"]);
    assert!(down.status.success() && err(&down).contains("none of it ran any more"), "{}", err(&down));
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    fs::remove_dir_all(folder).unwrap();
}
