//! What a message says of a batch that the alerter gave up on.
//!
//! Lambda writes it, to the queue itself or, with `keep_failed_records`, to S3 with the records; then the queue has S3's own
//! notification. <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use serde::Deserialize;
use serde_json::Value;
use weir_anomaly::base64_bytes;
use weir_cloud::stream::PutRecord;

/// One message of the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A batch by its place in the stream.
    Batch(Batch),
    /// Objects that hold such batches with their records: bucket and key of each.
    Objects(Vec<(String, String)>),
    /// What S3 sends once, when it is told where to notify.
    Test,
}

/// A batch of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) stream: String,
    pub(super) place: Place,
    /// Why it was given up.
    pub(super) condition: String,
    /// When.
    pub(super) timestamp: String,
}

/// Where the records are on their stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    pub(super) shard_id: String,
    pub(super) start_sequence_number: String,
    pub(super) end_sequence_number: String,
    pub(super) batch_size: usize,
    stream_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    #[serde(default)]
    request_context: RequestContext,
    #[serde(default)]
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo")]
    place: Place,
    /// The event that the function was called with; in S3 only.
    payload: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RequestContext {
    condition: String,
}

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<Notified>,
}

#[derive(Deserialize)]
struct Notified {
    s3: Stored,
}

#[derive(Deserialize)]
struct Stored {
    bucket: Named,
    object: Keyed,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Keyed {
    key: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<EventRecord>,
}

#[derive(Deserialize)]
struct EventRecord {
    kinesis: EventData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventData {
    data: String,
    partition_key: String,
}

impl Invocation {
    fn batch(self) -> Batch {
        let stream = self.place.stream_arn.rsplit_once('/').map_or_else(String::new, |(_, name)| name.to_owned());
        Batch { stream, place: self.place, condition: self.request_context.condition, timestamp: self.timestamp }
    }
}

/// Reads a message of the queue; says why it is none of these.
pub(super) fn read(body: &str) -> Result<Failure, String> {
    let value: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Failure::Test);
    }
    if value.get("KinesisBatchInfo").is_some() {
        let invocation: Invocation = serde_json::from_value(value).map_err(|error| error.to_string())?;
        return Ok(Failure::Batch(invocation.batch()));
    }
    let notification: Notification = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let objects = notification.records.into_iter();
    let objects = objects.map(|record| Some((record.s3.bucket.name, decoded(&record.s3.object.key)?)));
    let objects: Option<Vec<_>> = objects.collect();
    Ok(Failure::Objects(objects.ok_or("the key of its object is no URL encoding of UTF-8")?))
}

/// The stream and the records of an object that Lambda wrote.
pub(super) fn records(object: &[u8]) -> Result<(Batch, Vec<PutRecord>), String> {
    let mut invocation: Invocation = serde_json::from_slice(object).map_err(|error| error.to_string())?;
    let event = match invocation.payload.take().ok_or("the object has no payload")? {
        Value::String(text) => serde_json::from_str::<Event>(&text),
        event => serde_json::from_value(event),
    };
    let event = event.map_err(|error| format!("its payload is no Kinesis event: {error}"))?;
    let record = |record: EventRecord| {
        let bytes = base64_bytes(&record.kinesis.data).map_err(|error| error.to_string())?;
        Ok(PutRecord::new(bytes, record.kinesis.partition_key))
    };
    let records = event.records.into_iter().map(record).collect::<Result<Vec<_>, String>>()?;
    Ok((invocation.batch(), records))
}

/// S3 names keys as in a URL's query: `+` is a space, `%2F` a slash.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = key.bytes();
    let mut text = Vec::with_capacity(key.len());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of Lambda's guide.
    fn invocation() -> Value {
        json!({
            "requestContext": {"requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5", "condition": "RetryAttemptsExhausted",
                "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:weir-alerter", "approximateInvokeCount": 1},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0", "timestamp": "2019-11-14T00:38:06.021Z",
            "KinesisBatchInfo": {"shardId": "shardId-000000000001",
                "startSequenceNumber": "49601189658422359378836298521827638475320189012309704722",
                "endSequenceNumber": "49601189658422359378836298522902373528957594348623495186",
                "approximateArrivalOfFirstRecord": "2019-11-14T00:38:04.835Z",
                "approximateArrivalOfLastRecord": "2019-11-14T00:38:05.580Z", "batchSize": 500,
                "streamArn": "arn:aws:kinesis:us-east-2:123456789012:stream/weir-anomalies"}
        })
    }

    #[test]
    fn a_batch_is_named_by_its_place() {
        let Ok(Failure::Batch(batch)) = read(&invocation().to_string()) else { panic!("no batch") };
        assert_eq!((batch.stream.as_str(), batch.condition.as_str()), ("weir-anomalies", "RetryAttemptsExhausted"));
        assert_eq!((batch.place.shard_id.as_str(), batch.place.batch_size), ("shardId-000000000001", 500));
    }

    #[test]
    fn an_object_is_found_and_its_records_are_read() {
        let notified = json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "weir-failures"},
            "object": {"key": "aws/lambda/0f2e/shardId-000000000001/2026/11/30/2026-11-30T08.00.00-a%2Bb+c%3D", "size": 9}}}]});
        let key = "aws/lambda/0f2e/shardId-000000000001/2026/11/30/2026-11-30T08.00.00-a+b c=".to_owned();
        assert_eq!(read(&notified.to_string()), Ok(Failure::Objects(vec![("weir-failures".to_owned(), key)])));

        let event = json!({"Records": [{"kinesis": {"data": "e30=", "partitionKey": "p", "sequenceNumber": "49"}}]});
        for payload in [event.clone(), Value::String(event.to_string())] {
            let mut object = invocation();
            object["payload"] = payload;
            let (batch, records) = records(object.to_string().as_bytes()).unwrap();
            assert_eq!((batch.stream.as_str(), records), ("weir-anomalies", vec![PutRecord::new("{}", "p")]));
        }
        assert!(records(invocation().to_string().as_bytes()).is_err(), "no records, nothing to send");
    }

    #[test]
    fn s3s_own_test_is_known_and_what_is_not_ours_is_said() {
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-30T08:00:00.000Z","Bucket":"weir-failures"}"#;
        assert_eq!(read(test), Ok(Failure::Test));
        for wrong in ["hello", "{}", "[]", r#"{"Records":[{}]}"#, r#"{"KinesisBatchInfo":{}}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let key = r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"a%ZZ"}}}]}"#;
        assert!(read(key).is_err());
    }
}
