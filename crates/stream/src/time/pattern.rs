//! Times by a pattern of `%` directives, as `strptime` and chrono have them.

use super::{
    TimeFault, Zone,
    civil::{Civil, of_day_of_year},
    iso8601::fraction,
    zone::{offset, two},
};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// North American abbreviations, as RFC 2822 (section 4.3) fixes them; others have more than one meaning.
const ABBREVIATIONS: [(&str, i64); 8] =
    [("EST", -5), ("EDT", -4), ("CST", -6), ("CDT", -5), ("MST", -7), ("MDT", -6), ("PST", -8), ("PDT", -7)];

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    text: String,
    items: Vec<Item>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(pub String);

#[derive(Debug, Clone, PartialEq)]
enum Item {
    /// These bytes.
    Literal(String),
    /// Any number of blanks.
    Blanks,
    Year,
    /// 69 to 99 are 19.., 00 to 68 are 20.. (POSIX).
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    DayName,
    Hour,
    HalfHour,
    HalfDay,
    Minute,
    Second,
    /// The digits after a point that the pattern writes itself.
    Fraction,
    /// A point or comma and digits, or nothing.
    PointFraction,
    Offset,
    ZoneName,
    Epoch,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When a directive is not known, or the pattern does not make a whole date.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut items = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                ' ' | '\t' if items.last() == Some(&Item::Blanks) => {}
                ' ' | '\t' => items.push(Item::Blanks),
                '%' => rest = directive(rest, &mut items)?,
                c => match items.last_mut() {
                    Some(Item::Literal(literal)) => literal.push(c),
                    _ => items.push(Item::Literal(c.to_string())),
                },
            }
        }
        let has = |item: &Item| items.contains(item);
        let month = has(&Item::Month) || has(&Item::MonthName);
        let date = (has(&Item::Year) || has(&Item::ShortYear)) && (has(&Item::DayOfYear) || (month && has(&Item::Day)));
        if items.iter().all(|item| matches!(item, Item::Literal(_) | Item::Blanks)) {
            return Err(PatternError(format!("`{text}` is neither a known format nor a pattern with `%`")));
        }
        if !date && !has(&Item::Epoch) {
            return Err(PatternError(format!("`{text}` makes no date: it needs year, month and day, or `%s`")));
        }
        if has(&Item::HalfHour) != has(&Item::HalfDay) {
            return Err(PatternError("`%I` and `%p` belong together".to_owned()));
        }
        Ok(Self { text: text.to_owned(), items })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads a time; the whole text must fit.
    pub(super) fn read(&self, text: &str, zone: &Zone) -> Result<i64, TimeFault> {
        let text = text.trim_matches([' ', '\t']);
        let mut reader = Reader { rest: text, parts: Parts::default() };
        for item in &self.items {
            reader.item(item).ok_or(TimeFault::Unreadable)?;
        }
        if !reader.rest.is_empty() {
            return Err(TimeFault::Unreadable);
        }
        reader.parts.instant(zone)
    }
}

fn directive<'a>(rest: &'a str, items: &mut Vec<Item>) -> Result<&'a str, PatternError> {
    // `%-d` and `%_d` are paddings of writers: readers take any.
    let body = rest.strip_prefix(['-', '_', '0']).unwrap_or(rest);
    if let Some(after) = body.strip_prefix(".f").or_else(|| body.strip_prefix(".%f")) {
        items.push(Item::PointFraction);
        return Ok(after);
    }
    for digits in ["3f", "6f", "9f"] {
        if let Some(after) = body.strip_prefix(digits) {
            items.push(Item::Fraction);
            return Ok(after);
        }
    }
    let Some(letter) = body.chars().next() else { return Err(PatternError("a `%` at the end".to_owned())) };
    let expand = |pattern: &str, items: &mut Vec<Item>| {
        for letter in pattern.chars() {
            match letter {
                '-' | ':' | '/' => items.push(Item::Literal(letter.to_string())),
                letter => items.extend(single(letter)),
            }
        }
    };
    match letter {
        'F' => expand("Y-m-d", items),
        'T' => expand("H:M:S", items),
        'R' => expand("H:M", items),
        'D' => expand("m/d/y", items),
        '%' => items.push(Item::Literal("%".to_owned())),
        letter => match single(letter) {
            Some(item) => items.push(item),
            None => {
                return Err(PatternError(format!(
                    "`%{letter}` is not known; known are %Y %y %m %b %d %e %j %a %H %I %p %M %S %f %.f %z %Z %s %F %T %R %D"
                )));
            }
        },
    }
    Ok(body.get(letter.len_utf8()..).unwrap_or_default())
}

