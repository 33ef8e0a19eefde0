//! `weir failures`: what the alerter gave up on comes back on its stream, record by record, and leaves the queue only then.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{path::PathBuf, time::Duration};

use aws_sdk_kinesis::{
    primitives::Blob,
    types::{PutRecordsRequestEntry, Record, ShardIteratorType, StreamStatus},
};
use serde_json::{Value, json};
use tokio::process::Command;
use weir_lambda_tests::emulator::Emulator;

const POLL: Duration = Duration::from_millis(50);

struct Stage {
    emulator: Emulator,
    kinesis: aws_sdk_kinesis::Client,
    sqs: aws_sdk_sqs::Client,
    stream: String,
}

struct Said {
    code: Option<i32>,
    lines: Vec<Value>,
    err: String,
}

impl Stage {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let kinesis = aws_sdk_kinesis::Client::new(&emulator.sdk);
        let stream = emulator.table.clone();
        kinesis.create_stream().stream_name(&stream).shard_count(1).send().await.unwrap();
        loop {
            let answer = kinesis.describe_stream_summary().stream_name(&stream).send().await.unwrap();
            if answer.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        let sqs = aws_sdk_sqs::Client::new(&emulator.sdk);
        Self { emulator, kinesis, sqs, stream }
    }

    /// Any queue will do for the dead-letter queue.
    fn queue(&self) -> &str {
        &self.emulator.quarantine
    }

    /// Puts records and says their sequence numbers.
    async fn put(&self, records: &[&str]) -> Vec<String> {
        let entry = |data: &&str| {
            PutRecordsRequestEntry::builder().data(Blob::new(*data)).partition_key(format!("key of {data}"))
        };
        let entries = records.iter().map(|data| entry(data).build().unwrap()).collect();
        let answer =
            self.kinesis.put_records().stream_name(&self.stream).set_records(Some(entries)).send().await.unwrap();
        answer.records.into_iter().map(|record| record.sequence_number.unwrap()).collect()
    }

    async fn read(&self) -> Vec<Record> {
        let start = self.kinesis.get_shard_iterator().stream_name(&self.stream).shard_id("shardId-000000000000");
        let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        self.kinesis.get_records().set_shard_iterator(start.shard_iterator).send().await.unwrap().records
    }

    async fn send(&self, body: impl Into<String>) {
        self.sqs.send_message().queue_url(self.queue()).message_body(body).send().await.unwrap();
    }

    /// As Lambda names a batch that it gave up on.
    fn batch(&self, first: &str, last: &str, size: usize) -> String {
        json!({
            "requestContext": {"condition": "RetryAttemptsExhausted"}, "version": "1.0", "timestamp": "2026-11-30T08:00:00.000Z",
            "KinesisBatchInfo": {"shardId": "shardId-000000000000", "startSequenceNumber": first, "endSequenceNumber": last,
                "batchSize": size, "streamArn": format!("arn:aws:kinesis:us-east-1:000000000000:stream/{}", self.stream)}
        })
        .to_string()
    }

    async fn failures(&self, further: &[&str]) -> Said {
        let test: PathBuf = std::env::current_exe().unwrap();
        let mut weir = Command::new(test.ancestors().nth(2).unwrap().join("weir"));
        weir.args(["failures", "--queue-url", self.queue()]).args(further);
        weir.env("AWS_ENDPOINT_URL", format!("http://{}", self.emulator.address)).env("AWS_REGION", "us-east-1");
        weir.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let output = weir.output().await.unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        Said {
            code: output.status.code(),
            lines: out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[tokio::test]
async fn a_batch_that_was_given_up_is_shown_and_comes_back_whole() {
    let stage = Stage::new().await;
    let numbers = stage.put(&["a", "b", "c", "d", "e"]).await;
    stage.send(stage.batch(&numbers[1], &numbers[3], 3)).await;
    stage.send(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"weir-failures"}"#).await;
    stage.send("from another team").await;

    // A look hides nothing and changes nothing.
    for _ in 0..2 {
        let shown = stage.failures(&[]).await;
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        let mut conditions: Vec<&str> = shown.lines.iter().map(|line| line["condition"].as_str().unwrap()).collect();
        conditions.sort_unstable();
        assert_eq!(conditions, ["RetryAttemptsExhausted", "s3:TestEvent", "stray"]);
    }
    assert_eq!((stage.read().await.len(), stage.emulator.count(stage.queue()).await.unwrap()), (5, 3));

    let sent = stage.failures(&["--send-again"]).await;
    assert_eq!(sent.code, Some(0), "{}", sent.err);
    assert!(sent.err.contains("3 records were sent again"), "{}", sent.err);
    let records = stage.read().await;
    let texts: Vec<&str> = records.iter().map(|record| std::str::from_utf8(record.data.as_ref()).unwrap()).collect();
    assert_eq!(texts, ["a", "b", "c", "d", "e", "b", "c", "d"]);
    assert_eq!(records[6].partition_key.as_deref(), Some("key of c"), "records of one key keep their order");
    assert_eq!(stage.emulator.count(stage.queue()).await.unwrap(), 1, "what is not ours stays");
}

#[tokio::test]
async fn a_batch_of_which_some_is_gone_is_not_forgotten() {
    let stage = Stage::new().await;
    let numbers = stage.put(&["a", "b"]).await;
    stage.send(stage.batch(&numbers[0], &numbers[1], 3)).await;
    let sent = stage.failures(&["--send-again"]).await;
    assert_eq!(sent.code, Some(1), "{}", sent.err);
    assert!(sent.err.contains("2 of its 3 records are still on"), "{}", sent.err);
    assert_eq!(stage.read().await.len(), 4, "what is left is sent again all the same");
    assert_eq!(stage.emulator.count(stage.queue()).await.unwrap(), 1);
}
