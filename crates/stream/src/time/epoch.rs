//! Epoch numbers, with a guard on their magnitude.

use super::TimeFault;
use crate::json::Number;

/// The earliest epoch time that is believed: 10^8 seconds, 1973-03-03. Nothing alive is dated before it by a number, and the
/// same number in the next finer unit lies before it: seconds can then not be taken for milliseconds, and so on.
const EARLIEST_NANOS: i64 = 100_000_000_000_000_000;

/// A unit of epoch times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Unit {
    /// All of them, the coarsest first.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// The format's name in a stream's file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "unix",
            Self::Millis => "unix_ms",
            Self::Micros => "unix_us",
            Self::Nanos => "unix_ns",
        }
    }

    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        }
    }

    /// Nanoseconds in it.
    const fn nanos(self) -> i64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }

    /// The instant that a number of this unit names.
    #[inline]
    pub(crate) fn read(self, number: Number, text: &str) -> Result<i64, TimeFault> {
        if let Some(nanos) = self.believed(number, text) {
            return Ok(nanos);
        }
        let meant = Self::ALL.into_iter().find(|unit| unit.believed(number, text).is_some());
        Err(TimeFault::WrongUnit(self, meant))
    }

    #[inline]
    fn believed(self, number: Number, text: &str) -> Option<i64> {
        let nanos = match number.written_integer() {
            Some(integer) => integer?.checked_mul(self.nanos())?,
            None => {
                let value = number.to_f64(text)?;
                let micros = match self {
                    Self::Nanos => value / 1_000.0,
                    unit => value * (unit.nanos() / 1_000) as f64,
                };
                // `as` saturates, and the product is then refused.
                (micros.round() as i64).checked_mul(1_000)?
            }
        };
        (nanos >= EARLIEST_NANOS).then_some(nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(unit: Unit, text: &str) -> Result<i64, TimeFault> {
        let number = Number::read_text(text).unwrap();
        unit.read(number, text)
    }

    #[test]
    fn every_unit_reads_its_own_and_names_the_others() {
        let texts = ["1767225600", "1767225600000", "1767225600000000", "1767225600000000000"];
        for (declared, unit) in Unit::ALL.into_iter().enumerate() {
            for (written, text) in texts.iter().enumerate() {
                let expected = if declared == written {
                    Ok(1_767_225_600_000_000_000)
                } else {
                    Err(TimeFault::WrongUnit(unit, Some(Unit::ALL[written])))
                };
                assert_eq!(read(unit, text), expected, "{text} as {unit:?}");
            }
        }
    }

    #[test]
    fn fractions_are_rounded_to_the_microsecond() {
        assert_eq!(read(Unit::Seconds, "1767225600.123456"), Ok(1_767_225_600_123_456_000));
        assert_eq!(read(Unit::Seconds, "1767225600.1234567"), Ok(1_767_225_600_123_457_000));
        assert_eq!(read(Unit::Millis, "1767225600000.0"), Ok(1_767_225_600_000_000_000));
        assert_eq!(read(Unit::Millis, "1767225600000.25"), Ok(1_767_225_600_000_250_000));
        assert_eq!(read(Unit::Seconds, "1.7672256e9"), Ok(1_767_225_600_000_000_000));
        assert_eq!(read(Unit::Nanos, "1767225600000000001"), Ok(1_767_225_600_000_000_001));
        assert_eq!(read(Unit::Nanos, "1.7672256e18"), Ok(1_767_225_600_000_000_000));
    }

    #[test]
    fn no_living_system_is_dated_so() {
        for text in [
            "0",
            "-1",
            "1",
            "-1767225600",
            "99999999",
            "1e300",
            "-1e300",
            "1e-300",
            "9223372036854775808",
            "1e2147483647",
            "1e-2147483648",
        ] {
            for unit in Unit::ALL {
                assert!(read(unit, text).is_err(), "{text} as {unit:?}");
            }
        }
        assert_eq!(read(Unit::Nanos, "9223372036854775807"), Ok(i64::MAX));
        assert_eq!(read(Unit::Seconds, "9223372036"), Ok(9_223_372_036_000_000_000));
        assert_eq!(read(Unit::Seconds, "9223372037"), Err(TimeFault::WrongUnit(Unit::Seconds, None)));
        assert_eq!(read(Unit::Seconds, "20260101"), Err(TimeFault::WrongUnit(Unit::Seconds, None)));
    }

    proptest! {
        #[test]
        fn at_most_one_unit_believes_a_number(text in "-?[0-9]{1,30}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,10})?") {
            let number = Number::read_text(&text).unwrap();
            prop_assert!(Unit::ALL.into_iter().filter(|unit| unit.read(number, &text).is_ok()).count() <= 1);
        }

        #[test]
        fn seconds_of_all_times_are_read(nanos in 100_000_000_000_000_000..=i64::MAX) {
            let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            // A double of seconds near 2262 is known to a microsecond or two.
            prop_assert!(read(Unit::Seconds, &text).is_ok_and(|read| read.abs_diff(nanos) < 2_000) || nanos > i64::MAX - 2_000);
            prop_assert_eq!(read(Unit::Seconds, &(nanos / 1_000_000_000).to_string()), Ok(nanos / 1_000_000_000 * 1_000_000_000));
            prop_assert_eq!(read(Unit::Nanos, &nanos.to_string()), Ok(nanos));
        }
    }
}
