//! Why a record is poison.

use std::fmt;

/// Why a record is poison: one word, with the name of what is wrong where there is one.
///
/// When several things are wrong with a record, the reason is the first in this order: the whole record (`too_large`,
/// `bad_envelope`, `not_utf8`, `not_json`, `several_values`, `not_an_object`, `bad_format`, `duplicate_key`), then row by row its time, then
/// its fields in the order in which the stream's file declares them. The order does not depend on where in the record the
/// fields stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// More bytes, or more rows, than the limits allow ([`crate::limits`]).
    TooLarge,
    /// Not what the envelope promises: no gzip, no CloudWatch Logs message, no EventBridge event.
    BadEnvelope,
    /// Not UTF-8.
    NotUtf8,
    /// Not one whole JSON value (RFC 8259).
    NotJson,
    /// Several JSON objects (or lists), one behind the other.
    SeveralValues,
    /// JSON, but no object where fields are asked of an object.
    NotAnObject,
    /// A name that stands twice at the top level of a record of the built-in stream.
    RepeatedField,
    /// Not a text of the declared pattern, number of columns or quoting.
    BadFormat,
    /// A member that the stream's file reads stands there twice with two values, or more often: its path.
    DuplicateKey(String),
    /// The time is missing, unreadable, or cannot be in the declared unit: its path.
    BadTime(String),
    /// A required field is absent or null: its name.
    Missing(String),
    /// A field is there, but not of its type: its name.
    BadField(String),
    /// A reason of the built-in stream `events`, by the word that Weir has always used.
    Named(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("too_large"),
            Self::BadEnvelope => f.write_str("bad_envelope"),
            Self::NotUtf8 => f.write_str("not_utf8"),
            Self::NotJson => f.write_str("not_json"),
            Self::SeveralValues => f.write_str("several_values"),
            Self::NotAnObject => f.write_str("not_an_object"),
            Self::RepeatedField => f.write_str("repeated_field"),
            Self::BadFormat => f.write_str("bad_format"),
            Self::DuplicateKey(path) => write!(f, "duplicate_key:{path}"),
            Self::BadTime(path) => write!(f, "bad_time:{path}"),
            Self::Missing(field) => write!(f, "missing:{field}"),
            Self::BadField(field) => write!(f, "bad_field:{field}"),
            Self::Named(word) => f.write_str(word),
        }
    }
}

/// A refused record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// The reason, for counters and the quarantine.
    pub reason: Reason,
    /// What exactly is wrong, for a person; ends in a hint where there is a usual cause. At most a few hundred bytes.
    pub detail: String,
}

impl Poison {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

/// The start of a text of the record, fit for a message: at most 60 characters, control characters escaped.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    let mut out: String = text
        .chars()
        .take(MOST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
