//! An anomaly in the table.

use std::str::FromStr;

use super::{Attr, Item, ItemError, attr};
use crate::{Anomaly, Timestamp};

/// An anomaly with what the store adds to it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAnomaly {
    /// The anomaly.
    pub anomaly: Anomaly,
    /// When it arrived first.
    pub first_seen: Timestamp,
    /// When it arrived last.
    pub last_seen: Timestamp,
    /// How often it arrived. At least so often: a batch that failed half-way may be counted or not.
    pub times_seen: i64,
    /// When the item may go, epoch seconds.
    pub expires_at: i64,
    /// Whether people hear of it.
    pub disposition: Disposition,
    /// The alert that it counts for, when its disposition is [`Disposition::Alert`].
    pub alert_id: Option<String>,
}

/// Whether people hear of an anomaly, decided when it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It counts for an alert.
    Alert,
    /// Its rule is on trial.
    Shadow,
    /// It is less urgent than the configured floor.
    BelowFloor,
    /// A silence covers it.
    Silenced,
}

impl Disposition {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Shadow => "shadow",
            Self::BelowFloor => "below_floor",
            Self::Silenced => "silenced",
        }
    }
}

impl FromStr for Disposition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Alert, Self::Shadow, Self::BelowFloor, Self::Silenced].into_iter().find(|d| d.as_str() == text).ok_or(())
    }
}

impl StoredAnomaly {
    /// The item. `details` and `rule_meta` are JSON text: DynamoDB's maps end at 32 levels and its numbers at 38 digits,
    /// JSON's do not, and a record must never be refused for that.
    #[must_use]
    pub fn to_item(&self) -> Item {
        let a = &self.anomaly;
        let json = |value: serde_json::Result<String>| value.ok().map(Attr::S);
        Item::new(a.id.as_str())
            .with(attr::RULE, a.rule.as_str())
            .with("rule_version", a.rule_version.as_str())
            .with("severity", a.severity.as_str())
            .with(attr::KEY, a.key.as_str())
            .with(attr::TIMESTAMP, Attr::time(a.timestamp))
            .with_some("window_start", a.window_start.map(|t| t.to_string().into()))
            .with_some("window_end", a.window_end.map(|t| t.to_string().into()))
            .with("event_time", a.timestamp.to_string())
            .with_some("value", a.value.map(Attr::float))
            .with_some("expected", a.expected.map(Attr::float))
            .with("score", Attr::float(a.score))
            .with_some("details", json(serde_json::to_string(&a.details)).filter(|_| !a.details.is_empty()))
            .with_some("rule_meta", json(serde_json::to_string(&a.rule_meta)))
            .with("first_seen", Attr::time(self.first_seen))
            .with(attr::LAST_SEEN, Attr::time(self.last_seen))
            .with(attr::TIMES_SEEN, Attr::int(self.times_seen))
            .with(attr::EXPIRES_AT, Attr::int(self.expires_at))
            .with("disposition", self.disposition.as_str())
            .with_some(attr::ALERT_ID, self.alert_id.clone().map(Attr::S))
    }

    /// Reads an item.
    ///
    /// # Errors
    /// When the item is no anomaly.
    pub fn from_item(item: &Item) -> Result<Self, ItemError> {
        let json = |name: &'static str| -> Result<Option<serde_json::Value>, ItemError> {
            let parse = |text: &str| serde_json::from_str(text).map_err(|_| item.error(name));
            item.text(name).map(parse).transpose()
        };
        let anomaly = Anomaly {
            id: item.id().to_owned().try_into().map_err(|_| item.error(attr::ID))?,
            rule: item.need(attr::RULE)?,
            rule_version: item.need("rule_version")?,
            severity: item.need("severity")?,
            key: item.need(attr::KEY)?,
            timestamp: item.need("event_time")?,
            window_start: item.optional("window_start")?,
            window_end: item.optional("window_end")?,
            value: item.optional("value")?,
            expected: item.optional("expected")?,
            score: item.need("score")?,
            details: match json("details")? {
                Some(serde_json::Value::Object(details)) => details,
                _ => serde_json::Map::new(),
            },
            rule_meta: match json("rule_meta")? {
                Some(meta) => serde_json::from_value(meta).map_err(|_| item.error("rule_meta"))?,
                None => crate::RuleMeta::default(),
            },
        };
        Ok(Self {
            anomaly,
            first_seen: item.need("first_seen")?,
            last_seen: item.need(attr::LAST_SEEN)?,
            times_seen: item.need(attr::TIMES_SEEN)?,
            expires_at: item.need(attr::EXPIRES_AT)?,
            disposition: item.need("disposition")?,
            alert_id: item.optional(attr::ALERT_ID)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn survives_the_table() {
        let json = br#"{"id":"0123456789abcdef0123456789abcdef","rule":"zscore","rule_version":"a1b2c3d4e5f6","severity":"warning",
            "key":"pump-7/temperature","timestamp":"2026-11-23T05:00:00.123456789","window_start":"2026-11-23T04:00:00","window_end":"2026-11-23T05:00:00",
            "value":1e300,"expected":null,"score":0.875,"details":{"n":1e400000,"deep":[[[1]]]},"rule_meta":{"owner":"ops","dedup_seconds":900}}"#;
        let json = String::from_utf8_lossy(json).replace("1e400000", "12345678901234567890");
        let Record::Anomaly(anomaly) = Record::parse(json.as_bytes()).unwrap() else { panic!("no anomaly") };
        let stored = StoredAnomaly {
            anomaly: *anomaly,
            first_seen: Timestamp::from_nanos(1_000_000),
            last_seen: Timestamp::from_nanos(2_000_000),
            times_seen: 2,
            expires_at: 99,
            disposition: Disposition::Alert,
            alert_id: Some("alert#zscore".to_owned()),
        };
        let item = stored.to_item();
        assert_eq!(item.text(attr::TIMESTAMP), Some("2026-11-23T05:00:00.123Z"));
        assert_eq!(StoredAnomaly::from_item(&item).unwrap(), stored);
    }
}
