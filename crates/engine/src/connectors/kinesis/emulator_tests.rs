//! The real client against an emulator that runs already, where `WEIR_TEST_EMULATOR` says that `AWS_ENDPOINT_URL` is one:
//!
//! `WEIR_TEST_EMULATOR=1 AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test
//! AWS_SECRET_ACCESS_KEY=test cargo test -p weir-engine --lib emulator`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;

use super::{KinesisSource, open_sink, open_source};
use crate::aws::aws_config;
use crate::connectors::{Polled, Sink, SinkRow, Source};

/// How long the emulator may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn skipped(test: &str) -> bool {
    let skipped = std::env::var_os("WEIR_TEST_EMULATOR").is_none();
    if skipped {
        println!("skipped {test}: WEIR_TEST_EMULATOR is not set");
    }
    skipped
}

fn options(stream: &str, entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    let named = [("stream_name", stream)];
    named.iter().chain(entries).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn create(shards: i32) -> (Client, String) {
    let client = Client::new(&aws_config(None).await);
    let stream = format!("weir-test-{}-{}", std::process::id(), chrono::Utc::now().timestamp_micros());
    client.create_stream().stream_name(&stream).shard_count(shards).send().await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.describe_stream_summary().stream_name(&stream).send().await.unwrap();
        if answer.stream_description_summary().unwrap().stream_status().as_str() == "ACTIVE" {
            return (client, stream);
        }
        assert!(Instant::now() < deadline, "the stream does not become active");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn write(stream: &str, numbers: std::ops::Range<usize>) {
    let mut sink = open_sink(&options(stream, &[])).await.unwrap();
    let row = |number: usize| {
        let key = format!("k{}", number % 50);
        SinkRow { payload: format!("{key}:{number:06}").into(), key: Some(key) }
    };
    sink.write(numbers.map(row).collect()).await.unwrap();
    sink.flush().await.unwrap();
}

async fn read(source: &mut KinesisSource, count: usize, into: &mut Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    while into.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} came", into.len());
        if let Polled::Records(records) = source.poll(1_000, Duration::from_millis(100)).await.unwrap() {
            assert!(records.iter().all(|record| record.arrival_nanos.is_some()));
            into.extend(records.iter().map(|record| String::from_utf8_lossy(&record.payload).into_owned()));
        }
    }
}

fn assert_once_and_in_order(mut seen: Vec<String>, count: usize) {
    let mut latest: BTreeMap<String, String> = BTreeMap::new();
    for text in &seen {
        let (key, number) = text.split_once(':').unwrap();
        let before = latest.insert(key.to_owned(), number.to_owned());
        assert!(before.is_none_or(|before| before.as_str() < number), "{text} is out of order");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[tokio::test]
async fn emulator_what_is_written_is_read_across_a_reshard_and_a_restart() {
    if skipped("emulator_what_is_written_is_read_across_a_reshard_and_a_restart") {
        return;
    }
    let (client, stream) = create(2).await;
    let started = Instant::now();
    write(&stream, 0..2_000).await;
    println!("2000 rows of 50 keys written in {:?}", started.elapsed());
    let from_start = options(&stream, &[("source.offset", "earliest")]);
    let mut source = open_source(&from_start, None).await.unwrap();
    let mut seen = Vec::new();
    read(&mut source, 500, &mut seen).await;
    let shard = client.list_shards().stream_name(&stream).send().await.unwrap().shards()[0].clone();
    let range = shard.hash_key_range().unwrap();
    let (low, high): (u128, u128) =
        (range.starting_hash_key().parse().unwrap(), range.ending_hash_key().parse().unwrap());
    let middle = (low + (high - low) / 2).to_string();
    client
        .split_shard()
        .stream_name(&stream)
        .shard_to_split(shard.shard_id())
        .new_starting_hash_key(middle)
        .send()
        .await
        .unwrap();
    write(&stream, 2_000..4_000).await;
    let position = source.position();
    drop(source);
    let mut source = open_source(&from_start, Some(&position)).await.unwrap();
    read(&mut source, 4_000, &mut seen).await;
    assert_eq!(source.partitions().len(), 3);
    assert_once_and_in_order(seen, 4_000);
    client.delete_stream().stream_name(&stream).send().await.unwrap();
}

#[tokio::test]
async fn emulator_latest_keeps_what_comes_while_down() {
    if skipped("emulator_latest_keeps_what_comes_while_down") {
        return;
    }
    let (client, stream) = create(2).await;
    write(&stream, 0..100).await;
    let position = open_source(&options(&stream, &[]), None).await.unwrap().position();
    write(&stream, 100..300).await;
    let mut source = open_source(&options(&stream, &[]), Some(&position)).await.unwrap();
    let mut seen = Vec::new();
    read(&mut source, 200, &mut seen).await;
    assert!(seen.iter().all(|text| text.split_once(':').unwrap().1 >= "000100"));
    client.delete_stream().stream_name(&stream).send().await.unwrap();
}

#[tokio::test]
async fn emulator_a_stream_that_does_not_exist_is_named() {
    if skipped("emulator_a_stream_that_does_not_exist_is_named") {
        return;
    }
    let error = open_source(&options("no-such-stream", &[]), None).await.err().unwrap().to_string();
    assert!(error.starts_with("kinesis stream no-such-stream at http"), "{error}");
    assert!(error.ends_with("check the name, the region and the account"), "{error}");
}

#[tokio::test]
async fn emulator_rows_without_a_key_are_written_fast() {
    if skipped("emulator_rows_without_a_key_are_written_fast") {
        return;
    }
    let (client, stream) = create(4).await;
    let mut sink = open_sink(&options(&stream, &[])).await.unwrap();
    const ROWS: usize = 20_000;
    let started = Instant::now();
    sink.write((0..ROWS).map(|row| SinkRow { payload: format!("{row:0200}").into(), key: None }).collect())
        .await
        .unwrap();
    sink.flush().await.unwrap();
    println!("{ROWS} rows of 200 bytes written in {:?}", started.elapsed());
    let started = Instant::now();
    let mut seen = Vec::new();
    let mut source = open_source(&options(&stream, &[("source.offset", "earliest")]), None).await.unwrap();
    read(&mut source, ROWS, &mut seen).await;
    println!("{ROWS} rows read in {:?}", started.elapsed());
    client.delete_stream().stream_name(&stream).send().await.unwrap();
}
