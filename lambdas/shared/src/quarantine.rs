//! Messages for the quarantine queue (docs/contracts.md, "Quarantine message"): the raw bytes of what could not be read, and
//! all that is needed to find out why and to send it again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use weir_anomaly::Timestamp;

use crate::kinesis::Origin;

/// The largest message body. SQS takes 256 KiB in one batch call; base64 and the envelope fit in the rest.
pub const MAX_BODY_BYTES: usize = 200 * 1024;

/// Raw bytes in one part: base64 makes four characters of three bytes, and the envelope stays under 4 KiB.
pub const PART_BYTES: usize = (MAX_BODY_BYTES - 4096) / 4 * 3;

/// An error text longer than this is cut: it may quote the record.
const MAX_ERROR: usize = 500;

/// One message.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    /// Where the record is sent again to.
    pub stream: &'a str,
    /// Why it is here, in one word.
    pub reason: &'a str,
    /// The same for people.
    pub error: &'a str,
    /// Base64 of its bytes, or of a part of them.
    pub raw: String,
    /// Which part, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// The same for all parts of one record.
    pub record_id: &'a str,
    /// Where it lay.
    pub shard_id: &'a str,
    /// Where it lay there.
    pub sequence_number: &'a str,
    /// When its stream took it.
    pub arrival_time: Option<String>,
    /// When it came here.
    pub quarantined_at: String,
}

impl Body<'_> {
    /// As text that SQS takes.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text and numbers only: serialisation cannot fail.
        storable(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// Message bodies for bytes that are no record of their stream. `entry` tells those of one Kinesis record apart.
#[must_use]
pub fn invalid(origin: &Origin, entry: usize, raw: &[u8], reason: &str, error: &str, now: Timestamp) -> Vec<String> {
    let chunks: Vec<&[u8]> = if raw.is_empty() { vec![raw] } else { raw.chunks(PART_BYTES).collect() };
    let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let record_id = format!("{}:{}:{entry}", origin.shard_id, origin.sequence_number);
    let error: String = error.chars().take(MAX_ERROR).collect();
    (1..)
        .zip(chunks)
        .map(|(part, chunk)| {
            Body {
                stream: &origin.stream,
                reason,
                error: &error,
                raw: STANDARD.encode(chunk),
                part,
                parts,
                record_id: &record_id,
                shard_id: &origin.shard_id,
                sequence_number: &origin.sequence_number,
                arrival_time: origin.arrival(),
                quarantined_at: now.to_rfc3339_millis(),
            }
            .to_json()
        })
        .collect()
}

/// JSON with escapes for the two code points that XML, and so SQS, cannot hold and that `serde_json` leaves as they are.
#[must_use]
pub fn storable(json: &str) -> String {
    json.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff")
}
