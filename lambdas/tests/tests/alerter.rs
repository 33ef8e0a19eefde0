//! The real alerter binary behind an event source mapping that behaves as AWS documents it, against the local emulator,
//! through a proxy that makes calls fail.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use serde_json::{Value, json};
use weir_anomaly::{AnomalyId, Timestamp, id::Identity};
use weir_lambda_tests::{
    EventSource, Function, Invoked, Outcome, Record, Settings,
    emulator::{Emulator, lambda_binary, root},
    proxy::{Call, Fate, Proxy},
};

/// The function's timeout in these tests; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// One batch may come so often before the test gives up: each fault costs one.
const MAX_DELIVERIES: usize = 200;

struct Stage {
    emulator: Emulator,
    proxy: Proxy,
    function: Function,
}

impl Stage {
    async fn new() -> Self {
        Self::with(&lambda_binary("alerter").unwrap()).await
    }

    /// With another binary in the alerter's place.
    async fn with(binary: &Path) -> Self {
        let emulator = Emulator::start().await.unwrap();
        let proxy = Proxy::start(&emulator.address).await.unwrap();
        let environment = emulator.alerter_environment(&proxy.url);
        let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let function = Function::new(binary, &environment, TIMEOUT).with_log();
        Self { emulator, proxy, function }
    }

    /// Delivers records until the shard is drained; returns how many deliveries that took.
    async fn deliver(&mut self, source: &mut EventSource) -> usize {
        let mut deliveries = 0;
        while let Some(batch) = source.next(now()) {
            deliveries += 1;
            assert!(deliveries < MAX_DELIVERIES, "the shard is blocked");
            let outcome = match self.function.invoke(&source.event(&batch)).await.unwrap() {
                Invoked::Response(answer) => Outcome::Answered(answer),
                Invoked::Error(_) | Invoked::Died | Invoked::TimedOut => Outcome::Failed,
            };
            source.done(batch, &outcome);
        }
        deliveries
    }

    async fn sweep(&mut self) {
        let answer = self.function.invoke(&json!({"weir": "sweep"})).await.unwrap();
        assert!(matches!(answer, Invoked::Response(_)), "{answer:?}");
    }

    /// Ids of the stored anomalies.
    async fn stored(&self) -> BTreeSet<String> {
        let items = self.emulator.items().await.unwrap();
        items.into_iter().filter_map(|row| row.get("id").filter(|id| !id.contains('#')).cloned()).collect()
    }

