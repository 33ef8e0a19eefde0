//! The real heartbeat binary behind Lambda's runtime API, against the local emulator and a stand-in of Arroyo's API, through a
//! proxy that makes calls fail.

#![allow(clippy::panic, clippy::string_slice, clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_kinesis::types::ShardIteratorType;
use serde_json::{Value, json};
use weir_anomaly::{PROBE_RULE, Timestamp};
use weir_arroyo_stand_in::{Options, StandIn, State};
use weir_lambda_tests::{
    EventSource, Function, Invoked, Record, Settings,
    emulator::{Emulator, lambda_binary, root},
    proxy::{Fate, Proxy},
};

/// The function's timeout in these tests; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A pipeline that was restarted has failed again within a few beats.
const MAX_BEATS: usize = 100;
const SECRET: &str = "weir-arroyo-api-key";
const KEY: &str = "ak-1";

struct Stage {
    emulator: Emulator,
    proxy: Proxy,
    kinesis: aws_sdk_kinesis::Client,
    stream: String,
}

impl Stage {
    /// A stream of so many shards, the table, no Arroyo.
    async fn new(shards: i32) -> Self {
        let emulator = Emulator::start().await.unwrap();
        let proxy = Proxy::start(&emulator.address).await.unwrap();
        let kinesis = aws_sdk_kinesis::Client::new(&emulator.sdk);
        let stream = emulator.table.replace("anomalies", "events");
        kinesis.create_stream().stream_name(&stream).shard_count(shards).send().await.unwrap();
        let stage = Self { emulator, proxy, kinesis, stream };
        stage.active().await;
        stage
    }

    async fn active(&self) {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.kinesis.describe_stream_summary().stream_name(&self.stream).send().await.unwrap();
            if answer.stream_description_summary().is_some_and(|s| s.stream_status().as_str() == "ACTIVE") {
                return;
            }
            assert!(begun.elapsed() < TIMEOUT, "the stream does not become active");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The function, with further variables, or others.
    fn function(&self, changes: &[(&str, &str)]) -> Function {
        let mut environment = BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.proxy.url.as_str()),
            ("WEIR_EVENTS_STREAM", self.stream.as_str()),
            ("WEIR_TABLE_NAME", self.emulator.table.as_str()),
        ]);
        environment.extend(changes.iter().copied());
        let environment: Vec<(&str, &str)> = environment.into_iter().collect();
        Function::new(&lambda_binary("heartbeat").unwrap(), &environment, TIMEOUT).with_log()
    }

    /// Its shards: id, first hash key, whether open.
    async fn shards(&self) -> Vec<(String, String, bool)> {
        let answer = self.kinesis.list_shards().stream_name(&self.stream).send().await.unwrap();
        let shards = answer.shards().iter().map(|shard| {
            let open = shard.sequence_number_range().is_none_or(|range| range.ending_sequence_number().is_none());
            let from = shard.hash_key_range().map(|range| range.starting_hash_key().to_owned());
            (shard.shard_id().to_owned(), from.unwrap(), open)
        });
        shards.collect()
    }

    /// All records of a shard.
    async fn records(&self, shard: &str) -> Vec<Value> {
        let start = self.kinesis.get_shard_iterator().stream_name(&self.stream).shard_id(shard);
        let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let records = self.kinesis.get_records().set_shard_iterator(start.shard_iterator).send().await.unwrap();
        records.records().iter().map(|record| serde_json::from_slice(record.data().as_ref()).unwrap()).collect()
    }

    /// All records of the stream.
    async fn all_records(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for (shard, ..) in self.shards().await {
            all.extend(self.records(&shard).await);
        }
        all
    }
}

/// What the beat answered, and its line of the log.
async fn beat(function: &mut Function) -> (Invoked, Value) {
    let answer = function.invoke(&json!({})).await.unwrap();
    (answer, function.last_line().await.unwrap())
}

async fn check(function: &mut Function, within: Duration) -> Invoked {
    function.invoke_within(serde_json::to_vec(&json!({"weir": "check"})).unwrap(), within).await.unwrap()
}

fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[tokio::test]
async fn every_open_shard_gets_a_control_record_and_one_a_probe() {
    let stage = Stage::new(3).await;
    let (first, ..) = stage.shards().await.remove(0);
    // Half of the first shard's keys.
    let middle = (u128::MAX / 6).to_string();
    stage
        .kinesis
        .split_shard()
        .stream_name(&stage.stream)
        .shard_to_split(&first)
        .new_starting_hash_key(&middle)
        .send()
        .await
        .unwrap();
    stage.active().await;
    let shards = stage.shards().await;
    assert_eq!(shards.iter().filter(|(_, _, open)| *open).count(), 4, "{shards:?}");

    let mut function = stage.function(&[]);
    let (answer, line) = beat(&mut function).await;
    assert_eq!(answer, Invoked::Response(json!({"control_records": 5})));
    let mut probes = Vec::new();
    for (shard, _, open) in &shards {
        let (heartbeats, others): (Vec<_>, Vec<_>) =
            stage.records(shard).await.into_iter().partition(|record| record["weir"] == "heartbeat");
        assert_eq!(heartbeats.len(), usize::from(*open), "{shard}: {heartbeats:?}");
        for record in &heartbeats {
            let at: Timestamp = record["timestamp"].as_str().unwrap().parse().unwrap();
            assert!((at.millis() / 1000 - seconds()).abs() < 60, "{record}");
        }
        probes.extend(others);
    }
    let [probe] = probes.as_slice() else { panic!("one probe: {probes:?}") };
    assert_eq!((&probe["weir"], &probe["probe_id"]), (&json!("probe"), &line["request_id"]));
    assert_eq!(probe["sent_at"], probe["timestamp"]);

    // As CloudWatch reads it: a probe never arrived, and that is a metric.
    assert_eq!((&line["control_records"], &line["probe_missing"]), (&json!(5), &json!(1)), "{line}");
    assert_eq!(
        (&line["function"], &line["level"], line.get("probe_age_ms")),
        (&json!("weir-test"), &json!("info"), None)
    );
    let metrics = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&metrics["Namespace"], &metrics["Dimensions"]), (&json!("Weir"), &json!([["function"]])));
    let names: BTreeSet<_> =
        metrics["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["control_records", "probe_missing"]), "without Arroyo, nothing about pipelines");

    // For replays of old data: the present would make all of it late.
    let before = stage.all_records().await.len();
    let (answer, _) = beat(&mut stage.function(&[("WEIR_HEARTBEAT_TIME", "none")])).await;
    assert_eq!(answer, Invoked::Response(json!({"control_records": 5})));
    let all = stage.all_records().await;
    assert_eq!(all.len(), before + 5);
    assert_eq!(all.iter().filter(|record| record.get("timestamp").is_none()).count(), 5);
}

/// By name in the function's own account, by ARN in any: the same name in another account is another stream.
#[tokio::test]
async fn further_streams_are_beaten_by_name_and_by_arn() {
    let stage = Stage::new(1).await;
    let mut named = Vec::new();
    for part in ["orders", "pumps"] {
        let stream = stage.stream.replace("events", part);
        stage.kinesis.create_stream().stream_name(&stream).shard_count(2).send().await.unwrap();
        let other = Stage { stream, ..Stage::new(1).await };
        other.active().await;
        named.push(other);
    }
    let orders = named[0].stream.clone();
    let summary = stage.kinesis.describe_stream_summary().stream_name(&named[1].stream).send().await.unwrap();
    let pumps = summary.stream_description_summary().unwrap().stream_arn().to_owned();
    let (name, arn) = (format!("\"StreamName\":\"{orders}\""), format!("\"StreamARN\":\"{pumps}\""));
    let said = Arc::new(Mutex::new(BTreeSet::new()));
    let heard = Arc::clone(&said);
    stage.proxy.decide(move |call| {
        for what in [&name, &arn].into_iter().filter(|what| call.body.contains(what.as_str())) {
            heard.lock().unwrap().insert((call.action.clone(), what.clone()));
        }
        Fate::Passes
    });
    let streams = format!("{orders},{pumps}");
    let (answer, line) = beat(&mut stage.function(&[("WEIR_HEARTBEAT_STREAMS", &streams)])).await;
    assert_eq!(answer, Invoked::Response(json!({"control_records": 6})), "{line}");
    assert_eq!(line["streams_failed"], 0, "{line}");
    for stage in &named {
        let records = stage.all_records().await;
        assert_eq!(records.len(), 2, "{}", stage.stream);
        assert!(records.iter().all(|record| record["weir"] == "heartbeat"), "{records:?}");
    }
    assert_eq!(
        said.lock().unwrap().len(),
        4,
        "shards are listed and records put, each by what the stream goes by: {said:?}"
    );

    // One that is not there is counted, and fails nothing: the path is well.
    let streams = format!("{orders},no-such-stream");
    let (answer, line) = beat(&mut stage.function(&[("WEIR_HEARTBEAT_STREAMS", &streams)])).await;
    assert_eq!(answer, Invoked::Response(json!({"control_records": 4})), "{line}");
    assert_eq!((&line["streams_failed"], &line["level"]), (&json!(1), &json!("info")), "{line}");
    assert!(line["faults"][0].as_str().unwrap().starts_with("no-such-stream: configuration: "), "{line}");
}

