//! An alert in the table: the outbox.
//!
//! ```text
//! insert ──► due ──publish──► open ──period over──► closed
//!             └──storm──► held (a storm's summary speaks for it)
//! ```
//! `due` and `open` lie under `rule = "#pending"`; their `timestamp` says when the sweep is to look at them. For `due` that
//! is the deadline of the invocation that holds it: past it, the holder is dead for certain and the sweep sends.

use std::str::FromStr;

use super::{Attr, Item, ItemError, PENDING, Period, attr};
use crate::{Severity, Timestamp};

/// What a person receives: one for a rule, key and dedup period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The rule.
    pub rule: String,
    /// What is anomalous.
    pub key: String,
    /// How urgent its first anomaly is.
    pub severity: Severity,
    /// The dedup period.
    pub period: Period,
    /// The anomaly that made it due; its item holds all that the message needs.
    pub first_id: String,
    /// When it became due.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: AlertState,
    /// When the sweep is to look at it; `None` when nothing is left to do.
    pub next_at: Option<Timestamp>,
    /// The storm that holds it.
    pub storm: Option<String>,
    /// Further anomalies of its period, known when it closes.
    pub suppressed: Option<i64>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When the item may go, epoch seconds.
    pub expires_at: i64,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertState {
    /// To be sent.
    Due,
    /// Sent; its period is not over.
    Open,
    /// A storm's summary speaks for it.
    Held,
    /// Nothing left to do.
    Closed,
}

impl AlertState {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Open => "open",
            Self::Held => "held",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for AlertState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Due, Self::Open, Self::Held, Self::Closed].into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

impl Alert {
    /// The id of an alert. At most 63 + 1024 bytes of rule and key: well under the 2048 of a partition key. A rule's name holds
    /// no `#` and a period is a number, so no two alerts share an id with any keys.
    #[must_use]
    pub fn id_of(rule: &str, key: &str, period: Period) -> String {
        format!("alert#{rule}#{}#{key}", period.start)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> String {
        Self::id_of(&self.rule, &self.key, self.period)
    }

    /// The item.
    #[must_use]
    pub fn to_item(&self) -> Item {
        let (index, at) = match self.state {
            AlertState::Due | AlertState::Open => (Some(PENDING.to_owned()), self.next_at),
            AlertState::Held => (self.storm.clone(), Some(self.created_at)),
            AlertState::Closed => (None, None),
        };
        Item::new(self.id())
            .with_some(attr::RULE, index.map(Attr::S))
            .with_some(attr::TIMESTAMP, at.map(Attr::time))
            .with(attr::STATE, self.state.as_str())
            .with("alert_rule", self.rule.as_str())
            .with("alert_key", self.key.as_str())
            .with("severity", self.severity.as_str())
            .with("period_start", Attr::int(self.period.start))
            .with("period_seconds", Attr::int(self.period.seconds))
            .with("first_id", self.first_id.as_str())
            .with("created_at", Attr::time(self.created_at))
            .with_some(attr::STORM, self.storm.clone().map(Attr::S))
            .with_some(attr::SUPPRESSED, self.suppressed.map(Attr::int))
            .with_some(attr::SENT_AT, self.sent_at.map(Attr::time))
            .with(attr::EXPIRES_AT, Attr::int(self.expires_at))
    }

    /// Reads an item.
    ///
    /// # Errors
    /// When the item is no alert.
    pub fn from_item(item: &Item) -> Result<Self, ItemError> {
        let state: AlertState = item.need(attr::STATE)?;
        let waits = matches!(state, AlertState::Due | AlertState::Open);
        Ok(Self {
            rule: item.need("alert_rule")?,
            key: item.need("alert_key")?,
            severity: item.need("severity")?,
            period: Period { start: item.need("period_start")?, seconds: item.need("period_seconds")? },
            first_id: item.need("first_id")?,
            created_at: item.need("created_at")?,
            state,
            next_at: waits.then(|| item.need(attr::TIMESTAMP)).transpose()?,
            storm: item.optional(attr::STORM)?,
            suppressed: item.optional(attr::SUPPRESSED)?,
            sent_at: item.optional(attr::SENT_AT)?,
            expires_at: item.need(attr::EXPIRES_AT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DynamoDB's limit of a partition key.
    const PARTITION_KEY_BYTES: usize = 2048;

    #[test]
    fn the_longest_id_fits_into_a_partition_key() {
        let period = Period { start: i64::MIN, seconds: i64::MAX };
        let id = Alert::id_of(&"r".repeat(63), &"k".repeat(crate::MAX_KEY_BYTES), period);
        assert!(id.len() <= PARTITION_KEY_BYTES, "{} bytes", id.len());
    }

    #[test]
    fn survives_the_table_in_every_state() {
        let at = Timestamp::from_millis(1_700_000_000_123).unwrap();
        for (state, next_at, storm) in [
            (AlertState::Due, Some(at), None),
            (AlertState::Open, Some(at), None),
            (AlertState::Held, None, Some("storm#r#1".to_owned())),
            (AlertState::Closed, None, None),
        ] {
            let alert = Alert {
                rule: "r".to_owned(),
                key: "pump#7".to_owned(),
                severity: Severity::Critical,
                period: Period::of(at, 900),
                first_id: "0".repeat(32),
                created_at: at,
                state,
                next_at,
                storm,
                suppressed: Some(3),
                sent_at: Some(at),
                expires_at: 7,
            };
            assert_eq!(Alert::from_item(&alert.to_item()).unwrap(), alert);
        }
    }
}