    async fn quarantined(&self) -> Vec<Value> {
        self.emulator.drain(&self.emulator.quarantine).await.unwrap()
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn settings() -> Settings {
    Settings {
        batch_size: 100,
        bisect: true,
        max_retries: Some(10),
        max_age_seconds: Some(3600.0),
        report_failures: true,
    }
}

fn shard(data: Vec<Vec<u8>>) -> Vec<Record> {
    let record =
        |(n, data): (usize, Vec<u8>)| Record { sequence_number: format!("{:056}", 49_000 + n), data, arrival: now() };
    data.into_iter().enumerate().map(record).collect()
}

/// The `n`th anomaly of a key, in one dedup period with all others.
fn anomaly(key: &str, n: u64) -> (String, Vec<u8>) {
    let hour = now() as i64 / 3600 * 3600;
    let time = Timestamp::from_nanos(hour * 1_000_000_000 + i64::try_from(n).unwrap() * 1_000_000);
    let id = AnomalyId::compute("zscore", key, Identity::Event { time, event_id: "" });
    let record = json!({"id": id, "rule": "zscore", "rule_version": "a1b2c3d4e5f6", "severity": "warning", "key": key,
        "timestamp": time.to_string(), "window_start": null, "window_end": null, "value": 99.5, "expected": 20.0, "score": 0.9,
        "details": {"n": n}, "rule_meta": {"owner": "ops", "dedup_seconds": 3600}});
    (id.to_string(), record.to_string().into_bytes())
}

fn anomalies(keys: usize, each: u64) -> (BTreeSet<String>, Vec<Vec<u8>>) {
    (0..keys).flat_map(|key| (0..each).map(move |n| anomaly(&format!("pump-{key}"), n))).unzip()
}

fn alerted_keys(alerts: &[Value]) -> Vec<String> {
    let mut keys: Vec<String> = alerts.iter().map(|alert| alert["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_bad_record_costs_one_record_and_everything_around_it_arrives() {
    let mut stage = Stage::new().await;
    let (ids, mut data) = anomalies(3, 4);
    data.insert(5, b"\xff\xfe no json".to_vec());
    data.insert(
        9,
        br#"{"record_type":"poison","record_id":"c0ffee","stream":"weir-events","reason":"bad_value","raw":"e30=","part":1,"parts":1}"#
            .to_vec(),
    );
    data.push(data[0].clone());
    let mut source = EventSource::new(settings(), shard(data));
    assert_eq!(stage.deliver(&mut source).await, 1);

    assert_eq!(stage.stored().await, ids);
    assert_eq!(alerted_keys(&stage.emulator.alerts().await.unwrap()), ["pump-0", "pump-1", "pump-2"]);
    let mut found: Vec<_> = stage.quarantined().await.iter().map(|q| (q["reason"].clone(), q["raw"].clone())).collect();
    found.sort_by_key(|(reason, _)| reason.to_string());
    assert_eq!(
        found,
        [(json!("bad_value"), json!("e30=")), (json!("not_json"), json!(STANDARD.encode(b"\xff\xfe no json")))]
    );
    assert!(source.discarded.is_empty());
}

#[tokio::test]
async fn a_replay_stores_and_alerts_nothing_new() {
    let mut stage = Stage::new().await;
    let (ids, data) = anomalies(4, 5);
    stage.deliver(&mut EventSource::new(settings(), shard(data.clone()))).await;
    assert_eq!(stage.emulator.alerts().await.unwrap().len(), 4);
    stage.deliver(&mut EventSource::new(settings(), shard(data))).await;
    assert_eq!(stage.stored().await, ids);
    assert_eq!(stage.emulator.alerts().await.unwrap().len(), 0);
    let items = stage.emulator.items().await.unwrap();
    assert!(items.iter().filter(|row| ids.contains(&row["id"])).all(|row| row["times_seen"] == "2"));
}

#[tokio::test]
async fn only_the_bad_record_comes_again_when_quarantine_fails() {
    let mut stage = Stage::new().await;
    let (ids, mut data) = anomalies(1, 10);
    data.insert(6, b"bad".to_vec());
    // Longer than the function tries by itself.
    stage.proxy.decide(
        |call| {
            if call.action.contains("SQS") && call.number < 12 { Fate::Throttled } else { Fate::Passes }
        },
    );
    let mut source = EventSource::new(settings(), shard(data));
    let first = source.next(now()).unwrap();
    let Invoked::Response(answer) = stage.function.invoke(&source.event(&first)).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": format!("{:056}", 49_006)}]}));
    source.done(first, &Outcome::Answered(answer));
    assert!(stage.deliver(&mut source).await >= 1);
    assert_eq!(stage.stored().await, ids);
    assert_eq!(stage.quarantined().await.len(), 1);
    assert!(source.discarded.is_empty());
}

/// The process dies at each of its calls in turn, with and without the call taking effect. All at once: each waits for its
/// deadline and for its lease.
#[tokio::test]
async fn a_death_at_any_call_loses_nothing() {
    let deaths = [Fate::AnswerLost, Fate::Hangs].into_iter().flat_map(|fate| (0..8).map(move |at| death(fate, at)));
    join_all(deaths).await;
}

async fn death(fate: Fate, at: usize) {
    let mut stage = Stage::new().await;
    let (id, record) = anomaly("pump", at as u64);
    stage.proxy.decide(move |call: &Call| match call.number.cmp(&at) {
        std::cmp::Ordering::Less => Fate::Passes,
        std::cmp::Ordering::Equal => fate,
        // Everything after the fatal call hangs: the process is as good as dead.
        std::cmp::Ordering::Greater => Fate::Hangs,
    });
    let mut source = EventSource::new(settings(), shard(vec![record, b"bad".to_vec()]));
    let batch = source.next(now()).unwrap();
    let payload = serde_json::to_vec(&source.event(&batch)).unwrap();
    // The deadline ends it in the middle of its work.
    let outcome = match stage.function.invoke_within(payload, Duration::from_millis(2_500)).await.unwrap() {
        Invoked::Response(answer) => Outcome::Answered(answer),
        _ => Outcome::Failed,
    };
    source.done(batch, &outcome);
    stage.proxy.decide(|_| Fate::Passes);
    stage.deliver(&mut source).await;
    assert!(source.discarded.is_empty());
    assert_eq!(stage.stored().await, BTreeSet::from([id]));
    assert!(!stage.quarantined().await.is_empty());
    // The lease of the dead ends five seconds after its deadline; then the sweep sends what it left.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while stage.emulator.alerts().await.unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "{fate:?} at call {at}: nobody heard of it");
        stage.sweep().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A panic is a fault of the program, which no record may reach. One anyway fails its batch and costs nothing else.
#[tokio::test]
async fn a_panic_fails_the_batch_and_loses_nothing() {
    let mut stage = Stage::with(Path::new(env!("CARGO_BIN_EXE_alerter-with-panics"))).await;
    let keys = ["pump-0", "panic-before", "pump-1", "panic-after"];
    let (ids, data): (BTreeSet<_>, Vec<_>) = keys.iter().map(|key| anomaly(key, 1)).unzip();
    let mut source = EventSource::new(Settings { bisect: false, ..settings() }, shard(data));
    let mut errors = Vec::new();
    while let Some(batch) = source.next(now()) {
        let outcome = match stage.function.invoke(&source.event(&batch)).await.unwrap() {
            Invoked::Response(answer) => Outcome::Answered(answer),
            Invoked::Error(error) => {
                errors.push(error);
                Outcome::Failed
            }
            other => panic!("{other:?}"),
        };
        source.done(batch, &outcome);
    }
    assert_eq!(errors.len(), 2, "one before the table has it, one after: {errors:?}");
    assert!(errors.iter().all(|error| error["errorMessage"].as_str().unwrap().contains("a fault of the program")));
    assert_eq!(stage.function.starts, 1, "the process lives on");
    assert_eq!(stage.stored().await, ids);
    assert_eq!(
        alerted_keys(&stage.emulator.alerts().await.unwrap()),
        ["panic-after", "panic-before", "pump-0", "pump-1"]
    );
}

#[tokio::test]
async fn what_the_table_refuses_is_in_quarantine_byte_for_byte() {
    let mut stage = Stage::new().await;
    stage.proxy.decide(|call| if call.body.contains("too-much") { Fate::Refused } else { Fate::Passes });
    let (mut ids, mut data) = anomalies(2, 3);
    let (_, refused) = anomaly("too-much", 1);
    // Bytes that writing the anomaly anew would not give.
    let refused = [b"  ", refused.strip_suffix(b"}").unwrap(), b",\t\"unknown\": 1.50 }\r\n"].concat();
    data.insert(2, refused.clone());
    let (id, alone) = anomaly("pump-9", 1);
    ids.insert(id);
    data.push(alone);
    let mut source = EventSource::new(settings(), shard(data));
    assert_eq!(stage.deliver(&mut source).await, 1, "nothing comes again");
    assert_eq!(stage.stored().await, ids);
    assert_eq!(alerted_keys(&stage.emulator.alerts().await.unwrap()), ["pump-0", "pump-1", "pump-9"]);
    let quarantined = stage.quarantined().await;
    let [found] = quarantined.as_slice() else { panic!("{quarantined:?}") };
    assert_eq!(found["reason"], "store_refused");
    assert_eq!(STANDARD.decode(found["raw"].as_str().unwrap()).unwrap(), refused);
    let line = stage.function.last_line().await.unwrap();
    assert_eq!((&line["quarantined"], &line["new"], &line["failed"]), (&json!(1), &json!(7), &json!(0)), "{line}");
}

#[tokio::test]
async fn throttling_delays_and_loses_nothing() {
    let mut stage = Stage::new().await;
    let (ids, data) = anomalies(10, 30);
    let state = AtomicUsize::new(7);
    stage.proxy.decide(move |_| {
        let next = state.fetch_add(1, Ordering::SeqCst).wrapping_mul(2_654_435_761) % 1000;
        if next < 300 { Fate::Throttled } else { Fate::Passes }
    });
    let mut source = EventSource::new(settings(), shard(data));
    stage.deliver(&mut source).await;
    assert_eq!(stage.stored().await, ids);
    assert_eq!(stage.emulator.alerts().await.unwrap().len(), 10);
    assert!(source.discarded.is_empty());
}

#[tokio::test]
async fn a_storm_is_one_message_above_the_cap() {
    let mut stage = Stage::new().await;
    let (ids, data) = anomalies(80, 1);
    stage.deliver(&mut EventSource::new(settings(), shard(data))).await;
    assert_eq!(stage.stored().await, ids);
    let alerts = stage.emulator.alerts().await.unwrap();
    // A batch that crosses a minute of the clock has two minutes' worth.
    assert!((20..=40).contains(&alerts.len()), "{} alerts", alerts.len());
    let held = stage
        .emulator
        .items()
        .await
        .unwrap()
        .iter()
        .filter(|row| row.get("state").is_some_and(|s| s == "held"))
        .count();
    assert_eq!(alerts.len() + held, 80);
}

#[tokio::test]
async fn the_largest_batches_and_records_go_through() {
    let mut stage = Stage::new().await;
    let batch = Settings { batch_size: 10_000, ..settings() };
    // A record of 1 MiB is no anomaly that the store can take: it goes to quarantine in parts.
    let mut large = br#"{"id":""#.to_vec();
    large.resize(1024 * 1024, b'x');
    let mut used = Used::default();
    stage.deliver(&mut EventSource::new(batch.clone(), shard(vec![large.clone()]))).await;
    used.within(&stage, "one record of 1 MiB");
    let mut parts = stage.quarantined().await;
    parts.sort_by_key(|part| part["part"].as_u64());
    let whole: Vec<u8> =
        parts.iter().flat_map(|part| STANDARD.decode(part["raw"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(whole, large);
    assert_eq!(parts.len() as u64, parts[0]["parts"].as_u64().unwrap());

    // 10,000 records, all of them bad.
    let bad: Vec<Vec<u8>> = (0..10_000).map(|n: u32| n.to_string().into_bytes()).collect();
    let mut source = EventSource::new(batch.clone(), shard(bad));
    stage.deliver(&mut source).await;
    used.within(&stage, "10,000 bad records");
    assert_eq!(stage.emulator.count(&stage.emulator.quarantine).await.unwrap(), 10_000);
    assert!(source.discarded.is_empty());

    // As many as fit into one invocation, all of them the same anomaly.
    let (id, record) = anomaly("pump", 1);
    let mut source = EventSource::new(batch, shard(vec![record; 10_000]));
    stage.deliver(&mut source).await;
    assert_eq!(stage.stored().await, BTreeSet::from([id]));
    used.within(&stage, "10,000 duplicates");
    assert_eq!(stage.emulator.alerts().await.unwrap().len(), 1);
    assert!(source.discarded.is_empty());
}

/// What the process has used so far. The bounds are several times of what it uses: they catch a copy too many and work that
/// grows with the square of the batch.
#[derive(Default)]
struct Used {
    cpu: Duration,
}

impl Used {
    fn within(&mut self, stage: &Stage, what: &str) {
        let usage = stage.function.usage().unwrap();
        let cpu = usage.cpu - std::mem::replace(&mut self.cpu, usage.cpu);
        eprintln!("{what}: {} ms of processor, peak {} MB", cpu.as_millis(), usage.peak_memory / 1_000_000);
        assert!(cpu < Duration::from_secs(10), "{what}: {cpu:?} of processor time");
        // Lambda's smallest function has 128 MB.
        assert!(usage.peak_memory < 100_000_000, "{what}: {} bytes", usage.peak_memory);
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_the_check_and_not_the_first_anomaly() {
    let stage = Stage::new().await;
    let binary = lambda_binary("alerter").unwrap();
    let environment = stage.emulator.alerter_environment(&stage.proxy.url);
    let (binary, environment) = (&binary, &environment);
    let checks = [
        ("WEIR_TABLE_NAME", "no-such-table"),
        ("WEIR_TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:none"),
        ("WEIR_QUARANTINE_URL", "http://127.0.0.1:1/none"),
    ];
    join_all(checks.map(async |(name, value)| {
        let changed: Vec<(&str, &str)> =
            environment.iter().map(|(n, v)| (n.as_str(), if n == name { value } else { v.as_str() })).collect();
        let mut function = Function::new(binary, &changed, Duration::from_secs(8));
        let answer = function.invoke(&json!({"weir": "check"})).await.unwrap();
        let Invoked::Error(error) = answer else { panic!("{name}: {answer:?}") };
        assert!(error["errorMessage"].as_str().unwrap().contains(&format!("hint: check {name}")), "{error}");
    }))
    .await;
    let wrong = [("WEIR_TABLE_NAME", "t t")];
    let mut function = Function::new(binary, &wrong, TIMEOUT);
    assert_eq!(function.invoke(&json!({"weir": "check"})).await.unwrap(), Invoked::Died);
}

/// On AWS the first call of a new function comes before its role's permissions have reached every service.
#[tokio::test]
async fn the_check_waits_for_permissions_and_not_for_ever() {
    let mut stage = Stage::new().await;
    // The table allows at first nothing, then the queue.
    let (table, queue) = (AtomicUsize::new(0), AtomicUsize::new(0));
    stage.proxy.decide(move |call| {
        let (seen, denials) = if call.action.starts_with("DynamoDB") { (&table, 2) } else { (&queue, 1) };
        if seen.fetch_add(1, Ordering::SeqCst) < denials { Fate::Denied } else { Fate::Passes }
    });
    let answer = stage.function.invoke(&json!({"weir": "check"})).await.unwrap();
    assert_eq!(answer, Invoked::Response(json!({"ok": true})));

    stage.proxy.decide(|call| if call.action.contains("SQS") { Fate::Denied } else { Fate::Passes });
    let payload = serde_json::to_vec(&json!({"weir": "check"})).unwrap();
    let answer = stage.function.invoke_within(payload, Duration::from_secs(6)).await.unwrap();
    let Invoked::Error(error) = answer else { panic!("{answer:?}") };
    let text = error["errorMessage"].as_str().unwrap();
    assert!(text.starts_with("the quarantine queue does not work: denied: AccessDeniedException"), "{text}");
    assert!(text.contains(" (still, after ") && text.contains("hint: check WEIR_QUARANTINE_URL"), "{text}");
}

/// The permissions of one action of AWS's wire protocols.
fn permissions(action: &str) -> &'static [&'static str] {
    match action {
        // One call for both statements; which it holds is not seen from outside.
        "DynamoDB_20120810.BatchExecuteStatement" => &["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
        "DynamoDB_20120810.GetItem" => &["dynamodb:GetItem"],
        "DynamoDB_20120810.Query" => &["dynamodb:Query"],
        "DynamoDB_20120810.UpdateItem" => &["dynamodb:UpdateItem"],
        "AmazonSQS.GetQueueAttributes" => &["sqs:GetQueueAttributes"],
        "AmazonSQS.SendMessageBatch" => &["sqs:SendMessage"],
        "sns.GetTopicAttributes" => &["sns:GetTopicAttributes"],
        "sns.PublishBatch" => &["sns:Publish"],
        other => panic!("{other} is no call of the alerter"),
    }
}

#[tokio::test]
async fn it_is_allowed_what_it_calls_and_nothing_else() {
    let mut stage = Stage::new().await;
    // Everything it can do: the check, new anomalies, duplicates, a storm, poison, a probe, a sweep.
    assert!(matches!(stage.function.invoke(&json!({"weir": "check"})).await.unwrap(), Invoked::Response(_)));
    let (_, mut data) = anomalies(30, 1);
    data.push(data[0].clone());
    data.push(b"bad".to_vec());
    stage.deliver(&mut EventSource::new(settings(), shard(data.clone()))).await;
    stage.deliver(&mut EventSource::new(settings(), shard(data))).await;
    stage.sweep().await;
    let calls: BTreeSet<String> = stage.proxy.calls.lock().unwrap().iter().map(|call| call.action.clone()).collect();
    let called: BTreeSet<&str> = calls.iter().flat_map(|action| permissions(action)).copied().collect();

    let policy = std::fs::read_to_string(root().join("terraform/modules/alerts/alerter.tf")).unwrap();
    let own = |word: &&str| ["dynamodb:", "sqs:", "sns:"].iter().any(|service| word.starts_with(service));
    let allowed: BTreeSet<&str> = policy.split('"').filter(own).collect();
    assert_eq!(called, allowed);
}
