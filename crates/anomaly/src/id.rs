//! The deterministic id: the same rule, key and window or event give the same id on every replay, restart and engine.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{RecordError, Timestamp};

/// Hex digits kept of the SHA-256: 128 bits, beyond any chance of a collision and still fit for a command line.
pub const ID_DIGITS: usize = 32;

/// What makes an anomaly one thing, beside its rule and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// The window that it was found in.
    Window {
        /// Start, inclusive.
        start: Timestamp,
        /// End, exclusive.
        end: Timestamp,
    },
    /// The event that it is.
    Event {
        /// The event's time.
        time: Timestamp,
        /// The event's own id; empty when the rule returns none, and then events of one key and instant are one anomaly.
        event_id: &'a str,
    },
}

/// Identifies an anomaly: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AnomalyId(String);

impl AnomalyId {
    /// Computes the id. The input is injective: the key's length is part of it, and the rule's name holds no `|`.
    #[must_use]
    pub fn compute(rule: &str, key: &str, identity: Identity<'_>) -> Self {
        let what = match identity {
            Identity::Window { start, end } => format!("w|{}|{}", start.nanos(), end.nanos()),
            Identity::Event { time, event_id } => format!("e|{}|{event_id}", time.nanos()),
        };
        let digest = Sha256::digest(format!("{rule}|{}:{key}|{what}", key.len()));
        let hex = digest.iter().take(ID_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        Self(hex)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AnomalyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for AnomalyId {
    type Error = RecordError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if text.len() == ID_DIGITS && text.bytes().all(hex) {
            Ok(Self(text))
        } else {
            Err(RecordError::invalid("id", format!("must be {ID_DIGITS} lower-case hex digits")))
        }
    }
}

impl From<AnomalyId> for String {
    fn from(id: AnomalyId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_fixed_for_ever() {
        let id = AnomalyId::compute(
            "zscore",
            "pump-7/temperature",
            Identity::Window { start: Timestamp::from_nanos(0), end: Timestamp::from_nanos(3_600_000_000_000) },
        );
        assert_eq!(id.as_str(), "88c3c316146826e568d5f034cf9d36bd");
    }

    proptest! {
        #[test]
        fn differs_when_any_part_differs(a in ".{0,8}", b in ".{0,8}", t in any::<i64>(), e in ".{0,4}", f in ".{0,4}") {
            let time = Timestamp::from_nanos(t);
            let left = AnomalyId::compute("r", &a, Identity::Event { time, event_id: &e });
            let right = AnomalyId::compute("r", &b, Identity::Event { time, event_id: &f });
            prop_assert_eq!(left == right, a == b && e == f);
        }

        #[test]
        fn an_event_is_never_a_window(key in ".{0,8}", t in any::<i64>(), u in any::<i64>()) {
            let (start, end) = (Timestamp::from_nanos(t), Timestamp::from_nanos(u));
            let window = AnomalyId::compute("r", &key, Identity::Window { start, end });
            let event = AnomalyId::compute("r", &key, Identity::Event { time: start, event_id: &u.to_string() });
            prop_assert_ne!(window, event);
        }
    }
}
