//! Times: from what producers write to nanoseconds since the Unix epoch, UTC.
//!
//! Every time that this module returns lies within the years 1677 to 2262 (64 bits of nanoseconds). Arithmetic is checked:
//! what does not fit is refused, never wrapped or moved.

mod civil;
mod epoch;
mod iso8601;
mod pattern;
mod rfc3339;
mod zone;

pub use epoch::Unit;
pub use pattern::{Pattern, PatternError};
pub use zone::Zone;

use std::fmt;

use crate::json::Number;

/// The forms in which a time may be written.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeFormat {
    /// RFC 3339, and what SQL's `CAST(… AS TIMESTAMP)` takes besides: a blank for the `T`, `hhmmss`, a date alone, zones `Z`,
    /// `+01:00`, `+0100`, `+01`, `Europe/Berlin`, or none (the default zone). Digits behind the ninth do not count; the second
    /// 60 is the first of the next minute.
    Rfc3339,
    /// The same and more of ISO 8601 and its kin: the basic form (`20260101T000010Z`), a comma before the fraction, no
    /// seconds, `UTC` or `[Europe/Berlin]` as zone, blanks around it.
    Iso8601,
    /// A number of units since 1970, as a JSON number or as text. What is written as an integer is exact; with a fraction or
    /// an exponent it is a double, rounded to the microsecond, halves away from zero.
    Epoch(Unit),
    /// A pattern of `%` directives.
    Pattern(Pattern),
}

/// How times of one field are read.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeReader {
    /// The forms that are tried, in this order.
    pub formats: Vec<TimeFormat>,
    /// The zone of times that name none.
    pub zone: Zone,
}

impl Default for TimeReader {
    fn default() -> Self {
        Self { formats: vec![TimeFormat::Rfc3339], zone: Zone::UTC }
    }
}

/// Why something is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFault {
    /// It is not written in any of the declared forms.
    Unreadable,
    /// As the declared unit it is no time of a living system; it would be one in the other unit, if there is one.
    WrongUnit(Unit, Option<Unit>),
    /// A real time, but outside the years 1677 to 2262, or none that an event can have.
    OutOfRange,
}

impl fmt::Display for TimeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("is not a time in the declared form"),
            Self::WrongUnit(declared, Some(meant)) => write!(
                f,
                "cannot be {} since 1970, it looks like {}; hint: format = \"{}\"",
                declared.plural(),
                meant.plural(),
                meant.name()
            ),
            Self::WrongUnit(declared, None) => {
                write!(
                    f,
                    "cannot be {} since 1970: times before March 1973 or behind the year 2262 are refused",
                    declared.plural()
                )
            }
            Self::OutOfRange => f.write_str("lies outside the times that it can have"),
        }
    }
}

impl TimeFormat {
    /// The names of the forms that are no patterns.
    pub(crate) const NAMES: [&'static str; 8] =
        ["rfc3339", "iso8601", "unix", "unix_ms", "unix_us", "unix_ns", "rfc2822", "apache"];

    /// By its name in a stream's file, or as a pattern.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(match text {
            "rfc3339" => Self::Rfc3339,
            "iso8601" => Self::Iso8601,
            "unix" => Self::Epoch(Unit::Seconds),
            "unix_ms" => Self::Epoch(Unit::Millis),
            "unix_us" => Self::Epoch(Unit::Micros),
            "unix_ns" => Self::Epoch(Unit::Nanos),
            "rfc2822" => Self::Pattern(Pattern::parse("%a, %d %b %Y %H:%M:%S %z")?),
            "apache" => Self::Pattern(Pattern::parse("%d/%b/%Y:%H:%M:%S %z")?),
            pattern => Self::Pattern(Pattern::parse(pattern)?),
        })
    }
}

impl TimeReader {
    /// Reads a text, which may hold an epoch number.
    ///
    /// # Errors
    /// When no form fits; the most telling fault of those that were tried.
    #[inline]
    pub fn read_text(&self, text: &str) -> Result<i64, TimeFault> {
        self.first(|format| match format {
            TimeFormat::Rfc3339 => rfc3339::read(text, &self.zone),
            TimeFormat::Iso8601 => iso8601::read(text, &self.zone),
            TimeFormat::Epoch(unit) => match Number::read_text(text) {
                Some(number) => unit.read(number, text),
                None => Err(TimeFault::Unreadable),
            },
            TimeFormat::Pattern(pattern) => pattern.read(text, &self.zone),
        })
    }

    /// Reads a JSON number: an epoch form, or a pattern that digits can fit (`%Y%m%d`).
    #[inline]
    pub(crate) fn read_number(&self, number: Number, text: &str) -> Result<i64, TimeFault> {
        self.first(|format| match format {
            TimeFormat::Rfc3339 | TimeFormat::Iso8601 => Err(TimeFault::Unreadable),
            TimeFormat::Epoch(unit) => unit.read(number, text),
            TimeFormat::Pattern(pattern) => pattern.read(text, &self.zone),
        })
    }

    #[inline]
    fn first(&self, read: impl Fn(&TimeFormat) -> Result<i64, TimeFault>) -> Result<i64, TimeFault> {
        let mut fault = TimeFault::Unreadable;
        for format in &self.formats {
            match read(format) {
                Ok(nanos) => return Ok(nanos),
                Err(TimeFault::Unreadable) => {}
                Err(telling) => fault = telling,
            }
        }
        Err(fault)
    }
}
