//! The plain stream, in Kinesis.

use async_trait::async_trait;
use aws_sdk_kinesis::{
    Client, operation::put_records::PutRecordsOutput, primitives::Blob, types::PutRecordsRequestEntry,
};
use aws_types::SdkConfig;
use futures::{StreamExt as _, stream};
use weir_lambda::{
    fault::{class, fault},
    shards,
};

use crate::ports::{Fault, PlainStream, Put};

/// PutRecords takes no more records…
const MAX_RECORDS: usize = 500;
/// …and no more than 5 MiB of them
/// (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>): a little is left for keys.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Calls in flight at once: a call is some megabytes, and the shards behind it are the limit, not the network.
const CONCURRENCY: usize = 4;
/// Kinesis wants a partition key also where a hash key decides.
const PARTITION_KEY: &str = "weir-gate";

/// The stream.
pub struct KinesisPlainStream {
    client: Client,
    name: String,
}

impl KinesisPlainStream {
    /// The stream of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, name: &str) -> Self {
        Self { client: Client::new(sdk), name: name.to_owned() }
    }

    async fn put_chunk(&self, records: &[Put]) -> Vec<Result<(), Fault>> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let entry = PutRecordsRequestEntry::builder()
                .data(Blob::new(record.data.as_ref()))
                .partition_key(PARTITION_KEY)
                .explicit_hash_key(&record.hash_key)
                .build();
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => return vec![Err(Fault::Configuration(error.to_string())); records.len()],
            }
        }
        match self.client.put_records().stream_name(&self.name).set_records(Some(entries)).send().await {
            Ok(output) => (0..records.len()).map(|index| answer(&output, index)).collect(),
            Err(error) => vec![Err(fault(&error)); records.len()],
        }
    }
}

#[async_trait]
impl PlainStream for KinesisPlainStream {
    async fn put(&self, records: &[Put]) -> Vec<Result<(), Fault>> {
        let calls: Vec<_> = chunks(records).into_iter().map(|chunk| self.put_chunk(chunk)).collect();
        let answers: Vec<Vec<_>> = stream::iter(calls).buffered(CONCURRENCY).collect().await;
        answers.into_iter().flatten().collect()
    }

    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        shards::open_shards(&self.client, &self.name).await.map_err(|error| fault(&error))
    }
}

/// What became of one record. The call succeeds though records fail: only what has a sequence number is there.
fn answer(output: &PutRecordsOutput, index: usize) -> Result<(), Fault> {
    match output.records().get(index) {
        Some(entry) => match entry.error_code() {
            None if entry.sequence_number().is_some() => Ok(()),
            None => Err(Fault::Retryable("no answer".to_owned())),
            Some(code) => Err(class(code, entry.error_message().unwrap_or_default())),
        },
        None => Err(Fault::Retryable("no answer".to_owned())),
    }
}

/// Cuts records into calls by number and bytes.
fn chunks(records: &[Put]) -> Vec<&[Put]> {
    let mut chunks = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |record: &&Put| {
            bytes += record.data.len();
            bytes <= MAX_BYTES
        };
        let count = rest.iter().take(MAX_RECORDS).take_while(fits).count().max(1);
        let (chunk, after) = rest.split_at(count);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::types::PutRecordsResultEntry;

    use super::*;

    #[test]
    fn only_what_has_a_sequence_number_is_there() {
        let put = PutRecordsResultEntry::builder().sequence_number("49").shard_id("shardId-000000000000").build();
        let refused = PutRecordsResultEntry::builder().error_code("ProvisionedThroughputExceededException").build();
        let output = PutRecordsOutput::builder().records(put).records(refused);
        let output = output.records(PutRecordsResultEntry::builder().build()).build().unwrap();
        assert_eq!(answer(&output, 0), Ok(()));
        for index in 1..4 {
            assert!(answer(&output, index).is_err_and(|fault| fault.is_retryable()), "{index}");
        }
    }

    #[test]
    fn calls_hold_the_limits_and_every_record() {
        let put = |length: usize| Put { hash_key: "0".to_owned(), data: vec![0; length].into() };
        let records: Vec<Put> = [MAX_BYTES / 2, MAX_BYTES / 2, 1, MAX_BYTES * 2, 1].map(put).into();
        assert_eq!(chunks(&records).iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [2, 1, 1, 1]);
        let many: Vec<Put> = (0..1_200).map(|_| put(1)).collect();
        assert_eq!(chunks(&many).iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), [500, 500, 200]);
    }
}
