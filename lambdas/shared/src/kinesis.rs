//! Kinesis records as Lambda hands them over: each is parsed on its own, so that one bad record costs one record.

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use weir_anomaly::{Timestamp, base64_bytes};

/// Where a record came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The stream's name.
    pub stream: String,
    /// The shard.
    pub shard_id: String,
    /// The record's place in the shard; what a partial batch response names.
    pub sequence_number: String,
    /// When the stream took it, milliseconds since the epoch.
    pub arrival_millis: Option<i64>,
}

impl Origin {
    /// When the stream took it, as text.
    #[must_use]
    pub fn arrival(&self) -> Option<String> {
        Some(Timestamp::from_millis(self.arrival_millis?)?.to_rfc3339_millis())
    }
}

/// One record, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Where it came from.
    pub origin: Origin,
    /// The stream's ARN; empty where the envelope has none.
    pub arn: String,
    /// What its producer named its shard by; empty where the envelope has none.
    pub partition_key: String,
    /// Its bytes.
    pub data: Result<Vec<u8>, EnvelopeError>,
}

/// An envelope that does not hold a record's bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the envelope is not that of a Kinesis record: {0}")]
pub struct EnvelopeError(String);

/// One record of a batch as Lambda hands it over. `KinesisEventRecord` of `aws_lambda_events` 1.2 cannot stand here: it reads the
/// fraction of `1732336800.25` as 25 milliseconds and refuses one of more than four digits.
#[derive(Deserialize)]
struct KinesisEventRecord {
    kinesis: KinesisRecord,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: Option<String>,
}

#[derive(Deserialize)]
struct KinesisRecord {
    data: String,
    #[serde(rename = "sequenceNumber")]
    sequence_number: String,
    #[serde(rename = "partitionKey")]
    partition_key: Option<String>,
    #[serde(rename = "approximateArrivalTimestamp")]
    arrival_seconds: Option<f64>,
}

/// What is left of an envelope that is not as documented: enough to name the record in a partial batch response, and its
/// bytes where they are there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct BrokenEnvelope {
    kinesis: BrokenRecord,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BrokenRecord {
    #[serde(rename = "sequenceNumber")]
    sequence_number: Option<String>,
    data: Value,
}

/// Takes one record of a batch out of its envelope.
#[must_use]
pub fn read(raw: &RawValue) -> Arrived {
    let error = match serde_json::from_str::<KinesisEventRecord>(raw.get()) {
        Ok(event) => match base64_bytes(&event.kinesis.data) {
            Ok(data) => {
                return Arrived {
                    origin: Origin {
                        stream: stream_name(event.event_source_arn.as_deref()),
                        shard_id: shard_id(event.event_id.as_deref()),
                        arrival_millis: event.kinesis.arrival_millis(),
                        sequence_number: event.kinesis.sequence_number,
                    },
                    arn: event.event_source_arn.unwrap_or_default(),
                    partition_key: event.kinesis.partition_key.unwrap_or_default(),
                    data: Ok(data),
                };
            }
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let envelope: BrokenEnvelope = serde_json::from_str(raw.get()).unwrap_or_default();
    let record = envelope.kinesis;
    let data = record.sequence_number.as_ref().and(record.data.as_str()).and_then(|data| base64_bytes(data).ok());
    Arrived {
        origin: Origin {
            stream: stream_name(envelope.event_source_arn.as_deref()),
            shard_id: shard_id(envelope.event_id.as_deref()),
            sequence_number: record.sequence_number.unwrap_or_default(),
            arrival_millis: None,
        },
        arn: envelope.event_source_arn.unwrap_or_default(),
        partition_key: String::new(),
        data: data.ok_or(EnvelopeError(error)),
    }
}

/// Lambda's partial batch response: everything from the lowest of these comes again, nothing when there are none.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>
#[must_use]
pub fn response(failed: &[String]) -> Value {
    let failures: Vec<Value> = failed.iter().map(|number| json!({ "itemIdentifier": number })).collect();
    json!({ "batchItemFailures": failures })
}

impl KinesisRecord {
    /// When the stream took the record, milliseconds since the epoch.
    fn arrival_millis(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a date fit; a cast of a double saturates")]
        self.arrival_seconds.map(|seconds| (seconds * 1000.0).round() as i64)
    }
}

/// The stream of `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME`.
fn stream_name(arn: Option<&str>) -> String {
    arn.and_then(|arn| arn.rsplit_once('/')).map(|(_, name)| name.to_owned()).unwrap_or_default()
}

/// The shard of an event id, `SHARD:SEQUENCE_NUMBER`.
fn shard_id(event_id: Option<&str>) -> String {
    event_id.and_then(|id| id.split_once(':')).map(|(shard, _)| shard.to_owned()).unwrap_or_default()
}
