//! From an invocation's payload to single records: each is parsed on its own, so that one bad record costs one record.

use serde::Deserialize;
use serde_json::value::RawValue;
use weir_anomaly::{Anomaly, Poison, Record, RecordError, kpl};
pub use weir_lambda::kinesis::Origin;
use weir_lambda::kinesis::{self, Arrived};

/// What the function was invoked with.
#[derive(Debug)]
pub enum Invocation<'a> {
    /// A batch of Kinesis records.
    Batch(Vec<&'a RawValue>),
    /// The schedule's call to do what is due.
    Sweep,
    /// The deploy's call to say whether the configuration works.
    Check,
}

/// One Kinesis record, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Where it came from.
    pub origin: Origin,
    /// What it holds: one entry, or several when a producer aggregated.
    pub entries: Vec<Entry>,
}

/// One record of the stream as its producer meant it.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Something unusual.
    Anomaly(Box<Anomaly>),
    /// An event that was none, on its way to quarantine.
    Poison(Poison),
    /// Bytes that are neither.
    Invalid {
        /// The bytes.
        raw: Vec<u8>,
        /// Why not.
        error: RecordError,
    },
}

/// A payload that is none of the three.
#[derive(Debug, thiserror::Error)]
#[error("the payload is no Kinesis batch, {{\"weir\":\"sweep\"}} or {{\"weir\":\"check\"}}: {0}")]
pub struct PayloadError(String);

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<Vec<&'a RawValue>>,
    weir: Option<&'a str>,
}

impl<'a> Invocation<'a> {
    /// Reads a payload without looking into its records.
    ///
    /// # Errors
    /// When the payload is none of the three.
    pub fn read(payload: &'a str) -> Result<Self, PayloadError> {
        let payload: Payload<'a> = serde_json::from_str(payload).map_err(|e| PayloadError(e.to_string()))?;
        match (payload.records, payload.weir) {
            (Some(records), None) => Ok(Self::Batch(records)),
            (None, Some("sweep")) => Ok(Self::Sweep),
            (None, Some("check")) => Ok(Self::Check),
            _ => Err(PayloadError("it has neither `Records` nor a known `weir`".to_owned())),
        }
    }
}

/// Takes one record of a batch apart. A record whose envelope is not as documented goes to quarantine as the text that
/// Lambda handed over, and the rest of its batch goes on.
#[must_use]
pub fn record(raw: &RawValue) -> Decoded {
    let Arrived { origin, data, .. } = kinesis::read(raw);
    let entries = match data {
        Ok(bytes) => entries(&bytes),
        Err(error) => {
            let error = RecordError::NotJson(error.to_string());
            vec![Entry::Invalid { raw: raw.get().as_bytes().to_vec(), error }]
        }
    };
    Decoded { origin, entries }
}

/// The bytes of one entry of a record, as its producer wrote them: for what turns out later to belong into quarantine. Taken
/// apart again, so that nothing is kept for the many that never need it.
#[must_use]
pub fn bytes_of(raw: &RawValue, entry: usize) -> Option<Vec<u8>> {
    let bytes = kinesis::read(raw).data.ok()?;
    match kpl::deaggregate(&bytes) {
        Some(records) => records.get(entry).map(|record| record.data.to_vec()),
        None => (entry == 0).then_some(bytes),
    }
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    match kpl::deaggregate(bytes) {
        Some(records) => records.iter().map(|record| entry(record.data)).collect(),
        None => vec![entry(bytes)],
    }
}

