//! The API over the AWS SDK, with the SDK's many errors sorted into [`Fault`]s.

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use bytes::Bytes;

use super::api::{
    EntryFault, Fault, KinesisApi, PutEntry, RecordPage, ShardInfo, ShardPage, Start, StreamRecord, is_throttle,
};
use crate::aws::{aws_config, set_endpoint};
use crate::connectors::ConnectorError;

/// A stream on AWS, or on what `AWS_ENDPOINT_URL` names.
#[derive(Debug)]
pub(super) struct AwsKinesis {
    client: Client,
    stream: String,
    place: String,
}

impl AwsKinesis {
    pub(super) async fn connect(stream: &str, region: Option<&str>) -> Result<Self, ConnectorError> {
        let config = aws_config(region).await;
        let Some(region) = config.region() else {
            return Err(ConnectorError::Configuration(format!(
                "kinesis stream {stream}: no aws region is set; set AWS_REGION, or 'aws_region' in the table"
            )));
        };
        let place = match set_endpoint(&config, "KINESIS") {
            Some(endpoint) => format!("at {endpoint}"),
            None => format!("in {region}"),
        };
        Ok(Self { client: Client::new(&config), stream: stream.to_owned(), place })
    }

    /// The stream's ARN, where it is named by that: so it may lie in another account.
    fn arn(&self) -> Option<String> {
        self.stream.starts_with("arn:").then(|| self.stream.clone())
    }

    /// Its name, where it is named by that: a call has one of both.
    fn name(&self) -> Option<String> {
        self.arn().is_none().then(|| self.stream.clone())
    }
}

#[async_trait]
impl KinesisApi for AwsKinesis {
    async fn list_shards(&self, next: Option<String>) -> Result<ShardPage, Fault> {
        // A token stands for the stream: AWS refuses both together.
        let request = self.client.list_shards();
        let request = match next {
            Some(token) => request.next_token(token),
            None => request.set_stream_name(self.name()).set_stream_arn(self.arn()),
        };
        let answer = request.send().await.map_err(sort)?;
        let shards = answer.shards.unwrap_or_default().into_iter();
        Ok(ShardPage {
            shards: shards
                .map(|shard| ShardInfo {
                    id: shard.shard_id,
                    parents: shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect(),
                })
                .collect(),
            next: answer.next_token,
        })
    }

    async fn shard_iterator(&self, shard: &str, start: &Start) -> Result<String, Fault> {
        let request =
            self.client.get_shard_iterator().set_stream_name(self.name()).set_stream_arn(self.arn()).shard_id(shard);
        let request = match start {
            Start::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Start::AtTimestamp(millis) => {
                request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(DateTime::from_millis(*millis))
            }
            Start::After(sequence) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(sequence)
            }
            Start::At(sequence) => {
                request.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(sequence)
            }
        };
        let answer = request.send().await.map_err(sort)?;
        answer.shard_iterator.ok_or_else(|| Fault::Passing("the answer has no shard iterator".into()))
    }

    async fn get_records(&self, iterator: &str, limit: Option<i32>) -> Result<RecordPage, Fault> {
        let answer = self.client.get_records().shard_iterator(iterator).set_stream_arn(self.arn()).set_limit(limit);
        let answer = answer.send().await.map_err(sort)?;
        Ok(RecordPage {
            records: answer
                .records
                .into_iter()
                .map(|record| StreamRecord {
                    sequence: record.sequence_number,
                    data: Bytes::from(record.data.into_inner()),
                    arrival_nanos: record
                        .approximate_arrival_timestamp
                        .and_then(|time| i64::try_from(time.as_nanos()).ok()),
                })
                .collect(),
            next: answer.next_shard_iterator,
            millis_behind: answer.millis_behind_latest.and_then(|millis| u64::try_from(millis).ok()),
            children: answer
                .child_shards
                .unwrap_or_default()
                .into_iter()
                .map(|child| ShardInfo { id: child.shard_id, parents: child.parent_shards })
                .collect(),
        })
    }

    async fn put_records(&self, entries: &[PutEntry]) -> Result<Vec<Result<(), EntryFault>>, Fault> {
        let mut request = self.client.put_records().set_stream_name(self.name()).set_stream_arn(self.arn());
        for entry in entries {
            let entry = PutRecordsRequestEntry::builder()
                .partition_key(&entry.partition_key)
                .data(Blob::new(entry.data.as_ref()))
                .build()
                .map_err(|error| Fault::Invalid(error.to_string()))?;
            request = request.records(entry);
        }
        let answer = request.send().await.map_err(sort)?;
        if answer.records.len() != entries.len() {
            return Err(Fault::Passing(format!(
                "{} records were sent, {} answered",
                entries.len(),
                answer.records.len()
            )));
        }
        let result = |code: Option<String>, message: Option<String>| match code {
            Some(code) => Err(EntryFault { code, message: message.unwrap_or_default() }),
            None => Ok(()),
        };
        Ok(answer.records.into_iter().map(|entry| result(entry.error_code, entry.error_message)).collect())
    }

    fn describe(&self) -> String {
        format!("kinesis stream {} {}", self.stream, self.place)
    }
}

