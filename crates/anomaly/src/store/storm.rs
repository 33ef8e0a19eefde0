//! A storm in the table: how many alerts of a rule became due in a minute, and the summary that speaks for those above the cap.

use super::{Item, ItemError, attr};
use crate::Timestamp;

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// One rule in one minute of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storm {
    /// The rule.
    pub rule: String,
    /// The minute, counted from the epoch.
    pub minute: i64,
}

impl Storm {
    /// The storm that an alert of `rule` belongs to when it becomes due at `now`.
    #[must_use]
    pub fn at(rule: &str, now: Timestamp) -> Self {
        Self { rule: rule.to_owned(), minute: now.nanos().div_euclid(NANOS_PER_MINUTE) }
    }

    /// Its id; also the `rule` under which the index finds the alerts that it holds.
    #[must_use]
    pub fn id(&self) -> String {
        format!("storm#{}#{}", self.rule, self.minute)
    }

    /// The first instant of its minute.
    #[must_use]
    pub fn begins(&self) -> Timestamp {
        Timestamp::from_nanos(self.minute.saturating_mul(NANOS_PER_MINUTE))
    }

    /// The first instant after its minute.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        Timestamp::from_nanos(self.minute.saturating_add(1).saturating_mul(NANOS_PER_MINUTE))
    }

    /// Reads an item by its id alone: `storm#<rule>#<minute>`.
    ///
    /// # Errors
    /// When the item is no storm.
    pub fn from_item(item: &Item) -> Result<Self, ItemError> {
        let parse = || {
            let (rule, minute) = item.id().strip_prefix("storm#")?.rsplit_once('#')?;
            Some(Self { rule: rule.to_owned(), minute: minute.parse().ok()? })
        };
        parse().ok_or_else(|| item.error(attr::ID))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_from_its_id() {
        let storm = Storm::at("spike", Timestamp::from_nanos(125 * 1_000_000_000));
        assert_eq!((storm.minute, storm.id().as_str()), (2, "storm#spike#2"));
        assert_eq!(Storm::from_item(&Item::new(storm.id())).unwrap(), storm);
        assert!(Storm::from_item(&Item::new("alert#x")).is_err());
    }
}
