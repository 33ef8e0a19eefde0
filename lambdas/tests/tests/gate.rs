//! The real gate binary behind an event source mapping that behaves as AWS documents it, against the local emulator, through a
//! proxy that makes calls fail.

#![allow(clippy::panic, clippy::string_slice, clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::BTreeSet,
    io::Write as _,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_sdk_kinesis::types::ShardIteratorType;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use weir_lambda_tests::{
    EventSource, Function, Invoked, Outcome, Record, Settings,
    emulator::{Emulator, lambda_binary},
    proxy::{Call, Fate, Proxy},
};
use weir_stream::{Declaration, Decoder, Rows};

/// The function's timeout in these tests; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// One batch may come so often before the test gives up: each fault costs one.
const MAX_DELIVERIES: usize = 100;

const FLOWS: &str = "envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"{srcaddr} {bytes} {action}\"\nkey = \"srcaddr\"\n\
    ignore = \"action = 'NODATA'\"\n[fields]\nsrcaddr = { type = \"text\", required = true }\nbytes = \"integer\"\naction = \"text\"\n";

struct Stage {
    emulator: Emulator,
    proxy: Proxy,
    function: Function,
    kinesis: aws_sdk_kinesis::Client,
    plain: String,
}

impl Stage {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let proxy = Proxy::start(&emulator.address).await.unwrap();
        let kinesis = aws_sdk_kinesis::Client::new(&emulator.sdk);
        let plain = emulator.table.replace("anomalies", "flows-plain");
        kinesis.create_stream().stream_name(&plain).shard_count(2).send().await.unwrap();
        let begun = Instant::now();
        loop {
            let answer = kinesis.describe_stream_summary().stream_name(&plain).send().await.unwrap();
            if answer.stream_description_summary().is_some_and(|s| s.stream_status().as_str() == "ACTIVE") {
                break;
            }
            assert!(begun.elapsed() < TIMEOUT, "the stream does not become active");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let declaration = STANDARD.encode(gzip(FLOWS.as_bytes()));
        let environment = [
            ("AWS_ENDPOINT_URL", proxy.url.as_str()),
            ("WEIR_STREAM", "flows"),
            ("WEIR_DECLARATION", &declaration),
            ("WEIR_PLAIN_STREAM", &plain),
            ("WEIR_QUARANTINE_URL", &emulator.quarantine),
        ];
        let function = Function::new(&lambda_binary("gate").unwrap(), &environment, TIMEOUT).with_log();
        Self { emulator, proxy, function, kinesis, plain }
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

    /// The plain stream's records, shard by shard.
    async fn put(&self) -> Vec<Vec<String>> {
        let mut shards = Vec::new();
        let listed = self.kinesis.list_shards().stream_name(&self.plain).send().await.unwrap();
        for shard in listed.shards() {
            let start = self.kinesis.get_shard_iterator().stream_name(&self.plain).shard_id(shard.shard_id());
            let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
            let records = self.kinesis.get_records().set_shard_iterator(start.shard_iterator).send().await.unwrap();
            let text =
                |record: &aws_sdk_kinesis::types::Record| String::from_utf8(record.data().as_ref().to_vec()).unwrap();
            shards.push(records.records().iter().map(text).collect());
        }
        shards
    }

    /// The rows on it.
    async fn rows(&self) -> Vec<Value> {
        let records = self.put().await.concat();
        records.iter().flat_map(|record| record.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn quarantined(&self) -> Vec<Value> {
        self.emulator.drain(&self.emulator.quarantine).await.unwrap()
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A message of a CloudWatch Logs subscription, whose events have these texts.
fn message(texts: &[String]) -> Vec<u8> {
    let events: Vec<Value> = (0..)
        .zip(texts)
        .map(|(n, text)| json!({"id": n.to_string(), "timestamp": 1_767_225_600_000_i64 + n, "message": text}))
        .collect();
    let message = json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "flow-logs", "logStream": "eni-1",
        "subscriptionFilters": ["f"], "logEvents": events});
    gzip(message.to_string().as_bytes())
}

/// So many messages of five events, each event with a number of its own.
fn messages(count: usize) -> Vec<Vec<u8>> {
    let text = |n: usize| format!("10.0.0.{} {n} ACCEPT", n % 7);
    (0..count).map(|at| message(&(at * 5..at * 5 + 5).map(text).collect::<Vec<_>>())).collect()
}

fn shard(data: Vec<Vec<u8>>) -> Vec<Record> {
    let record =
        |(n, data): (usize, Vec<u8>)| Record { sequence_number: format!("{:056}", 49_000 + n), data, arrival: now() };
    data.into_iter().enumerate().map(record).collect()
}

fn settings() -> Settings {
    Settings {
        batch_size: 100,
        bisect: true,
        max_retries: Some(20),
        max_age_seconds: Some(3600.0),
        report_failures: true,
    }
}

#[tokio::test]
async fn log_events_become_rows_that_the_plain_declaration_reads() {
    let mut stage = Stage::new().await;
    let ignored = message(&["10.0.0.1 0 NODATA".to_owned()]);
    let broken = message(&["no flow".to_owned(), "10.0.0.9 7 REJECT".to_owned()]);
    let control = gzip(
        br#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#,
    );
    let bomb = gzip(&vec![b' '; 200_000_000]);
    let data = vec![messages(1).remove(0), control, ignored, broken, b"\xff no message".to_vec(), bomb.clone()];
    let mut source = EventSource::new(settings(), shard(data));
    assert_eq!(stage.deliver(&mut source).await, 1);
    let line = stage.function.last_line().await.unwrap();
    assert_eq!((&line["records"], &line["rows"], &line["quarantined"]), (&json!(6), &json!(6), &json!(3)), "{line}");

    let rows = stage.rows().await;
    let first = rows.iter().find(|row| row["bytes"] == 0).unwrap();
    assert_eq!(first["event_time"], "2026-01-01T00:00:00Z");
    assert_eq!((&first["srcaddr"], &first["log_group"]), (&json!("10.0.0.0"), &json!("flow-logs")));
    let flows = Declaration::parse("flows.toml".as_ref(), FLOWS).unwrap();
    let mut decoded = Rows::default();
    for record in stage.put().await.concat() {
        Decoder::new(&flows.plain()).decode(weir_stream::Record::new(record.as_bytes()), &mut decoded);
    }
    assert_eq!((decoded.rows().count(), decoded.refusals().count()), (6, 0));

    let mut quarantined: Vec<(String, Vec<u8>)> = Vec::new();
    for message in stage.quarantined().await {
        let raw = STANDARD.decode(message["raw"].as_str().unwrap()).unwrap();
        assert_eq!(message["parts"].as_u64().unwrap() > 1, message["reason"] == "too_large");
        quarantined.push((message["reason"].as_str().unwrap().to_owned(), raw));
    }
    quarantined.sort();
    let reasons: BTreeSet<&str> = quarantined.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["bad_envelope", "bad_format", "too_large"]));
    assert_eq!(quarantined[0].1, b"\xff no message", "byte for byte");
    assert_eq!(quarantined.iter().skip(2).map(|(_, raw)| raw.len()).sum::<usize>(), bomb.len());
}

/// What was put is not put again by the process that put it, and what was not is.
#[tokio::test]
async fn throttling_loses_nothing_and_doubles_nothing() {
    let mut stage = Stage::new().await;
    stage.proxy.decide(|call| {
        let put = call.action.contains("PutRecords");
        // Longer than the function tries by itself.
        if put && call.number < 10 { Fate::Throttled } else { Fate::Passes }
    });
    let mut source = EventSource::new(settings(), shard(messages(8)));
    assert!(stage.deliver(&mut source).await > 1);
    let rows = stage.rows().await;
    let mut numbers: Vec<u64> = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    assert!(source.discarded.is_empty());
}

#[tokio::test]
async fn only_what_quarantine_did_not_take_comes_again() {
    let mut stage = Stage::new().await;
    stage
        .proxy
        .decide(|call| if call.action.contains("SQS") && call.number < 12 { Fate::Throttled } else { Fate::Passes });
    let mut data = messages(6);
    data.insert(3, b"bad".to_vec());
    let mut source = EventSource::new(settings(), shard(data));
    let first = source.next(now()).unwrap();
    let Invoked::Response(answer) = stage.function.invoke(&source.event(&first)).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": format!("{:056}", 49_003)}]}));
    source.done(first, &Outcome::Answered(answer));
    stage.deliver(&mut source).await;
    assert_eq!((stage.rows().await.len(), stage.quarantined().await.len()), (30, 1));
}

/// The process dies at each of its calls in turn, with and without the call taking effect.
#[tokio::test]
async fn a_death_at_any_call_loses_nothing_and_keeps_each_keys_order() {
    let deaths = [Fate::AnswerLost, Fate::Hangs].into_iter().flat_map(|fate| (0..2).map(move |at| death(fate, at)));
    futures::future::join_all(deaths).await;
}

async fn death(fate: Fate, at: usize) {
    let mut stage = Stage::new().await;
    stage.proxy.decide(move |call: &Call| match call.number.cmp(&at) {
        std::cmp::Ordering::Equal => fate,
        // The process is not told, and ends.
        _ => Fate::Passes,
    });
    let mut data = messages(6);
    data.push(b"bad".to_vec());
    let mut source = EventSource::new(settings(), shard(data));
    if fate == Fate::Hangs {
        let batch = source.next(now()).unwrap();
        let event = serde_json::to_vec(&source.event(&batch)).unwrap();
        let ended = stage.function.invoke_within(event, Duration::from_millis(1500)).await.unwrap();
        let outcome = match ended {
            Invoked::Response(answer) => Outcome::Answered(answer),
            _ => Outcome::Failed,
        };
        source.done(batch, &outcome);
    }
    stage.deliver(&mut source).await;
    assert!(!stage.quarantined().await.is_empty());
    let mut ids = BTreeSet::new();
    for records in stage.put().await {
        let mut last = std::collections::BTreeMap::new();
        for line in records.iter().flat_map(|record| record.lines()) {
            let row: Value = serde_json::from_str(line).unwrap();
            if ids.insert(row["@record"].as_str().unwrap().to_owned()) {
                let number = row["bytes"].as_u64().unwrap();
                let before = last.insert(row["srcaddr"].as_str().unwrap().to_owned(), number);
                assert!(before.is_none_or(|before| before < number), "{fate:?} at {at}: {before:?}, then {number}");
            }
        }
    }
    assert_eq!(ids.len(), 30, "{fate:?} at {at}");
}

#[tokio::test]
async fn the_check_tries_every_permission_and_leaves_nothing_that_counts() {
    let mut stage = Stage::new().await;
    let answer = stage.function.invoke(&json!({"weir": "check"})).await.unwrap();
    assert_eq!(answer, Invoked::Response(json!({"ok": true})));
    assert_eq!(stage.rows().await, [json!({"weir": "heartbeat"})]);
    for (action, part) in
        [("ListShards", "the plain stream"), ("PutRecords", "the plain stream"), ("SQS", "the quarantine queue")]
    {
        stage.proxy.decide(move |call| if call.action.contains(action) { Fate::Denied } else { Fate::Passes });
        let payload = serde_json::to_vec(&json!({"weir": "check"})).unwrap();
        let answer = stage.function.invoke_within(payload, Duration::from_secs(6)).await.unwrap();
        let Invoked::Error(error) = answer else { panic!("{action}: {answer:?}") };
        assert!(error.to_string().contains(&format!("{part} does not work: denied")), "{error}");
    }
}
