//! What an event is, for those who make events: the generator, replays and `weir put`.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The least time that an event can have, 10^11 milliseconds: 1973-03-03T09:46:40Z. Seconds since 1970 that are taken for
/// milliseconds lie before it until the year 5138, and no system that lives writes times before it.
pub const LEAST_TIME: Timestamp = Timestamp::from_nanos(100_000_000_000_000_000);

/// The end of the times that an event can have, 2200-01-01T00:00:00Z, itself none of them. Microseconds and nanoseconds that are
/// taken for milliseconds lie behind it.
pub const END_OF_TIMES: Timestamp = Timestamp::from_nanos(7_258_118_400_000_000_000);

/// Whether an event can have this time.
#[must_use]
pub fn is_event_time(time: Timestamp) -> bool {
    (LEAST_TIME..END_OF_TIMES).contains(&time)
}

/// One event: one JSON object, one record on the events stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339.
    pub timestamp: String,
    /// The reading; finite.
    pub value: f64,
    /// Where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The event's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Further fields, reachable from rules.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_living_systems_are_event_times() {
        for (millis, is) in
            [(99_999_999_999, false), (100_000_000_000, true), (7_258_118_399_999, true), (7_258_118_400_000, false)]
        {
            assert_eq!(is_event_time(Timestamp::from_millis(millis).unwrap()), is, "{millis}");
        }
        assert!(!is_event_time(Timestamp::from_nanos(i64::MIN)) && !is_event_time(Timestamp::from_nanos(i64::MAX)));
    }
}