/// The probe's whole way: the heartbeat puts it, a rule passes it on, the alerter notes it, the next beat tells.
#[tokio::test]
async fn a_probe_that_arrived_is_told_with_its_age_and_its_way() {
    let stage = Stage::new(1).await;
    let mut function = stage.function(&[]);
    beat(&mut function).await;
    let probe = stage.all_records().await.into_iter().find(|record| record["weir"] == "probe").unwrap();
    // As the built-in rule writes it.
    let row = json!({"id": format!("{:032x}", 7), "rule": PROBE_RULE, "rule_version": "000000000000", "severity": "info",
        "key": "probe", "timestamp": probe["timestamp"], "window_start": null, "window_end": null, "value": null,
        "expected": null, "score": 0, "details": {"probe_id": probe["probe_id"], "sent_at": probe["sent_at"]}, "rule_meta": {}});
    let environment = stage.emulator.alerter_environment(&stage.proxy.url);
    let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut alerter = Function::new(&lambda_binary("alerter").unwrap(), &environment, TIMEOUT);
    let record = Record { sequence_number: "1".repeat(56), data: row.to_string().into_bytes(), arrival: 0.0 };
    let settings =
        Settings { batch_size: 1, bisect: false, max_retries: None, max_age_seconds: None, report_failures: true };
    let mut source = EventSource::new(settings, vec![record]);
    let batch = source.next(0.0).unwrap();
    let answer = alerter.invoke(&source.event(&batch)).await.unwrap();
    assert_eq!(answer, Invoked::Response(json!({"batchItemFailures": []})));

    let (_, line) = beat(&mut function).await;
    assert_eq!(line["probe_missing"], 0, "{line}");
    let (age, way) = (line["probe_age_ms"][0].as_i64().unwrap(), line["probe_path_ms"][0].as_i64().unwrap());
    assert!((0..60_000).contains(&way) && way <= age && age < 60_000, "{line}");
}

#[tokio::test]
async fn a_shard_that_takes_nothing_fails_the_function() {
    let stage = Stage::new(1).await;
    let puts = AtomicUsize::new(0);
    stage.proxy.decide(move |call| {
        let put = call.action.ends_with("PutRecords");
        if put && puts.fetch_add(1, Ordering::SeqCst) < 2 { Fate::Throttled } else { Fate::Passes }
    });
    let mut function = stage.function(&[]);
    let (answer, _) = beat(&mut function).await;
    assert_eq!(answer, Invoked::Response(json!({"control_records": 2})), "what is throttled is put again");

    stage.proxy.decide(|call| if call.action.ends_with("PutRecords") { Fate::Denied } else { Fate::Passes });
    let (answer, line) = beat(&mut function).await;
    assert!(matches!(answer, Invoked::Error(_)), "{answer:?}");
    assert_eq!((&line["level"], &line["control_records"]), (&json!("error"), &json!(0)), "{line}");
}

/// Arroyo with an API key, and the secret that holds it.
async fn arroyo(stage: &Stage) -> StandIn {
    let secrets = aws_sdk_secretsmanager::Client::new(&stage.emulator.sdk);
    // All tests share the emulator, and this secret.
    let _ = secrets.create_secret().name(SECRET).secret_string(KEY).send().await;
    let now = u64::try_from(seconds()).unwrap() * 1_000_000;
    StandIn::start(Options { key: Some(KEY.to_owned()), now: Some(now), ..Options::default() }).await
}

