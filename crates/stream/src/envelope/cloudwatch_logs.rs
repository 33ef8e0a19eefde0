//! Messages of CloudWatch Logs subscriptions.
//!
//! `{"messageType":"DATA_MESSAGE","owner":…,"logGroup":…,"logStream":…,"subscriptionFilters":[…],"logEvents":[{"id":…,
//! "timestamp":<epoch ms>,"message":…}]}`, gzipped (Amazon CloudWatch Logs user guide, SubscriptionFilters).
//! `CONTROL_MESSAGE` is how the service tries whether it can write: neither event nor poison.

use serde_json::{Map, Value, json};

use crate::reason::{Poison, Reason};

/// What `of = "envelope"` may name.
pub(crate) const MEMBERS: [&str; 6] = ["log_group", "log_stream", "owner", "log_id", "log_time", "message_type"];

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    head: Map<String, Value>,
    pub(crate) events: Vec<LogEvent>,
}

/// One log event: a record.
#[derive(Debug)]
pub(crate) struct LogEvent {
    /// Epoch milliseconds.
    pub(crate) timestamp: i64,
    /// The record.
    pub(crate) message: String,
    whole: Map<String, Value>,
}

impl Message {
    /// Reads a message; `None` is a control message.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, Poison> {
        let bad = |detail: String| Poison::new(Reason::BadEnvelope, format!("no CloudWatch Logs message: {detail}"));
        let mut head: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        match head.get("messageType").and_then(Value::as_str) {
            Some("DATA_MESSAGE") => {}
            Some("CONTROL_MESSAGE") => return Ok(None),
            Some(other) => return Err(bad(format!("messageType is `{}`", crate::reason::excerpt(other)))),
            None => return Err(bad("there is no messageType".to_owned())),
        }
        let Some(Value::Array(events)) = head.remove("logEvents") else {
            return Err(bad("there is no list logEvents".to_owned()));
        };
        let events = events.into_iter().map(LogEvent::read).collect::<Option<_>>();
        let events = events.ok_or_else(|| bad("a log event has no timestamp or no message".to_owned()))?;
        Ok(Some(Self { head, events }))
    }

    /// A member of the envelope, for one of its events.
    pub(crate) fn member<'a>(&'a self, event: &'a LogEvent, name: &str) -> Option<&'a Value> {
        match name {
            "log_group" => self.head.get("logGroup"),
            "log_stream" => self.head.get("logStream"),
            "owner" => self.head.get("owner"),
            "message_type" => self.head.get("messageType"),
            "log_id" => event.whole.get("id"),
            _ => event.whole.get("timestamp"),
        }
    }

    /// How many bytes it has without its events.
    pub(crate) fn head_bytes(&self) -> usize {
        serde_json::to_string(&self.head).map_or(usize::MAX, |head| head.len())
    }

    /// The message with one event alone: what goes to quarantine when that event is refused, and gives the same verdict when
    /// it is sent again.
    pub(crate) fn with_only(&self, event: &LogEvent) -> Vec<u8> {
        let mut message = self.head.clone();
        message.insert("logEvents".to_owned(), json!([event.whole]));
        Value::Object(message).to_string().into_bytes()
    }
}

impl LogEvent {
    fn read(event: Value) -> Option<Self> {
        let Value::Object(whole) = event else { return None };
        let timestamp = whole.get("timestamp")?.as_i64()?;
        let message = whole.get("message")?.as_str()?.to_owned();
        Some(Self { timestamp, message, whole })
    }
}
