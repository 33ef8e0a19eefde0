//! Timestamps in text: the usual forms by hand, every other form that Arrow takes through Arrow.

use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::TimeUnit;
use chrono::Utc;

/// Reads what Arrow's `string_to_datetime` reads: RFC 3339, with a blank for `T`, without a zone (then UTC), or a date alone.
#[inline]
pub(super) fn parse(text: &[u8], unit: &TimeUnit) -> Option<i64> {
    if let Some((seconds, nanos)) = parse_utc(text) {
        let scaled = |scale: i64, part: i64| seconds.checked_mul(scale)?.checked_add(part);
        let value = match unit {
            TimeUnit::Second => Some(seconds),
            TimeUnit::Millisecond => scaled(1_000, nanos / 1_000_000),
            TimeUnit::Microsecond => scaled(1_000_000, nanos / 1_000),
            TimeUnit::Nanosecond => scaled(1_000_000_000, nanos),
        };
        if value.is_some() {
            return value;
        }
    }
    let time = string_to_datetime(&Utc, std::str::from_utf8(text).ok()?).ok()?;
    match unit {
        TimeUnit::Second => Some(time.timestamp()),
        TimeUnit::Millisecond => Some(time.timestamp_millis()),
        TimeUnit::Microsecond => Some(time.timestamp_micros()),
        TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
    }
}

/// `2026-11-23T05:00:00[.fraction][Z]`: seconds since the epoch and nanoseconds. `None` for every other form.
#[inline]
fn parse_utc(text: &[u8]) -> Option<(i64, i64)> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    if head[4] != b'-'
        || head[7] != b'-'
        || !matches!(head[10], b'T' | b't' | b' ')
        || head[13] != b':'
        || head[16] != b':'
    {
        return None;
    }
    let two = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
    };
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    // A leap second is left to Arrow.
    if hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }

    let mut nanos = 0;
    let mut rest = tail;
    if let Some((b'.', fraction)) = tail.split_first() {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        let (fraction, after) = fraction.split_at(digits);
        nanos = fraction.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        nanos *= 10_i64.pow(9 - digits as u32);
        rest = after;
    }
    if !matches!(rest, [] | [b'Z' | b'z']) {
        return None;
    }
    Some((days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second, nanos))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`): years begin in March there.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_arrow(text: &str, unit: &TimeUnit) -> Option<i64> {
        let time = string_to_datetime(&Utc, text).ok()?;
        match unit {
            TimeUnit::Second => Some(time.timestamp()),
            TimeUnit::Millisecond => Some(time.timestamp_millis()),
            TimeUnit::Microsecond => Some(time.timestamp_micros()),
            TimeUnit::Nanosecond => time.timestamp_nanos_opt(),
        }
    }

    const UNITS: [TimeUnit; 4] = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

    #[test]
    fn every_form_reads_as_arrow_reads_it() {
        for text in [
            "2026-11-23T05:00:00.250Z",
            "2026-11-23 05:00:00.250",
            "2026-11-23t05:00:00z",
            "2026-11-23T05:00:00+02:00",
            "2026-11-23 05:00:00.1 -08",
            "2026-11-23",
            "2026-11-23T050000",
            "2016-12-31T23:59:60Z",
            "2026-02-29T00:00:00Z",
            "1677-09-21T00:12:43.145224193Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "2026-11-23T05:00:00.",
            "2026-11-23T05:00:00.1234567891Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T05:00:00Zx",
            "yesterday",
            "",
        ] {
            for unit in UNITS {
                assert_eq!(parse(text.as_bytes(), &unit), by_arrow(text, &unit), "{text} in {unit:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_time_reads_as_arrow_reads_it(
            date in (0..=9999_u32, 0..=13_u32, 0..=32_u32), time in (0..=24_u32, 0..=60_u32, 0..=60_u32),
            fraction in "(\\.[0-9]{0,10})?", zone in "(Z|z|\\+01:30|)", separator in "[T t_]",
        ) {
            let text = format!(
                "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{fraction}{zone}",
                date.0, date.1, date.2, time.0, time.1, time.2
            );
            for unit in UNITS {
                prop_assert_eq!(parse(text.as_bytes(), &unit), by_arrow(&text, &unit));
            }
        }
    }
}
