//! A silence in the table: what people do not want to hear of, until when, by whom and why.

use sha2::{Digest, Sha256};

use super::{Attr, Item, ItemError, SILENCE, attr};
use crate::{Anomaly, Timestamp};

/// How long a silence stays in the table past its end, so that anomalies which arrive late are still covered by it.
const KEPT_SECONDS: i64 = 7 * 24 * 3600;

/// A reason or name longer than this is cut: it is read in a terminal.
const MAX_TEXT: usize = 500;

/// Covers the anomalies of some rules and keys up to an instant of event time. Whether an anomaly is covered is a function
/// of the two alone, so a replay alerts no more and no less than the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// `silence#` and 12 hex digits.
    pub id: String,
    /// Which rules: `*` stands for any run of characters, `?` for one.
    pub rule: String,
    /// Which keys, likewise.
    pub key: String,
    /// The last instant of event time that it covers.
    pub until: Timestamp,
    /// Who made it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a silence is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// It would cover nothing, or it has no end worth the name.
    #[error("a silence must end in the future\nhint: give it an end such as 2h")]
    Ended,
    /// A silence that outlives its reason hides outages.
    #[error("a silence lasts at most 90 days\nhint: switch the rule's stage to shadow instead")]
    TooLong,
    /// Nobody signs for it.
    #[error("a silence needs who makes it and why")]
    Unsigned,
}

impl Silence {
    /// The longest silence, seconds.
    pub const MAX_SECONDS: i64 = 90 * 24 * 3600;

    /// Makes a silence. It cannot be made without an end.
    ///
    /// # Errors
    /// When the end is past or too far, or nobody signs.
    pub fn new(
        rule: &str,
        key: &str,
        until: Timestamp,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Self, SilenceError> {
        let seconds = until.nanos().saturating_sub(now.nanos()) / 1_000_000_000;
        if until <= now {
            return Err(SilenceError::Ended);
        }
        if seconds > Self::MAX_SECONDS {
            return Err(SilenceError::TooLong);
        }
        if who.trim().is_empty() || why.trim().is_empty() {
            return Err(SilenceError::Unsigned);
        }
        // The lengths keep apart what a pattern's own `|` would run together.
        let (r, k) = (rule.len(), key.len());
        let digest = Sha256::digest(format!("{r}:{rule}|{k}:{key}|{until}|{who}|{now}"));
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            id: format!("silence#{hex}"),
            rule: rule.to_owned(),
            key: key.to_owned(),
            until,
            who: who.chars().take(MAX_TEXT).collect(),
            why: why.chars().take(MAX_TEXT).collect(),
            created_at: now,
        })
    }

    /// Whether it covers an anomaly.
    #[must_use]
    pub fn covers(&self, anomaly: &Anomaly) -> bool {
        anomaly.timestamp <= self.until && matches(&self.rule, &anomaly.rule) && matches(&self.key, &anomaly.key)
    }

    /// The item.
    #[must_use]
    pub fn to_item(&self) -> Item {
        let expires_at = self.until.nanos().div_euclid(1_000_000_000).saturating_add(KEPT_SECONDS);
        Item::new(self.id.as_str())
            .with(attr::RULE, SILENCE)
            .with(attr::TIMESTAMP, Attr::time(self.until))
            .with("silence_rule", self.rule.as_str())
            .with("silence_key", self.key.as_str())
            .with("until", self.until.to_string())
            .with("who", self.who.as_str())
            .with("why", self.why.as_str())
            .with("created_at", Attr::time(self.created_at))
            .with(attr::EXPIRES_AT, Attr::int(expires_at))
    }

    /// Reads an item.
    ///
    /// # Errors
    /// When the item is no silence.
    pub fn from_item(item: &Item) -> Result<Self, ItemError> {
        Ok(Self {
            id: item.id().to_owned(),
            rule: item.need("silence_rule")?,
            key: item.need("silence_key")?,
            until: item.need("until")?,
            who: item.need("who")?,
            why: item.need("why")?,
            created_at: item.need("created_at")?,
        })
    }
}

/// Whether `text` fits `pattern`, in time proportional to the product of their lengths at worst.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some('?') => (p, t) = (p + 1, t + 1),
            Some(c) if Some(c) == text.get(t) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    (p, t) = (at + 1, taken + 1);
                    star = Some((at, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(NOW.nanos() + seconds * 1_000_000_000)
    }

    #[test]
    fn a_silence_without_a_useful_end_or_a_name_is_refused() {
        assert_eq!(Silence::new("*", "*", NOW, "ann", "move", NOW), Err(SilenceError::Ended));
        assert_eq!(Silence::new("*", "*", after(91 * 24 * 3600), "ann", "move", NOW), Err(SilenceError::TooLong));
        assert_eq!(Silence::new("*", "*", after(60), " ", "move", NOW), Err(SilenceError::Unsigned));
    }

    #[test]
    fn two_silences_of_one_instant_are_two() {
        let id = |rule: &str, key: &str| Silence::new(rule, key, after(60), "ann", "move", NOW).unwrap().id;
        assert_ne!(id("a", "b|c"), id("a|b", "c"));
        assert_ne!(id("a*", "b"), id("a", "b"));
    }

    #[test]
    fn survives_the_table() {
        let silence = Silence::new("zscore", "pump-*", after(3600), "ann", "pump service", NOW).unwrap();
        assert_eq!(Silence::from_item(&silence.to_item()).unwrap(), silence);
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "anything/at all", true),
            ("pump-*", "pump-7/temperature", true),
            ("pump-?/*", "pump-7/temperature", true),
            ("pump-?", "pump-17", false),
            ("*temp*ture", "pump-7/temperature", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("", "", true),
            ("", "a", false),
            ("exact", "exact", true),
            ("é?", "éß", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} on {text}");
        }
    }
}
