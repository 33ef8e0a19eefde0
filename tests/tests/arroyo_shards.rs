//! Streams of several shards, and resharding, on a real Arroyo over the emulator's Kinesis: the parallelism that is chosen, events
//! of every shard, and that no event is lost when shards are split and merged.
//!
//! Runs where `ARROYO_BIN` names an `arroyo`, or one is on `PATH`; says so where not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_arroyo::parallelism::{choose, subtask_of};
use weir_tests::{
    Emulator,
    arroyo::{Cluster, binary},
    repo, weir,
};

const EVENTS: &str = "shards-events";
const ANOMALIES: &str = "shards-anomalies";
/// A debug build on a busy machine, and an emulator that Arroyo asks for records without a pause.
const TIMEOUT: Duration = Duration::from_secs(240);
/// Events in a put, of as many series: every shard gets some.
const EVENTS_PUT: usize = 60;
const POLL: Duration = Duration::from_millis(200);
/// Every event is an anomaly, which tells the event's id.
const RULE: &str = r#"-- name = "every"
-- severity = "info"
-- description = "Every event"
-- owner = "tests"
-- runbook = "none"

SELECT series AS key, event_time, id AS event_id, value, CAST(1.0 AS DOUBLE) AS score, id AS event FROM events
"#;

/// A project with one rule, its stack on the emulator, and the cluster that it is deployed to.
struct Stack {
    folder: tempfile::TempDir,
    emulator: Emulator,
    cluster: Cluster,
    arrived: Arrived,
}

/// The ids of the events whose anomalies came out, as `weir tail` sees them.
struct Arrived {
    tail: Child,
    ids: Arc<Mutex<BTreeSet<String>>>,
}

impl Stack {
    /// `None`, said aloud, where there is no Arroyo.
    fn start(shards: usize) -> Option<Self> {
        let Some(binary) = binary() else {
            println!("skipped: shards on a real Arroyo (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(&folder.path().join("emulator")).unwrap();
        for (name, count) in [(EVENTS, shards), (ANOMALIES, 1)] {
            emulator.kinesis("CreateStream", &json!({ "StreamName": name, "ShardCount": count })).unwrap();
            until(&format!("{name} is active"), || active(&emulator, name).then_some(()));
        }
        let sql = folder.path().join("sql");
        fs::create_dir_all(sql.join("rules")).unwrap();
        fs::create_dir_all(sql.join("environments")).unwrap();
        fs::copy(repo().join("sql/tables.sql"), sql.join("tables.sql")).unwrap();
        fs::write(sql.join("rules/every.sql"), RULE).unwrap();
        fs::write(sql.join("environments/dev.toml"), "time = \"arrival\"\n").unwrap();
        let outputs = json!({
            "events_stream_name": { "value": EVENTS }, "anomalies_stream_name": { "value": ANOMALIES },
            "endpoint_url": { "value": emulator.endpoint() }, "region": { "value": "us-east-1" },
        });
        fs::write(folder.path().join("outputs.json"), outputs.to_string()).unwrap();
        let mut environment = Vec::from(emulator.environment());
        environment.extend([
            ("ARROYO__DEFAULT_CHECKPOINT_INTERVAL", "1s".to_owned()),
            ("ARROYO__CONTROLLER__SCHEDULER", "process".to_owned()),
            // It gives up sooner than after 20 restarts.
            ("ARROYO__PIPELINE__ALLOWED_RESTARTS", "2".to_owned()),
        ]);
        let cluster = Cluster::start(&binary, &folder.path().join("arroyo"), &environment).unwrap();
        let arrived = Arrived::follow(&emulator);
        Some(Self { folder, emulator, cluster, arrived })
    }

    fn weir(&self, arguments: &[&str]) -> (i32, String) {
        let output = weir(arguments)
            .current_dir(self.folder.path())
            .envs(self.emulator.environment())
            .env("WEIR_ARROYO_URL", self.cluster.api.url())
            .env("WEIR_OUTPUTS", self.folder.path().join("outputs.json"))
            .env_remove("WEIR_ENV")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), said)
    }

    fn works(&self, arguments: &[&str]) -> String {
        let (code, said) = self.weir(arguments);
        assert_eq!(code, 0, "weir {arguments:?}: {said}\n{}", self.cluster.log());
        said
    }

    /// The one pipeline, as `weir status` tells it.
    fn status(&self) -> Value {
        let output = self.weir(&["status", "--json"]).1;
        let status: Value = serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"));
        let pipelines = status["pipelines"].as_array().unwrap();
        assert_eq!(pipelines.len(), 1, "{status}");
        pipelines[0].clone()
    }

    /// Puts events whose ids begin so.
    fn put(&self, name: &str) {
        let lines = (0..EVENTS_PUT).fold(String::new(), |mut lines, n| {
            writeln!(
                lines,
                r#"{{"timestamp":"2026-01-01T00:00:00Z","value":1.0,"source":"pump-{n}","metric":"m","id":"{name}-{n}"}}"#
            )
            .unwrap();
            lines
        });
        let file = self.folder.path().join(name);
        fs::write(&file, lines).unwrap();
        self.works(&["put", file.to_str().unwrap(), "--stream", EVENTS]);
    }

    /// Waits until all events of these puts have come out.
    fn all_arrive(&self, puts: &[&str]) {
        let missing = || -> Vec<String> {
            let ids = self.arrived.ids.lock().unwrap();
            let wanted = puts.iter().flat_map(|name| (0..EVENTS_PUT).map(move |n| format!("{name}-{n}")));
            wanted.filter(|id| !ids.contains(id)).collect()
        };
        let begun = Instant::now();
        while !missing().is_empty() {
            let lost = missing();
            assert!(begun.elapsed() < TIMEOUT, "{} lost: {lost:?}\n{}", lost.len(), self.cluster.log());
            std::thread::sleep(POLL);
        }
    }

