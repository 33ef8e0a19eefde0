//! What an event is, for those who make events: the generator, replays and `weir put`.

use serde::{Deserialize, Serialize};

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
