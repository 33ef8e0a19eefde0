//! Messages for the quarantine queue: the raw bytes of what could not be an anomaly, and all that is needed to find out
//! why and to send it again.

use weir_anomaly::{Poison, Timestamp};
pub(crate) use weir_lambda::quarantine::invalid;
use weir_lambda::quarantine::{Body, PART_BYTES};

use crate::decode::Origin;

/// What a poison record may say beside its raw bytes: a hash, a stream's name, a time and an error take 400 bytes of it.
const MAX_OWN_TEXT: usize = 600;

/// Message bodies for an event that the program found to be none. Its `stream` is the events stream; shard and sequence
/// number are where its envelope lay. An envelope that was cut into parts before stays in those parts. One that no program
/// of ours writes (its raw bytes are none, or its fields would not fit into a message) is itself what goes to quarantine:
/// `envelope` gives its bytes.
#[must_use]
pub(crate) fn poison(
    origin: &Origin,
    entry: usize,
    poison: &Poison,
    envelope: impl FnOnce() -> Vec<u8>,
    now: Timestamp,
) -> Vec<String> {
    let reason = poison.reason.as_str();
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let own_text = poison.stream.len()
        + poison.reason.len()
        + poison.record_id.len()
        + length(&poison.arrival_time)
        + length(&poison.error);
    let why = poison.error.as_deref().unwrap_or("the event is none");
    let error = match poison.raw_bytes() {
        Ok(_) if own_text > MAX_OWN_TEXT => "its fields do not fit into a message".to_owned(),
        Ok(raw) if poison.parts <= 1 && raw.len() > PART_BYTES => {
            let moved = Origin { stream: poison.stream.clone(), ..origin.clone() };
            return invalid(&moved, entry, &raw, reason, why, now);
        }
        Ok(raw) if raw.len() > PART_BYTES => "its part does not fit into a message".to_owned(),
        Ok(_) => {
            return vec![
                Body {
                    stream: &poison.stream,
                    reason,
                    error: why,
                    raw: poison.raw.clone(),
                    part: poison.part,
                    parts: poison.parts,
                    record_id: &poison.record_id,
                    shard_id: &origin.shard_id,
                    sequence_number: &origin.sequence_number,
                    arrival_time: poison.arrival_time.clone().or_else(|| origin.arrival()),
                    quarantined_at: now.to_rfc3339_millis(),
                }
                .to_json(),
            ];
        }
        Err(error) => error.to_string(),
    };
    invalid(origin, entry, &envelope(), "invalid_field", &format!("a poison record, but {error}"), now)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;
    use serde_json::Value;
    use weir_lambda::quarantine::MAX_BODY_BYTES;

    use super::*;

    fn origin() -> Origin {
        Origin {
            stream: "weir-anomalies".to_owned(),
            shard_id: "shardId-000000000000".to_owned(),
            sequence_number: "49".to_owned(),
            arrival_millis: Some(1_000),
        }
    }

    fn poison_bodies(poison: &Poison) -> Vec<String> {
        super::poison(&origin(), 0, poison, || serde_json::to_vec(poison).unwrap(), Timestamp::from_nanos(0))
    }

    fn envelope(change: impl Fn(&mut Poison)) -> Poison {
        let mut poison = Poison {
            record_id: "c0ffee".to_owned(),
            stream: "weir-events".to_owned(),
            reason: weir_anomaly::PoisonReason::NotUtf8.as_str().to_owned(),
            error: Some("the record is not UTF-8".to_owned()),
            raw: "//79".to_owned(),
            part: 1,
            parts: 1,
            arrival_time: None,
        };
        change(&mut poison);
        poison
    }

    #[test]
    fn an_envelope_that_fits_no_message_is_itself_in_quarantine() {
        let broken: [&dyn Fn(&mut Poison); 6] = [
            &|p| p.raw = "no base64!".to_owned(),
            &|p| p.stream = "s".repeat(900_000),
            &|p| p.record_id = "\u{1}".repeat(100_000),
            &|p| p.arrival_time = Some("\u{FFFF}".repeat(50_000)),
            &|p| p.error = Some("\u{1}".repeat(50_000)),
            &|p| (p.parts, p.raw) = (2, "AAAA".repeat(200_000)),
        ];
        for change in broken {
            let poison = envelope(change);
            let bodies = poison_bodies(&poison);
            let mut found = Vec::new();
            for body in &bodies {
                assert!(body.len() <= MAX_BODY_BYTES && !body.contains(['\u{FFFE}', '\u{FFFF}']));
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["stream"], "weir-anomalies", "it is sent again to where it came from");
                found.extend(STANDARD.decode(body["raw"].as_str().unwrap()).unwrap());
            }
            assert_eq!(serde_json::from_slice::<Poison>(&found).unwrap(), poison);
        }
    }

    #[test]
    fn an_event_goes_back_to_its_own_stream_and_keeps_its_parts() {
        let part = envelope(|p| (p.part, p.parts) = (2, 3));
        let bodies = poison_bodies(&part);
        let body: Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!((bodies.len(), &body["part"], &body["parts"]), (1, &2.into(), &3.into()));
        assert_eq!((&body["stream"], &body["record_id"]), (&"weir-events".into(), &"c0ffee".into()));
        assert_eq!(body["error"], "the record is not UTF-8", "people read why");
        let older = poison_bodies(&envelope(|p| p.error = None));
        assert!(older.iter().all(|body| body.contains("\"error\":\"the event is none\"")));
        let whole = envelope(|p| p.raw = "AAAA".repeat(100_000));
        let bodies = poison_bodies(&whole);
        assert_eq!(bodies.len(), 2, "300,000 bytes");
        assert!(bodies.iter().all(|body| body.contains("\"stream\":\"weir-events\"")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_parts_hold_all_bytes_in_order(length in 0..1_100_000_usize, seed in any::<u8>()) {
            let raw: Vec<u8> = (0..length).map(|i| seed.wrapping_add(u8::try_from(i % 251).unwrap())).collect();
            let bodies = invalid(&origin(), 0, &raw, "not_json", &"é".repeat(2000), Timestamp::from_nanos(0));
            let mut found = Vec::new();
            for (index, body) in bodies.iter().enumerate() {
                prop_assert!(body.len() <= MAX_BODY_BYTES);
                let body: Value = serde_json::from_str(body).unwrap();
                prop_assert_eq!(body["part"].as_u64(), Some(index as u64 + 1));
                prop_assert_eq!(body["parts"].as_u64(), Some(bodies.len() as u64));
                found.extend(STANDARD.decode(body["raw"].as_str().unwrap()).unwrap());
            }
            prop_assert_eq!(found, raw);
        }
    }
}