fn single(letter: char) -> Option<Item> {
    Some(match letter {
        'Y' => Item::Year,
        'y' => Item::ShortYear,
        'm' => Item::Month,
        'b' | 'B' | 'h' => Item::MonthName,
        'd' | 'e' => Item::Day,
        'j' => Item::DayOfYear,
        'a' | 'A' => Item::DayName,
        'H' | 'k' => Item::Hour,
        'I' | 'l' => Item::HalfHour,
        'p' | 'P' => Item::HalfDay,
        'M' => Item::Minute,
        'S' => Item::Second,
        'f' | 'L' => Item::Fraction,
        'z' => Item::Offset,
        'Z' => Item::ZoneName,
        's' => Item::Epoch,
        _ => return None,
    })
}

#[derive(Default)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<i64>,
    zone: Option<Zone>,
    epoch: Option<i64>,
}

impl Parts {
    fn instant(self, zone: &Zone) -> Result<i64, TimeFault> {
        if let Some(epoch) = self.epoch {
            let nanos = epoch.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(self.nanos));
            return nanos.ok_or(TimeFault::OutOfRange);
        }
        let (month, day) = match self.day_of_year {
            Some(day) => of_day_of_year(self.year, day).ok_or(TimeFault::Unreadable)?,
            None => (self.month, self.day),
        };
        let hour = match self.afternoon {
            Some(_) if !(1..=12).contains(&self.hour) => return Err(TimeFault::Unreadable),
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let civil =
            Civil { year: self.year, month, day, hour, minute: self.minute, second: self.second, nanos: self.nanos };
        civil.instant(self.offset, self.zone.as_ref().unwrap_or(zone))
    }
}

struct Reader<'a> {
    rest: &'a str,
    parts: Parts,
}