/// Sorts what the SDK reports. What is not known is taken to pass unless the service itself refused the request: a retry
/// that helps nobody is visible, a source that gave up is down.
fn sort<E>(error: SdkError<E>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|service| service.code()).map(str::to_owned);
    let service_message = error.as_service_error().and_then(|service| service.message()).unwrap_or_default().to_owned();
    match (code, status) {
        (Some(code), status) => sort_code(&code, &service_message, status.unwrap_or_default()),
        (None, Some(status)) if (400..500).contains(&status) && status != 408 && status != 429 => {
            Fault::Denied(format!("http status {status}: {}", DisplayErrorContext(&error)))
        }
        (None, _) => {
            let text = DisplayErrorContext(&error).to_string();
            // The SDK has no type for it that outlives the dispatch.
            if text.contains("CredentialsNotLoaded") || text.contains("no providers in chain provided credentials") {
                return Fault::Denied("no aws credentials were found".into());
            }
            Fault::Passing(summary(&error, &text))
        }
    }
}

/// The kind of a transport fault and its innermost reason: the whole chain repeats itself over several lines.
fn summary<E>(error: &SdkError<E>, text: &str) -> String
where
    E: std::error::Error + 'static,
{
    let kind = match error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection",
        SdkError::ResponseError(_) => "the answer broke off",
        _ => "the call failed",
    };
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let reason = innermost.to_string();
    if reason.is_empty() { format!("{kind}: {text}") } else { format!("{kind}: {reason}") }
}

fn sort_code(code: &str, message: &str, status: u16) -> Fault {
    let text = format!("{code}: {message}");
    match code {
        "ExpiredIteratorException" => Fault::ExpiredIterator,
        "ExpiredNextTokenException" => Fault::ExpiredToken,
        "ResourceNotFoundException" => Fault::NotFound(text),
        "InvalidArgumentException" | "ValidationException" | "SerializationException" => Fault::Invalid(text),
        code if is_throttle(code) => Fault::Throttled(text),
        "ResourceInUseException"
        | "InternalFailureException"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "RequestTimeout" => Fault::Passing(text),
        _ if status == 429 => Fault::Throttled(text),
        _ if status >= 500 => Fault::Passing(text),
        _ => Fault::Denied(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_and_server_errors_pass() {
        for code in ["ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException"] {
            assert!(matches!(sort_code(code, "", 400), Fault::Throttled(_)), "{code}");
        }
        for (code, status) in [("ResourceInUseException", 400), ("InternalFailure", 500), ("AnythingNew", 503)] {
            assert!(matches!(sort_code(code, "", status), Fault::Passing(_)), "{code}");
        }
    }

    #[test]
    fn refusals_do_not_pass() {
        for code in
            ["AccessDeniedException", "UnrecognizedClientException", "KMSDisabledException", "ExpiredTokenException"]
        {
            assert!(matches!(sort_code(code, "", 400), Fault::Denied(_)), "{code}");
        }
        assert!(matches!(sort_code("ResourceNotFoundException", "", 400), Fault::NotFound(_)));
        assert!(matches!(sort_code("InvalidArgumentException", "", 400), Fault::Invalid(_)));
    }
}
