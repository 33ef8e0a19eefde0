//! Days, hours and offsets as nanoseconds since the epoch.

use super::{TimeFault, Zone};

const NANOS_A_SECOND: i64 = 1_000_000_000;
const SECONDS_A_DAY: i64 = 86_400;

/// A time as it is written: the parts of a date and of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    /// 60 is a leap second: the first second of the next minute.
    pub(super) second: i64,
    pub(super) nanos: i64,
}

impl Civil {
    pub(super) const fn date(year: i64, month: i64, day: i64) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0 }
    }

    /// Whether there is such a date (in the years 1 to 9999) and time of day.
    #[inline]
    fn exists(&self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second)
    }

    /// Seconds since 1970 as if it were UTC; `None` when there is no such time.
    #[inline]
    pub(super) fn seconds(&self) -> Option<i64> {
        self.exists().then(|| {
            days(self.year, self.month, self.day) * SECONDS_A_DAY + self.hour * 3_600 + self.minute * 60 + self.second
        })
    }

    /// The instant, in the zone that was written (seconds east of Greenwich) or else in `zone`.
    #[inline]
    pub(super) fn instant(&self, offset: Option<i64>, zone: &Zone) -> Result<i64, TimeFault> {
        let local = self.seconds().ok_or(TimeFault::Unreadable)?;
        let seconds = match offset {
            Some(offset) => local - offset,
            None => zone.to_utc(local),
        };
        seconds.checked_mul(NANOS_A_SECOND).and_then(|nanos| nanos.checked_add(self.nanos)).ok_or(TimeFault::OutOfRange)
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms,
/// `days_from_civil`).
#[inline]
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[inline]
const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Month and day of the `day`th day of a year, from 1.
pub(super) fn of_day_of_year(year: i64, day: i64) -> Option<(i64, i64)> {
    let mut left = day;
    for month in 1..=12 {
        let length = days_of_month(year, month);
        if left <= length {
            return (left >= 1).then_some((month, left));
        }
        left -= length;
    }
    None
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn days_are_chronos_for_every_day_of_ten_thousand_years() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut day = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        while day.year() < 10_000 {
            let (year, month, of_month) = (i64::from(day.year()), i64::from(day.month()), i64::from(day.day()));
            let seconds = Civil::date(year, month, of_month).seconds().unwrap();
            assert_eq!(seconds, (day - epoch).num_seconds(), "{day}");
            assert_eq!(of_day_of_year(year, i64::from(day.ordinal())), Some((month, of_month)));
            day = day.succ_opt().unwrap();
        }
        for (year, month, of_month) in
            [(2026, 2, 29), (1900, 2, 29), (2026, 13, 1), (2026, 0, 1), (2026, 4, 31), (0, 1, 1), (10_000, 1, 1)]
        {
            assert_eq!(Civil::date(year, month, of_month).seconds(), None);
        }
        assert_eq!(of_day_of_year(2026, 366), None);
        assert_eq!(of_day_of_year(2026, 0), None);
    }
}