fn entry(bytes: &[u8]) -> Entry {
    match Record::parse(bytes) {
        Ok(Record::Anomaly(anomaly)) => Entry::Anomaly(anomaly),
        Ok(Record::Poison(poison)) => Entry::Poison(poison),
        Err(error) => Entry::Invalid { raw: bytes.to_vec(), error },
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn event(data: &str) -> String {
        format!(
            r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"p","sequenceNumber":"49","data":"{data}","approximateArrivalTimestamp":1732336800.25}},
            "eventSource":"aws:kinesis","eventID":"shardId-000000000001:49","eventSourceARN":"arn:aws:kinesis:eu-west-1:1:stream/weir-anomalies"}}"#
        )
    }

    fn decode(data: &[u8]) -> Decoded {
        let raw = RawValue::from_string(event(&STANDARD.encode(data))).unwrap();
        record(&raw)
    }

    #[test]
    fn knows_where_a_record_came_from() {
        let decoded = decode(b"{}");
        assert_eq!(
            decoded.origin,
            Origin {
                stream: "weir-anomalies".to_owned(),
                shard_id: "shardId-000000000001".to_owned(),
                sequence_number: "49".to_owned(),
                arrival_millis: Some(1_732_336_800_250),
            }
        );
        assert!(matches!(decoded.entries.as_slice(), [Entry::Invalid { raw, .. }] if raw == b"{}"));
    }

    #[test]
    fn the_time_of_arrival_may_have_any_digits_or_be_missing() {
        let times = ["1732336800.678153", "1.7323368006781538E9", "1732336800", "null", "\"now\""];
        for time in times {
            let text = event(&STANDARD.encode(b"{}")).replace("1732336800.25", time);
            let raw = RawValue::from_string(text).unwrap();
            let decoded = record(&raw);
            assert!(matches!(decoded.entries.as_slice(), [Entry::Invalid { raw, .. }] if raw == b"{}"), "{time}");
            assert_eq!(decoded.origin.sequence_number, "49", "{time}");
            assert_eq!(bytes_of(&raw, 0), Some(b"{}".to_vec()), "{time}");
        }
        let decoded = record(&RawValue::from_string(event("e30=").replace(".25", ".6781538")).unwrap());
        assert_eq!(decoded.origin.arrival_millis, Some(1_732_336_800_678));
    }

    #[test]
    fn an_aggregated_record_is_several() {
        use md5::{Digest, Md5};
        // partition key table ["p"], then two records (index 0, data `{}` and `[]`).
        let message = b"\x0a\x01p\x1a\x06\x08\x00\x1a\x02{}\x1a\x06\x08\x00\x1a\x02[]";
        let bytes = [&[0xF3, 0x89, 0x9A, 0xC2], message.as_slice(), &Md5::digest(message)].concat();
        let raws: Vec<_> = decode(&bytes)
            .entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Invalid { raw, .. } => raw,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(raws, [b"{}".to_vec(), b"[]".to_vec()]);
        let raw = RawValue::from_string(event(&STANDARD.encode(&bytes))).unwrap();
        assert_eq!([0, 1, 2].map(|at| bytes_of(&raw, at)), [Some(b"{}".to_vec()), Some(b"[]".to_vec()), None]);
    }

    #[test]
    fn an_envelope_that_is_not_as_documented_is_one_bad_record_with_its_whole_text() {
        let (no_base64, no_data) = (event("!!!"), r#"{"kinesis":{"sequenceNumber":"49"}}"#.to_owned());
        for text in [no_base64, no_data, "{}".to_owned(), "[1]".to_owned(), r#"{"kinesis":7}"#.to_owned()] {
            let decoded = record(&RawValue::from_string(text.clone()).unwrap());
            assert!(
                matches!(decoded.entries.as_slice(), [Entry::Invalid { raw, .. }] if *raw == text.as_bytes()),
                "{text}"
            );
            assert_eq!(decoded.origin.sequence_number, if text.contains("49") { "49" } else { "" }, "{text}");
        }
    }

    #[test]
    fn knows_its_three_invocations() {
        assert!(matches!(Invocation::read(r#"{"weir":"sweep"}"#), Ok(Invocation::Sweep)));
        assert!(matches!(Invocation::read(r#"{"weir":"check"}"#), Ok(Invocation::Check)));
        assert!(matches!(Invocation::read(r#"{"Records":[{},1]}"#), Ok(Invocation::Batch(r)) if r.len() == 2));
        for wrong in ["{}", "[]", "1", r#"{"weir":"dance"}"#, r#"{"Records":{}}"#, ""] {
            assert!(Invocation::read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_data_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(&bytes).entries.len(), 1);
        }

        #[test]
        fn no_payload_makes_it_panic(text in ".{0,200}") {
            let _ = Invocation::read(&text);
        }
    }
}