#[tokio::test]
async fn a_failed_pipeline_is_restarted_three_times_an_hour() {
    let stage = Stage::new(1).await;
    let arroyo = arroyo(&stage).await;
    let mut function = stage.function(&[("WEIR_ARROYO_API_URL", arroyo.url()), ("WEIR_ARROYO_API_KEY_SECRET", SECRET)]);
    let _ = arroyo.seed("weir/dev/fine@1", "", 1, State::Running);
    // Restarts are counted by the clock's hour: should one begin on the way, another pipeline tries it again.
    for attempt in 0.. {
        let hour = seconds() / 3600;
        let name = format!("weir/dev/rules@{attempt}");
        // It runs a few times by Arroyo's own doing, then it has failed again.
        let id = arroyo.seed(&name, "#fails", 1, State::Failed);
        let said = json!([format!("pipeline {name} failed again after 3 restarts this hour")]);
        let mut restarted = Vec::new();
        for _ in 0..MAX_BEATS {
            let (answer, line) = beat(&mut function).await;
            assert_eq!(answer, Invoked::Response(json!({"control_records": 2})), "event time goes on");
            if line["pipelines_failed"] == 1 {
                // Of the pipeline that runs.
                let age = line["checkpoint_age_ms"][0].as_i64().unwrap();
                assert!((0..600_000).contains(&age), "{line}");
                restarted.push((line["pipelines_restarted"].as_u64().unwrap(), line["faults"].clone()));
            }
            if restarted.len() == 5 {
                break;
            }
        }
        let restarts = arroyo.calls().iter().filter(|call| **call == format!("POST /pipelines/{id}/restart")).count();
        if hour != seconds() / 3600 && attempt == 0 {
            arroyo.by_hand(&id, |entry| entry.state = State::Stopped);
            continue;
        }
        let (again, over) = ((1, Value::Null), (0, said));
        assert_eq!((restarts, restarted), (3, [vec![again; 3], vec![over; 2]].concat()));
        return;
    }
}

#[tokio::test]
async fn a_restarted_pipeline_runs() {
    let stage = Stage::new(1).await;
    let arroyo = arroyo(&stage).await;
    let mut function = stage.function(&[("WEIR_ARROYO_API_URL", arroyo.url()), ("WEIR_ARROYO_API_KEY_SECRET", SECRET)]);
    let _ = arroyo.seed("weir/dev/rules@1", "", 1, State::Failed);
    let (_, line) = beat(&mut function).await;
    assert_eq!(line["pipelines"], json!([{"name": "weir/dev/rules@1", "state": "Failed"}]));
    let (_, line) = beat(&mut function).await;
    assert_eq!(line["pipelines"], json!([{"name": "weir/dev/rules@1", "state": "Running"}]));
}

