//! ISO 8601 and its kin.

use super::{
    TimeFault, Zone,
    civil::Civil,
    zone::{offset, two},
};

/// Reads a time, see [`super::TimeFormat::Iso8601`].
#[inline]
pub(super) fn read(text: &str, zone: &Zone) -> Result<i64, TimeFault> {
    let text = text.trim_matches([' ', '\t']);
    parse(text, zone).unwrap_or(Err(TimeFault::Unreadable))
}

#[inline]
fn parse(text: &str, zone: &Zone) -> Option<Result<i64, TimeFault>> {
    let bytes = text.as_bytes();
    let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
    let (mut civil, mut at) = if bytes.get(4) == Some(&b'-') {
        (bytes.get(7) == Some(&b'-')).then_some(())?;
        (Civil::date(year, two(bytes, 5)?, two(bytes, 8)?), 10)
    } else {
        (Civil::date(year, two(bytes, 4)?, two(bytes, 6)?), 8)
    };
    if let Some(b'T' | b't' | b' ' | b'_') = bytes.get(at)
        && let Some(hour) = two(bytes, at + 1)
    {
        civil.hour = hour;
        at = time_of_day(&mut civil, bytes, at + 3)?;
    } else if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let (written, zone) = zone_of(text.get(at..)?, *zone)?;
    Some(civil.instant(written, &zone))
}

/// Minutes, seconds and fraction after the hour, with or without colons; where they end.
#[inline]
fn time_of_day(civil: &mut Civil, bytes: &[u8], mut at: usize) -> Option<usize> {
    let colon = bytes.get(at) == Some(&b':');
    at += usize::from(colon);
    civil.minute = two(bytes, at)?;
    at += 2;
    let seconds = if colon { bytes.get(at) == Some(&b':') } else { bytes.get(at).is_some_and(u8::is_ascii_digit) };
    if !seconds {
        return Some(at);
    }
    at += usize::from(colon);
    civil.second = two(bytes, at)?;
    at += 2;
    if let Some(b'.' | b',') = bytes.get(at) {
        let (nanos, length) = fraction(bytes, at + 1)?;
        civil.nanos = nanos;
        at += 1 + length;
    }
    Some(at)
}

/// The digits of a fraction of a second as nanoseconds, and how many they are; what is below a nanosecond is cut off.
#[inline]
pub(super) fn fraction(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let (mut nanos, mut unit, mut length) = (0, 100_000_000, 0);
    while let Some(digit) = bytes.get(at + length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        nanos += i64::from(digit) * unit;
        unit /= 10;
        length += 1;
    }
    (length > 0).then_some((nanos, length))
}

/// What is written after the time: an offset, a name, an offset with a name in brackets (RFC 9557), or nothing.
#[inline]
fn zone_of(rest: &str, zone: Zone) -> Option<(Option<i64>, Zone)> {
    if rest.is_empty() {
        return Some((None, zone));
    }
    if rest == "Z" || rest == "z" {
        return Some((Some(0), zone));
    }
    named_zone(rest, zone)
}

fn named_zone(rest: &str, zone: Zone) -> Option<(Option<i64>, Zone)> {
    let rest = rest.trim_start_matches(' ');
    let (before, bracket) = match rest.strip_suffix(']').and_then(|inner| inner.split_once('[')) {
        Some((before, name)) => (before.trim_end_matches(' '), Some(name)),
        None => (rest, None),
    };
    match (before, bracket.map(Zone::parse)) {
        (_, Some(None)) => None,
        ("", Some(Some(named))) => Some((None, named)),
        ("Z" | "z", _) => Some((Some(0), zone)),
        (written, _) => match offset(written.as_bytes()) {
            Some((seconds, length)) => (length == written.len()).then_some((Some(seconds), zone)),
            None => Zone::parse(written).map(|named| (None, named)),
        },
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
    fn kin_of_iso_8601() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00.000000000Z",
            "2026-01-01T00:00:00,000",
            "2026-01-01T00:00",
            "2026-01-01",
            "20260101",
            "20260101T000000Z",
            "20260101T0000",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T01:00:00+0100",
            "2026-01-01T01:00:00 +01",
            "2025-12-31T19:00:00-05:00",
            "2026-01-01 00:00:00 UTC",
            "2026-01-01 01:00:00 Europe/Berlin",
            "2026-01-01T01:00:00[Europe/Berlin]",
            "2026-01-01T01:00:00+01:00[Europe/Berlin]",
            "2025-12-31T23:59:60Z",
            " 2026-01-01T00:00:00Z ",
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
            "2026-01",
            "2026-13-01",
            "2026-02-29",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T",
            "2026-01-01T0",
            "2026-1-1",
            "0000-01-01",
            "10000-01-01",
            "2026-01-01T00:00:00X",
            "2026-01-01T00:00:00+25:00",
            "2026-01-01T00:00:00Zz",
            "1767225600",
            "1767225600000",
            "2026-01-01T00:00:00Z[Nowhere/Land]",
            "２０２６-01-01",
            "2026-01-01T00:00:00+01:00x",
        ] {
            assert_eq!(utc(text), Err(TimeFault::Unreadable), "{text}");
        }
    }

    #[test]
    fn years_beyond_nanoseconds_are_refused_not_wrapped() {
        assert_eq!(utc("0001-01-01T00:00:00Z"), Err(TimeFault::OutOfRange));
        assert_eq!(utc("9999-12-31T23:59:59Z"), Err(TimeFault::OutOfRange));
        assert_eq!(utc("2262-04-11T23:47:16.854775807Z"), Ok(i64::MAX));
        assert_eq!(utc("2262-04-11T23:47:16.854775808Z"), Err(TimeFault::OutOfRange));
        assert!(utc("1677-09-21T00:12:44Z").is_ok());
        assert_eq!(utc("1677-09-21T00:12:43Z"), Err(TimeFault::OutOfRange));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in any::<i64>()) {
            let text = weir_anomaly::Timestamp::from_nanos(nanos).to_string();
            // The very first second of the range cannot be put together from its parts.
            prop_assume!(nanos > i64::MIN + 1_000_000_000);
            prop_assert_eq!(utc(&text), Ok(nanos));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}|[0-9TZ:+.\\- \\[\\]a-z/]{0,30}") {
            let _ = utc(&text);
            let _ = read(&text, &Zone::parse("America/New_York").unwrap());
        }
    }
}
