//! Dedup periods: aligned to the epoch in event time.

use crate::Timestamp;

const NANOS: i64 = 1_000_000_000;

/// The dedup period that an instant of event time lies in. A function of the instant alone, so which alerts are due
/// depends on the set of anomalies and not on the order in which they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Start, inclusive, seconds since the epoch.
    pub start: i64,
    /// Length, seconds.
    pub seconds: i64,
}

impl Period {
    /// The period that holds `time`. A length of nothing is taken as one second, the shortest there is.
    #[must_use]
    pub fn of(time: Timestamp, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).max(1);
        let at = time.nanos().div_euclid(NANOS);
        Self { start: at.div_euclid(seconds).saturating_mul(seconds), seconds }
    }

    /// Its first instant.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp::from_nanos(self.start.saturating_mul(NANOS))
    }

    /// The first instant after it.
    #[must_use]
    pub fn ends(self) -> Timestamp {
        Timestamp::from_nanos(self.start.saturating_add(self.seconds).saturating_mul(NANOS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_its_instant(nanos in -4_000_000_000_000_000_000..4_000_000_000_000_000_000_i64, seconds in 0..100_000_u64) {
            let time = Timestamp::from_nanos(nanos);
            let period = Period::of(time, seconds);
            prop_assert!(period.begins() <= time && time < period.ends());
            prop_assert_eq!(period.start % period.seconds, 0);
        }

        #[test]
        fn no_length_overflows(nanos in any::<i64>(), seconds in any::<u64>()) {
            let period = Period::of(Timestamp::from_nanos(nanos), seconds);
            prop_assert!(period.begins() <= period.ends());
        }
    }
}
