//! Records that are no plain anomaly: aggregated ones, poison on its way to quarantine, probes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest as _, Md5};
use serde_json::json;
use weir_anomaly::{PROBE_RULE, Poison, PoisonReason, Timestamp};

use super::rng::Rng;

/// Several records in one, as the Kinesis Producer Library packs them.
pub(crate) fn aggregate(records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = field(1, b"key");
    for record in records {
        // Index 0 of the table of partition keys, then the data.
        message.extend(field(3, &[[0x08, 0x00].as_slice(), &field(3, record)].concat()));
    }
    sign(&message)
}

/// The frame around a message of the library.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    [[0xF3, 0x89, 0x9A, 0xC2].as_slice(), message, &Md5::digest(message)].concat()
}

/// A protobuf field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7F).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend(bytes);
    out
}

/// A poison envelope, and the bytes that have to be in quarantine for it: those of the event, or of the envelope itself when
/// no program of ours wrote it.
pub(crate) fn poison(rng: &mut Rng, n: usize) -> (Vec<u8>, Vec<u8>) {
    let raw = format!("no event {n}").into_bytes();
    let mut poison = Poison {
        record_id: format!("{n:064x}"),
        stream: "weir-events".to_owned(),
        reason: PoisonReason::NotJson.as_str().to_owned(),
        error: Some("the record is not one whole JSON value".to_owned()),
        raw: STANDARD.encode(&raw),
        part: 1,
        parts: 1,
        arrival_time: None,
    };
    // The large ones cost more than all else together: a few of a thousand seeds' records are enough.
    match rng.below(4_000) {
        0..10 => poison.stream = "s".repeat(300_000),
        10..20 => (poison.parts, poison.raw) = (2, "AAAA".repeat(100_000)),
        20..120 => poison.arrival_time = Some("\u{FFFE}".repeat(400)),
        120..620 => poison.raw.push('!'),
        _ => return (envelope(&poison), raw),
    }
    let data = envelope(&poison);
    (data.clone(), data)
}

fn envelope(poison: &Poison) -> Vec<u8> {
    let mut record = serde_json::to_value(poison).unwrap();
    record["record_type"] = json!("poison");
    serde_json::to_vec(&record).unwrap()
}

/// A probe as the built-in rule passes it on.
pub(crate) fn probe(sent_at: Timestamp, n: usize) -> Vec<u8> {
    let record = json!({"id": format!("{n:032x}"), "rule": PROBE_RULE, "rule_version": "000000000000", "severity": "info",
        "key": "probe", "timestamp": sent_at.to_string(), "window_start": null, "window_end": null, "value": null,
        "expected": null, "score": 0, "details": {"probe_id": format!("p-{n}"), "sent_at": sent_at.to_rfc3339_millis()},
        "rule_meta": {}});
    record.to_string().into_bytes()
}