impl Reader<'_> {
    fn item(&mut self, item: &Item) -> Option<()> {
        match item {
            Item::Literal(literal) => self.rest = self.rest.strip_prefix(literal.as_str())?,
            Item::Blanks => self.rest = self.rest.trim_start_matches([' ', '\t']),
            Item::Year => {
                self.parts.year = two(self.rest.as_bytes(), 0)? * 100 + two(self.rest.as_bytes(), 2)?;
                self.skip(4)?;
            }
            Item::ShortYear => {
                let year = two(self.rest.as_bytes(), 0)?;
                self.parts.year = if year < 69 { 2000 + year } else { 1900 + year };
                self.skip(2)?;
            }
            Item::Month => self.parts.month = self.number(2)?,
            Item::Day => self.parts.day = self.number(2)?,
            Item::DayOfYear => self.parts.day_of_year = Some(self.number(3)?),
            Item::Hour | Item::HalfHour => self.parts.hour = self.number(2)?,
            Item::Minute => self.parts.minute = self.number(2)?,
            Item::Second => self.parts.second = self.number(2)?,
            Item::MonthName => self.parts.month = self.name(&MONTHS)? + 1,
            Item::DayName => drop(self.name(&DAYS)?),
            Item::HalfDay => {
                let letters = self.rest.get(..2)?.to_ascii_lowercase();
                self.parts.afternoon = Some(match letters.as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
                self.skip(2)?;
            }
            Item::Fraction => {
                let (nanos, length) = fraction(self.rest.as_bytes(), 0)?;
                self.parts.nanos = nanos;
                self.skip(length)?;
            }
            Item::PointFraction => {
                if let Some(digits) = self.rest.strip_prefix(['.', ',']) {
                    self.rest = digits;
                    self.item(&Item::Fraction)?;
                }
            }
            Item::Offset => match self.rest.strip_prefix(['Z', 'z']).or_else(|| self.rest.strip_prefix("GMT")) {
                Some(rest) => (self.parts.offset, self.rest) = (Some(0), rest),
                None => {
                    let (seconds, length) = offset(self.rest.as_bytes())?;
                    self.parts.offset = Some(seconds);
                    self.skip(length)?;
                }
            },
            Item::ZoneName => {
                let name: String =
                    self.rest.chars().take_while(|c| !c.is_whitespace() && !"[]()\"".contains(*c)).collect();
                let abbreviation = ABBREVIATIONS.iter().find(|(known, _)| *known == name);
                self.parts.zone = Some(match abbreviation {
                    Some((_, hours)) => Zone::Fixed(hours * 3_600),
                    None => Zone::parse(&name)?,
                });
                self.skip(name.len())?;
            }
            Item::Epoch => self.parts.epoch = Some(self.number(18)?),
        }
        Some(())
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    /// A number of one up to `most` digits; blanks before it are padding.
    fn number(&mut self, most: usize) -> Option<i64> {
        self.rest = self.rest.trim_start_matches(' ');
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = self.rest.get(..length)?.parse().ok()?;
        self.skip(length)?;
        Some(number)
    }

    /// Which of the names it is, whole or by its first three letters, in any case.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        let starts = |length: usize, name: &str| {
            let (written, name) = (self.rest.get(..length), name.get(..length));
            written.zip(name).is_some_and(|(written, name)| written.eq_ignore_ascii_case(name))
        };
        let (index, length) = names.iter().enumerate().find_map(|(index, name)| {
            [name.len(), 3].into_iter().find(|length| starts(*length, name)).map(|length| (index, length))
        })?;
        self.skip(length)?;
        i64::try_from(index).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW_YEAR: i64 = 1_767_225_600_000_000_000;

    fn read(pattern: &str, text: &str) -> Result<i64, TimeFault> {
        Pattern::parse(pattern).unwrap().read(text, &Zone::UTC)
    }

    #[test]
    fn patterns_of_logs() {
        for (pattern, text) in [
            ("%d/%b/%Y:%H:%M:%S %z", "01/Jan/2026:01:00:00 +0100"),
            ("%a, %d %b %Y %H:%M:%S %z", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("%Y-%m-%d %H:%M:%S,%f", "2026-01-01 00:00:00,000"),
            ("%Y/%m/%d %T%.f", "2026/01/01 00:00:00.0"),
            ("%Y/%m/%d %T%.f", "2026/01/01 00:00:00"),
            ("%b %e %Y %I:%M:%S %p", "Jan  1 2026 12:00:00 AM"),
            ("%B %d, %Y", "January 1, 2026"),
            ("%d-%b-%y %H.%M", "1-jan-26 00.00"),
            ("%Y-%j", "2026-001"),
            ("%s", "1767225600"),
            ("%d.%m.%Y %H:%M %Z", "01.01.2026 01:00 Europe/Berlin"),
            ("%d.%m.%Y %H:%M %Z", "31.12.2025 19:00 EST"),
            ("%F %R", "2026-01-01 00:00"),
            ("%Y%m%d%H%M%S", "20260101000000"),
        ] {
            assert_eq!(read(pattern, text), Ok(NEW_YEAR), "{pattern} {text}");
        }
        assert_eq!(read("%F %T.%3f", "2026-01-01 00:00:00.250"), Ok(NEW_YEAR + 250_000_000));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (pattern, text) in [
            ("%d/%b/%Y:%H:%M:%S %z", "01/Foo/2026:01:00:00 +0100"),
            ("%d/%b/%Y:%H:%M:%S %z", "32/Jan/2026:01:00:00 +0100"),
            ("%d/%b/%Y:%H:%M:%S %z", "01/Jan/2026:01:00:00 +0100 more"),
            ("%d/%b/%Y:%H:%M:%S %z", "-"),
            ("%F %I:%M %p", "2026-01-01 13:00 PM"),
            ("%F", "2026-02-30"),
            ("%F %T %Z", "2026-01-01 00:00:00 XYZ"),
            ("%F", ""),
        ] {
            assert_eq!(read(pattern, text), Err(TimeFault::Unreadable), "{pattern} {text}");
        }
        assert_eq!(read("%F", "9999-01-01"), Err(TimeFault::OutOfRange));
        assert_eq!(read("%s", "999999999999999999"), Err(TimeFault::OutOfRange));
    }

    #[test]
    fn patterns_that_make_no_time_are_faults() {
        for text in ["", "iso", "%H:%M", "%b %d %H:%M:%S", "%Y-%m", "%Q", "%F %", "%F %I"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in "%[A-Za-z%.-]|(%[YmdHMSzZbjsaef][ /:-]?){0,6}", text in ".{0,20}|[0-9A-Za-z:/+ -]{0,30}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.read(&text, &Zone::UTC);
            }
        }
    }
}
