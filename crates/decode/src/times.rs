//! Times as a record writes them: what `sql/tables.sql` takes for a time, and no other form.

use chrono::{FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use weir_anomaly::{
    Timestamp,
    event::{END_OF_TIMES, LEAST_TIME, is_event_time},
};

/// Units of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EpochUnit {
    /// `s`
    Seconds,
    /// `ms`: what a record's number is taken for.
    Milliseconds,
    /// `us`
    Microseconds,
    /// `ns`
    Nanoseconds,
}

impl EpochUnit {
    /// The units, from long to short.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// The unit's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    /// The unit's sign: `s`, `ms`, `us`, `ns`.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// Digits behind the decimal point when a time in this unit is written in seconds.
    #[must_use]
    pub fn decimals(self) -> u32 {
        match self {
            Self::Seconds => 0,
            Self::Milliseconds => 3,
            Self::Microseconds => 6,
            Self::Nanoseconds => 9,
        }
    }

    /// The unit in which a number is a time that an event may have.
    pub(crate) fn of(number: f64) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| {
            let nanos = number * 10_f64.powi(9 - unit.decimals() as i32);
            (LEAST_TIME.nanos() as f64..END_OF_TIMES.nanos() as f64).contains(&nanos)
        })
    }
}

/// Why something is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTime {
    /// A number that is a time in another unit than milliseconds, where one is known.
    Number(Option<EpochUnit>),
    /// A time that no event may have.
    OutOfRange,
    /// Text of another form.
    Text,
}

/// Reads a time as a record writes it: RFC 3339, or epoch milliseconds as a number or its digits.
///
/// # Errors
/// Says what is wrong with it, in words that follow the text itself.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    read(text).map_err(|fault| fault.to_string())
}

impl std::fmt::Display for NoTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(Some(unit)) => {
                write!(f, "looks like epoch {}; epoch milliseconds or RFC 3339 are read", unit.as_str())
            }
            Self::Number(None) | Self::Text => f.write_str("is no time (RFC 3339, or epoch milliseconds)"),
            Self::OutOfRange => f.write_str("is outside the years that an event may have"),
        }
    }
}

/// The expression `time_of_event` of `sql/tables.sql`.
pub(crate) fn read(text: &str) -> Result<Timestamp, NoTime> {
    let number: Option<f64> = text.parse().ok();
    if let Some(time) = number.and_then(of_millis).or_else(|| of_text(text)) {
        return match time {
            time if is_event_time(time) => Ok(time),
            _ => Err(number.map_or(NoTime::OutOfRange, |number| NoTime::Number(EpochUnit::of(number)))),
        };
    }
    Err(match (number, datetime(text)) {
        (Some(number), _) => NoTime::Number(EpochUnit::of(number)),
        (None, Some(_)) => NoTime::OutOfRange,
        (None, None) => NoTime::Text,
    })
}

/// A number of milliseconds, to the microsecond; `None` outside the years that nanoseconds reach.
fn of_millis(millis: f64) -> Option<Timestamp> {
    let micros = (millis * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number without a fraction, or none; the ends are checked below"
    )]
    let whole = micros as i64;
    whole.checked_mul(1000).filter(|_| micros.is_finite()).map(Timestamp::from_nanos)
}

fn of_text(text: &str) -> Option<Timestamp> {
    datetime(text)?.and_utc().timestamp_nanos_opt().map(Timestamp::from_nanos)
}

/// A date and time as Arrow's `string_to_datetime` reads them: `T`, `t` or a blank between the two, seconds with an optional
/// fraction or six digits without colons, then nothing (UTC), `Z`, `z`, `+hh:mm`, `+hhmm`, `+hh` or
/// the name of a zone, blanks before it; or a date alone.
fn datetime(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let date = date(bytes.get(..10)?)?;
    if bytes.len() == 10 {
        return Some(date.and_time(NaiveTime::MIN));
    }
    if !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (time, end) = time(bytes)?;
    let local = date.and_time(time);
    let zone = text.get(end..)?;
    if zone.is_empty() || zone == "Z" || zone == "z" {
        return Some(local);
    }
    let zone = zone.trim_start();
    match offset(zone.as_bytes()) {
        Some(offset) => offset.from_local_datetime(&local).single().map(|time| time.naive_utc()),
        None => zone.parse::<chrono_tz::Tz>().ok()?.from_local_datetime(&local).single().map(|time| time.naive_utc()),
    }
}

fn date(bytes: &[u8]) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
}

/// The time of day that begins at the eleventh byte, and where it ends.
fn time(bytes: &[u8]) -> Option<(NaiveTime, usize)> {
    let clock = bytes.get(11..)?;
    let of = |hour: &[u8], minute: &[u8], second: &[u8], nanos: u32| {
        let (second, nanos) = match number(second)? {
            60 => (59, nanos + 1_000_000_000),
            second => (second, nanos),
        };
        NaiveTime::from_hms_nano_opt(number(hour)?, number(minute)?, second, nanos)
    };
    if let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = clock {
        let Some((b'.', fraction)) = rest.split_first() else {
            return Some((of(&[*h1, *h2], &[*m1, *m2], &[*s1, *s2], 0)?, 19));
        };
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let kept = digits.min(9);
        let nanos = number(fraction.get(..kept)?)?.checked_mul(10_u32.pow(u32::try_from(9 - kept).ok()?))?;
        return Some((of(&[*h1, *h2], &[*m1, *m2], &[*s1, *s2], nanos)?, 20 + digits));
    }
    let [h1, h2, m1, m2, s1, s2, rest @ ..] = clock else { return None };
    // Arrow looks at eight places here: two further digits are no time.
    if rest.iter().take(2).any(u8::is_ascii_digit) {
        return None;
    }
    Some((of(&[*h1, *h2], &[*m1, *m2], &[*s1, *s2], 0)?, 17))
}

fn offset(zone: &[u8]) -> Option<FixedOffset> {
    let (sign, digits) = zone.split_first()?;
    let (hours, minutes) = match digits {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => ([*h1, *h2], [*m1, *m2]),
        [h1, h2] => ([*h1, *h2], *b"00"),
        _ => return None,
    };
    let seconds = i32::try_from(number(&hours)? * 3600 + number(&minutes)? * 60).ok()?;
    match sign {
        b'+' => FixedOffset::east_opt(seconds),
        b'-' => FixedOffset::west_opt(seconds),
        _ => None,
    }
}

/// Digits and nothing else; nine at most.
fn number(digits: &[u8]) -> Option<u32> {
    let mut value: u32 = 0;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_another_unit_is_named() {
        let said = |text: &str| parse_time(text).unwrap_err();
        assert!(said("1767225600").contains("epoch seconds"));
        assert!(said("1767225600000000").contains("epoch microseconds"));
        assert!(said("1767225600000000000").contains("epoch nanoseconds"));
        assert!(said("0").contains("is no time"));
        assert!(said("20260101").contains("is no time"));
        assert_eq!(parse_time("1767225600000").unwrap().to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn every_form_of_one_instant_is_that_instant() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00",
            "2026-01-01",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T01:00:00+0100",
            "2026-01-01 01:00:00 +01",
            "2026-01-01T000000",
            "2025-12-31T23:59:60Z",
        ] {
            assert_eq!(parse_time(text).unwrap().to_string(), "2026-01-01T00:00:00Z", "{text}");
        }
    }

    #[test]
    fn what_no_calendar_has_is_no_time() {
        for text in [
            "2026-02-29",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "yesterday",
            "",
            "2026-01-01T00:00Z",
            "é2026-01-01",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
