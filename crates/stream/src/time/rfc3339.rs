//! RFC 3339 with the liberties that SQL's `CAST(… AS TIMESTAMP)` takes, which are Weir's contract for `timestamp`.
//!
//! The forms are those of `arrow_cast::parse::string_to_datetime` (arrow 55), so that this reader and the SQL that Arroyo
//! runs agree on every text: docs/contracts.md, "Times".

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::{TimeFault, Zone, civil::Civil, iso8601::fraction, zone::two};

/// Reads a time, see [`super::TimeFormat::Rfc3339`].
#[inline]
pub(super) fn read(text: &str, zone: &Zone) -> Result<i64, TimeFault> {
    parse(text, zone).unwrap_or(Err(TimeFault::Unreadable))
}

#[inline]
fn parse(text: &str, zone: &Zone) -> Option<Result<i64, TimeFault>> {
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let mut civil = Civil::date(two(bytes, 0)? * 100 + two(bytes, 2)?, two(bytes, 5)?, two(bytes, 8)?);
    if bytes.len() == 10 {
        return Some(civil.instant(None, zone));
    }
    if !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    civil.hour = two(bytes, 11)?;
    let end = if bytes.get(13) == Some(&b':') {
        (bytes.get(16) == Some(&b':')).then_some(())?;
        (civil.minute, civil.second) = (two(bytes, 14)?, two(bytes, 17)?);
        match bytes.get(19) {
            Some(b'.') => {
                let (nanos, length) = fraction(bytes, 20)?;
                civil.nanos = nanos;
                20 + length
            }
            _ => 19,
        }
    } else {
        (civil.minute, civil.second) = (two(bytes, 13)?, two(bytes, 15)?);
        // Arrow looks two bytes ahead: an offset needs a blank before it here.
        if bytes.get(17).is_some_and(u8::is_ascii_digit) || bytes.get(18).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        17
    };
    match bytes.get(end..)? {
        [] => Some(civil.instant(None, zone)),
        [b'Z' | b'z'] => Some(civil.instant(Some(0), zone)),
        _ => {
            let written = text.get(end..)?.trim_start();
            match offset(written.as_bytes()) {
                Some(seconds) => Some(civil.instant(Some(seconds), zone)),
                None => in_named_zone(&civil, written.parse().ok()?),
            }
        }
    }
}

/// `+09:00`, `+0900`, `+09`, and nothing else.
fn offset(bytes: &[u8]) -> Option<i64> {
    let minutes = match bytes.len() {
        6 if bytes.get(3) == Some(&b':') => two(bytes, 4)?,
        5 => two(bytes, 3)?,
        3 => 0,
        _ => return None,
    };
    let seconds = two(bytes, 1)? * 3_600 + minutes * 60;
    match bytes.first()? {
        _ if seconds >= 86_400 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// A local time that a change of clock leaves out or has twice is none.
fn in_named_zone(civil: &Civil, zone: Tz) -> Option<Result<i64, TimeFault>> {
    let naive = DateTime::from_timestamp(civil.seconds()?, 0)?.naive_utc();
    match zone.offset_from_local_datetime(&naive) {
        MappedLocalTime::Single(offset) => {
            Some(civil.instant(Some(i64::from(offset.fix().local_minus_utc())), &Zone::UTC))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW_YEAR: i64 = 1_767_225_600_000_000_000;

    fn utc(text: &str) -> Result<i64, TimeFault> {
        read(text, &Zone::UTC)
    }

    #[test]
    fn forms_of_the_contract() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00.0000000000000000Z",
            "2026-01-01",
            "2026-01-01T000000",
            "2026-01-01T000000Z",
            "2026-01-01T010000 +01:00",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T01:00:00+0100",
            "2026-01-01T01:00:00   +01",
            "2025-12-31T19:00:00-05:00",
            "2026-01-01 00:00:00 UTC",
            "2026-01-01 01:00:00 Europe/Berlin",
            "2025-12-31T23:59:60Z",
        ] {
            assert_eq!(utc(text), Ok(NEW_YEAR), "{text}");
        }
        assert_eq!(utc("2026-01-01T00:00:00.123456789999Z"), Ok(NEW_YEAR + 123_456_789));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2026",
            "20260101",
            "20260101T000000Z",
            "2026-01-01T00:00",
            "2026-13-01",
            "2026-02-29",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T",
            "2026-1-1",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00+24:00",
            " 2026-01-01",
            "2026-01-01T00:00:00 Z",
            "2026-01-01T010000+01:00",
            "2026-01-01T00:00:00Zz",
            "1767225600000",
            "2026-03-29T02:30:00 Europe/Berlin",
            "2026-10-25T02:30:00 Europe/Berlin",
            "2026-01-01T00:00:00 europe/berlin",
            "2026-01-01_00:00:00",
        ] {
            assert_eq!(utc(text), Err(TimeFault::Unreadable), "{text}");
        }
        assert_eq!(utc("9999-12-31T23:59:59Z"), Err(TimeFault::OutOfRange));
        assert_eq!(utc("0001-01-01"), Err(TimeFault::OutOfRange));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in i64::MIN + 1_000_000_000..=i64::MAX) {
            prop_assert_eq!(utc(&weir_anomaly::Timestamp::from_nanos(nanos).to_string()), Ok(nanos));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}|[0-9TZ:+.\\- \\[\\]a-z/é]{0,30}|2026-01-01[T ][0-9:]{6,8}.{0,8}") {
            let _ = utc(&text);
        }

        #[test]
        fn what_it_reads_iso8601_reads_alike(text in "2026-(0[1-9]|1[0-2])-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|[+-][01][0-9](:?[0-5][0-9])?| Asia/Tokyo)?)?") {
            if let Ok(nanos) = utc(&text) {
                prop_assert_eq!(super::super::iso8601::read(&text, &Zone::UTC), Ok(nanos));
            }
        }
    }
}