#[tokio::test]
async fn an_arroyo_that_does_not_answer_is_said_and_stops_nothing() {
    let stage = Stage::new(1).await;
    let arroyo = arroyo(&stage).await;
    let nobody = "http://127.0.0.1:1";
    for (changes, said) in [
        (vec![("WEIR_ARROYO_API_URL", nobody)], format!("arroyo: retryable: GET {nobody}/api/v1/pipelines")),
        (
            vec![("WEIR_ARROYO_API_URL", arroyo.url())],
            "the API key is refused; check WEIR_ARROYO_API_KEY_SECRET".to_owned(),
        ),
        (
            vec![("WEIR_ARROYO_API_URL", arroyo.url()), ("WEIR_ARROYO_API_KEY_SECRET", "no-such-secret")],
            "arroyo: configuration: ResourceNotFoundException".to_owned(),
        ),
    ] {
        let (answer, line) = beat(&mut stage.function(&changes)).await;
        assert_eq!(answer, Invoked::Response(json!({"control_records": 2})), "{line}");
        assert!(line["faults"][0].as_str().unwrap().contains(&said), "{line}");
        assert_eq!(line.get("pipelines_running"), None, "what is not known is no metric");
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_the_check() {
    let stage = Stage::new(1).await;
    let arroyo = arroyo(&stage).await;
    let with_arroyo = [("WEIR_ARROYO_API_URL", arroyo.url()), ("WEIR_ARROYO_API_KEY_SECRET", SECRET)];
    let fine = Invoked::Response(json!({"ok": true}));
    assert_eq!(check(&mut stage.function(&[]), TIMEOUT).await, fine);
    let all = stage.all_records().await;
    assert_eq!(all, [json!({"weir": "heartbeat"})], "all that it leaves on the stream: it moves no event time");
    let id = arroyo.seed("weir/dev/rules@1", "", 1, State::Failed);
    assert_eq!(check(&mut stage.function(&with_arroyo), TIMEOUT).await, fine);
    assert!(!arroyo.calls().contains(&format!("POST /pipelines/{id}/restart")), "a check restarts nothing");
    // A cluster comes up after the function.
    let mut function = stage.function(&[("WEIR_ARROYO_API_URL", "http://127.0.0.1:1")]);
    assert_eq!(check(&mut function, TIMEOUT).await, fine);
    let line = function.last_line().await.unwrap();
    assert!(line["faults"][0].as_str().unwrap().starts_with("arroyo: "), "{line}");

    for (name, value) in
        [("WEIR_EVENTS_STREAM", "none"), ("WEIR_TABLE_NAME", "none"), ("WEIR_ARROYO_API_KEY_SECRET", "none")]
    {
        let changes: Vec<_> = with_arroyo.into_iter().chain([(name, value)]).collect();
        let answer = check(&mut stage.function(&changes), TIMEOUT).await;
        let Invoked::Error(error) = answer else { panic!("{name}: {answer:?}") };
        let text = error["errorMessage"].as_str().unwrap();
        assert!(text.contains("ResourceNotFoundException") && text.contains(&format!("hint: check {name}")), "{text}");
    }
    for wrong in [("WEIR_HEARTBEAT_TIME", "noon"), ("WEIR_ARROYO_API_URL", "arroyo:5115"), ("WEIR_EVENTS_STREAM", "")] {
        assert_eq!(check(&mut stage.function(&[wrong]), TIMEOUT).await, Invoked::Died, "{wrong:?}");
    }
}

/// On AWS the first call of a new function comes before its role's permissions have reached every service.
#[tokio::test]
async fn the_check_waits_for_permissions_and_not_for_ever() {
    let stage = Stage::new(1).await;
    let mut function = stage.function(&[]);
    let (stream, table) = (AtomicUsize::new(0), AtomicUsize::new(0));
    stage.proxy.decide(move |call| {
        let (seen, denials) = if call.action.starts_with("Kinesis") { (&stream, 2) } else { (&table, 1) };
        if seen.fetch_add(1, Ordering::SeqCst) < denials { Fate::Denied } else { Fate::Passes }
    });
    assert_eq!(check(&mut function, TIMEOUT).await, Invoked::Response(json!({"ok": true})));

    stage.proxy.decide(|call| if call.action.ends_with("PutRecords") { Fate::Denied } else { Fate::Passes });
    let answer = check(&mut function, Duration::from_secs(5)).await;
    let Invoked::Error(error) = answer else { panic!("{answer:?}") };
    let text = error["errorMessage"].as_str().unwrap();
    assert!(text.starts_with("the events stream does not work: denied: AccessDeniedException"), "{text}");
    assert!(
        text.contains(" (still, after ") && text.contains("hint: check the permission kinesis:PutRecords"),
        "{text}"
    );
}

/// The permission of one action of AWS's wire protocols.
fn permission(action: &str) -> &'static str {
    match action {
        "DynamoDB_20120810.GetItem" => "dynamodb:GetItem",
        "DynamoDB_20120810.UpdateItem" => "dynamodb:UpdateItem",
        "Kinesis_20131202.ListShards" => "kinesis:ListShards",
        "Kinesis_20131202.PutRecords" => "kinesis:PutRecords",
        "secretsmanager.GetSecretValue" => "secretsmanager:GetSecretValue",
        other => panic!("{other} is no call of the heartbeat"),
    }
}

#[tokio::test]
async fn it_is_allowed_what_it_calls_and_nothing_else() {
    let stage = Stage::new(2).await;
    let arroyo = arroyo(&stage).await;
    let _ = arroyo.seed("weir/dev/rules@1", "", 1, State::Failed);
    let mut function = stage.function(&[("WEIR_ARROYO_API_URL", arroyo.url()), ("WEIR_ARROYO_API_KEY_SECRET", SECRET)]);
    let calls = || -> BTreeSet<&str> {
        stage.proxy.calls.lock().unwrap().drain(..).map(|call| permission(&call.action)).collect()
    };
    assert!(matches!(check(&mut function, TIMEOUT).await, Invoked::Response(_)));
    let checked = calls();
    assert!(matches!(beat(&mut function).await.0, Invoked::Response(_)));
    let called: BTreeSet<&str> = calls().union(&checked).copied().collect();
    assert_eq!(checked, called, "the check tries every call of a beat");

    let terraform = std::fs::read_to_string(root().join("terraform/main.tf")).unwrap();
    let policy = terraform.split("module \"heartbeat\"").nth(1).unwrap().split("\nmodule ").next().unwrap();
    let own =
        |word: &&str| ["dynamodb:", "kinesis:", "secretsmanager:"].iter().any(|service| word.starts_with(service));
    let allowed: BTreeSet<&str> = policy.split('"').filter(own).collect();
    assert_eq!(called, allowed);
}
