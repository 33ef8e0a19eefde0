//! Events that are no events, on their way to quarantine.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

use crate::RecordError;

/// SQL's `encode(…, 'base64')` writes no padding, people's tools do: both are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A record of the events stream that is no event. The program writes it to the anomalies stream, the alerter moves it to
/// quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// The same for all parts of one record, on every replay.
    pub record_id: String,
    /// The stream on which it arrived.
    pub stream: String,
    /// What is wrong with it, in one word: a [`PoisonReason`] on Weir's own events, on a declared stream what its file makes of
    /// it (`bad_time:last_seen`).
    pub reason: String,
    /// The same for people, with what to do about it; records of older programs have none.
    #[serde(default)]
    pub error: Option<String>,
    /// The record's bytes, base64; one part of them when `parts` is more than 1. A part is at most
    /// 150,000 bytes, so that it fits into one quarantine message.
    pub raw: String,
    /// Which part this is, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// When the stream accepted the record, as the program wrote it.
    pub arrival_time: Option<String>,
}

/// What is wrong with a poison record of Weir's own events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoisonReason {
    /// Not UTF-8.
    NotUtf8,
    /// Not one whole JSON value.
    NotJson,
    /// Several JSON values, one behind the other.
    SeveralValues,
    /// JSON, but no object.
    NotAnObject,
    /// An object in which one name stands twice.
    RepeatedField,
    /// No `timestamp`, or one that is no time, or none that an event can have ([`is_event_time`](crate::event::is_event_time)).
    BadTimestamp,
    /// No `value`, or one that is not a finite number.
    BadValue,
}

impl PoisonReason {
    /// The word used in records, metrics and quarantine messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::SeveralValues => "several_values",
            Self::NotAnObject => "not_an_object",
            Self::RepeatedField => "repeated_field",
            Self::BadTimestamp => "bad_timestamp",
            Self::BadValue => "bad_value",
        }
    }
}

impl Poison {
    /// The bytes of this part.
    ///
    /// # Errors
    /// When `raw` is not base64.
    pub fn raw_bytes(&self) -> Result<Vec<u8>, RecordError> {
        base64_bytes(&self.raw)
    }
}

/// Reads the base64 of a `raw` field, with or without padding.
///
/// # Errors
/// When it is not base64.
pub fn base64_bytes(raw: &str) -> Result<Vec<u8>, RecordError> {
    BASE64.decode(raw).map_err(|e| RecordError::invalid("raw", e.to_string()))
}
