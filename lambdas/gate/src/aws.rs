//! The plain stream, in Kinesis.

use async_trait::async_trait;
use aws_sdk_kinesis::{
    Client, operation::put_records::PutRecordsOutput, primitives::Blob, types::PutRecordsRequestEntry,
};
use aws_types::SdkConfig;
use weir_lambda::{
    buffered, chunks,
    fault::{class, fault},
    shards::{self, Named},
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

    async fn put_chunk(&self, records: Vec<&Put>) -> Vec<Result<(), Fault>> {
        let mut entries = Vec::with_capacity(records.len());
        for record in &records {
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
        let chunks = chunks(records, MAX_RECORDS, MAX_BYTES, |record| record.data.len());
        buffered(chunks.into_iter().map(|chunk| self.put_chunk(chunk)), CONCURRENCY).await.concat()
    }

    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        shards::open_shards(&self.client, &Named::Name(self.name.clone())).await.map_err(|error| fault(&error))
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

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::types::PutRecordsResultEntry;
    use weir_stream::limits::MAX_PLAIN_ROW_BYTES;

    use super::*;
    use crate::lanes::{LANES, MAX_RECORD_BYTES, WAVE_BYTES};

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

    /// The laws count on it: a wave that begins in time ends in time.
    #[test]
    fn a_wave_is_one_round_of_calls() {
        let put = |length: usize| Put { hash_key: "0".to_owned(), data: vec![0; length].into() };
        for length in [MAX_PLAIN_ROW_BYTES, MAX_RECORD_BYTES, 1] {
            let most = (WAVE_BYTES / length + 1).min(usize::try_from(LANES).unwrap());
            let wave: Vec<Put> = std::iter::repeat_with(|| put(length)).take(most).collect();
            let calls = chunks(&wave, MAX_RECORDS, MAX_BYTES, |record| record.data.len()).len();
            assert!(calls <= CONCURRENCY, "{calls} calls for {most} records of {length} bytes");
        }
    }
}