    fn open_shards(&self) -> Vec<Value> {
        let listed = self.emulator.kinesis("ListShards", &json!({ "StreamName": EVENTS })).unwrap();
        let all = listed["Shards"].as_array().unwrap();
        all.iter().filter(|shard| shard["SequenceNumberRange"]["EndingSequenceNumber"].is_null()).cloned().collect()
    }

    fn open_ids(&self) -> Vec<String> {
        self.open_shards().iter().map(|shard| shard["ShardId"].as_str().unwrap().to_owned()).collect()
    }

    fn split(&self, shard: &Value) {
        let hash = |end: &str| shard["HashKeyRange"][end].as_str().unwrap().parse::<u128>().unwrap();
        let middle = hash("StartingHashKey").midpoint(hash("EndingHashKey")).to_string();
        let asked = json!({ "StreamName": EVENTS, "ShardToSplit": shard["ShardId"], "NewStartingHashKey": middle });
        self.emulator.kinesis("SplitShard", &asked).unwrap();
        until("the shard is split", || active(&self.emulator, EVENTS).then_some(()));
    }

    fn merge(&self, shard: &Value, next: &Value) {
        let asked = json!({
            "StreamName": EVENTS, "ShardToMerge": shard["ShardId"], "AdjacentShardToMerge": next["ShardId"],
        });
        self.emulator.kinesis("MergeShards", &asked).unwrap();
        until("the shards are merged", || active(&self.emulator, EVENTS).then_some(()));
    }
}

impl Arrived {
    fn follow(emulator: &Emulator) -> Self {
        let mut tail = weir(&["tail", "--stream", ANOMALIES, "--oldest", "--json"])
            .envs(emulator.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (ids, lines) = (Arc::new(Mutex::new(BTreeSet::new())), BufReader::new(tail.stdout.take().unwrap()).lines());
        let seen = Arc::clone(&ids);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let anomaly: Value = serde_json::from_str(&line).unwrap();
                // Arroyo writes details that were computed as text.
                let details = anomaly["details"]
                    .as_str()
                    .map_or_else(|| anomaly["details"].clone(), |text| serde_json::from_str(text).unwrap());
                if let Some(event) = details["event"].as_str() {
                    seen.lock().unwrap().insert(event.to_owned());
                }
            }
        });
        Self { tail, ids }
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        let _ = self.tail.kill();
        let _ = self.tail.wait();
    }
}

fn active(emulator: &Emulator, stream: &str) -> bool {
    let described = emulator.kinesis("DescribeStreamSummary", &json!({ "StreamName": stream })).unwrap();
    described["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < TIMEOUT, "not within {} s: {what}", TIMEOUT.as_secs());
        std::thread::sleep(POLL);
    }
}

#[test]
fn rules_read_every_shard_at_a_safe_parallelism_and_a_reshard_loses_nothing() {
    let Some(stack) = Stack::start(4) else { return };
    let planned = stack.works(&["plan", "--parallelism", "4"]);
    assert!(planned.contains("parallelism 2 in place of 4"), "{planned}");
    stack.works(&["apply", "--yes", "--parallelism", "4"]);
    assert_eq!(stack.status()["parallelism"], 2, "four shards leave tasks without one at 4 and at 3");
    stack.put("before");
    stack.all_arrive(&["before"]);

    // Two of the four shards are replaced by three others, with events on their way all the while.
    let shards = stack.open_shards();
    stack.put("during");
    stack.split(&shards[0]);
    stack.put("split");
    stack.merge(&shards[2], &shards[3]);
    stack.put("merged");
    let safe = choose(&stack.open_ids(), 4).unwrap().safe;
    let said = stack.works(&["apply", "--yes", "--parallelism", "4", "--after-reshard"]);
    assert_eq!(stack.status()["parallelism"], safe, "{said}");
    stack.put("after");
    stack.all_arrive(&["before", "during", "split", "merged", "after"]);

    let again = stack.works(&["apply", "--yes", "--parallelism", "4"]);
    assert!(again.contains("nothing to do"), "{again}");
}

#[test]
fn a_pipeline_that_a_reshard_has_ended_is_named_and_made_anew_without_loss() {
    let Some(stack) = Stack::start(3) else { return };
    stack.works(&["apply", "--yes", "--parallelism", "2"]);
    stack.put("before");
    stack.all_arrive(&["before"]);

    // One shard falls to task 1. It is closed, and what follows it falls to task 0.
    let shards = stack.open_shards();
    let task = |shard: &Value| subtask_of(shard["ShardId"].as_str().unwrap(), 2);
    let alone = shards.iter().position(|shard| task(shard) == 1).unwrap().min(1);
    stack.merge(&shards[alone], &shards[alone + 1]);
    assert!(stack.open_ids().iter().all(|id| subtask_of(id, 2) == 0), "{:?}", stack.open_ids());
    stack.put("merged");
    let failed = until("Arroyo gives the pipeline up", || Some(stack.status()).filter(|one| one["state"] == "Failed"));
    assert!(failed["problems"].to_string().contains("weir apply --after-reshard"), "{failed}");
    stack.put("down");

    // It goes on from its last checkpoint, or begins anew: nothing is lost either way.
    for (how, put) in [(&["apply", "--yes"][..], "again"), (&["apply", "--yes", "--after-reshard"], "anew")] {
        stack.works(how);
        let healed = stack.status();
        assert_eq!((&healed["state"], &healed["parallelism"]), (&json!("Running"), &json!(1)), "{healed}");
        stack.put(put);
        stack.all_arrive(&["before", "merged", "down", put]);
    }
}
