//! Lengths of time as people write them: `90 seconds`, `5m`, `1 hour`.

use std::{fmt, str::FromStr, time::Duration};

use serde::Deserialize;

/// A positive length of time: a whole number and one unit. Months and years have no fixed length and are refused, as Arroyo
/// refuses them in windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Interval(Duration);

/// Unit names and their lengths in milliseconds, longest first: the first that divides a length is used to write it.
const UNITS: [(&str, &[&str], u64); 6] = [
    ("week", &["w", "week", "weeks"], 604_800_000),
    ("day", &["d", "day", "days"], 86_400_000),
    ("hour", &["h", "hour", "hours"], 3_600_000),
    ("minute", &["m", "min", "minute", "minutes"], 60_000),
    ("second", &["s", "sec", "second", "seconds"], 1_000),
    ("millisecond", &["ms", "millisecond", "milliseconds"], 1),
];

impl Interval {
    /// From a duration, in whole milliseconds.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Self {
        Self(duration)
    }

    /// The length.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault =
            || format!("`{text}` is no interval: use a whole number and a unit, such as `5 minutes`, `90s` or `1 day`");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let (count, unit) = text.split_at(digits);
        let count: u64 = count.parse().map_err(|_| fault())?;
        let unit = unit.trim().to_ascii_lowercase();
        let (_, _, millis) = UNITS.iter().find(|(_, names, _)| names.contains(&unit.as_str())).ok_or_else(fault)?;
        match count.checked_mul(*millis) {
            Some(millis) if millis > 0 => Ok(Self(Duration::from_millis(millis))),
            _ => Err(fault()),
        }
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// As SQL and people read it: `5 minutes`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (name, _, unit) = UNITS.iter().find(|(_, _, unit)| millis % unit == 0).unwrap_or(&UNITS[5]);
        let count = millis / unit;
        write!(f, "{count} {name}{}", if count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_people_write() {
        for (text, shown) in [
            ("5m", "5 minutes"),
            ("90 seconds", "90 seconds"),
            ("24 hours", "1 day"),
            ("1 day", "1 day"),
            ("250ms", "250 milliseconds"),
        ] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_has_no_fixed_length() {
        for text in ["", "5", "0 seconds", "1 month", "-1 day", "1.5 hours", "99999999999999999999 days"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
