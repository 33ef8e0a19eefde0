//! Zones: a fixed offset, or one of the IANA database with its changes of clock.

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

/// The longest gap that a change of clock has made in local time: Samoa left out a day.
const LONGEST_GAP_SECONDS: i64 = 27 * 3_600;

/// The zone of times that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i64),
    /// A zone of the IANA database.
    Named(Tz),
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads `UTC`, `+01:00`, `Europe/Berlin`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "UTC" | "utc" | "GMT" | "Z" | "z" => Some(Self::UTC),
            _ => match offset(text.as_bytes()) {
                Some((seconds, length)) if length == text.len() => Some(Self::Fixed(seconds)),
                _ => text.parse().ok().map(Self::Named),
            },
        }
    }

    /// Local seconds since 1970 as UTC. A local time that comes twice, when clocks go back, is its first; one that is left
    /// out, when they go forward, is as if they had not gone forward yet.
    pub(super) fn to_utc(self, local: i64) -> i64 {
        match self {
            Self::Fixed(east) => local - east,
            Self::Named(zone) => local - east(zone, local),
        }
    }
}

fn east(zone: Tz, local: i64) -> i64 {
    [0, 3 * 3_600, LONGEST_GAP_SECONDS]
        .into_iter()
        .find_map(|before| {
            let naive = DateTime::from_timestamp(local.checked_sub(before)?, 0)?.naive_utc();
            match zone.offset_from_local_datetime(&naive) {
                MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                    Some(i64::from(offset.fix().local_minus_utc()))
                }
                MappedLocalTime::None => None,
            }
        })
        .unwrap_or_default()
}

/// Reads `+01:00`, `+0100`, `+01` at the start: seconds east of Greenwich, and how long it is.
#[inline]
pub(super) fn offset(bytes: &[u8]) -> Option<(i64, usize)> {
    let negative = match bytes.first()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let hours = two(bytes, 1)?;
    let (minutes, length) = match bytes.get(3) {
        Some(b':') => (two(bytes, 4)?, 6),
        Some(b'0'..=b'9') => (two(bytes, 3)?, 5),
        _ => (0, 3),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3_600 + minutes * 60;
    Some((if negative { -seconds } else { seconds }, length))
}

/// Two digits at a place.
#[inline]
pub(super) fn two(bytes: &[u8], at: usize) -> Option<i64> {
    let digit =
        |at: usize| bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10).map(i64::from);
    Some(digit(at)? * 10 + digit(at + 1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29 and 2026-10-25, 00:00 as if UTC: the days on which Berlin's clocks change at 2 and at 3.
    const SPRING: i64 = 1_774_742_400;
    const AUTUMN: i64 = 1_792_886_400;

    #[test]
    fn clocks_that_change_leave_every_local_time_one_meaning() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(berlin.to_utc(SPRING + 3_600), SPRING);
        assert_eq!(berlin.to_utc(SPRING + 2 * 3_600 + 1_800), SPRING + 5_400, "left out: as before the change");
        assert_eq!(berlin.to_utc(SPRING + 3 * 3_600), SPRING + 3_600);
        assert_eq!(berlin.to_utc(AUTUMN + 2 * 3_600 + 1_800), AUTUMN + 1_800, "twice: the first");
        let apia = Zone::parse("Pacific/Apia").unwrap();
        let left_out = 1_325_203_200 + 12 * 3_600; // 2011-12-30 12:00, a day that Samoa did not have.
        assert_eq!(apia.to_utc(left_out), left_out + 10 * 3_600);
    }

    #[test]
    fn offsets_and_names() {
        assert_eq!(Zone::parse("+05:30"), Some(Zone::Fixed(19_800)));
        assert_eq!(Zone::parse("-0800"), Some(Zone::Fixed(-28_800)));
        assert_eq!(Zone::parse("+01"), Some(Zone::Fixed(3_600)));
        for text in ["+24:00", "+1", "+01:60", "+01:00x", "Europe/Berlinn", ""] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
    }
}
