//! Test files: events in a short notation, and the anomalies that must and must not come of them.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value};
use weir_anomaly::Timestamp;

use crate::{Interval, RuleError, StreamFile, TimeMode, pack::without_byte_order_mark, rule::position};

mod records;

pub use records::Feed;

/// The tests of one rule, as `sql/tests/RULE.toml` writes them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Values of the rule's parameters in every case.
    #[serde(default)]
    pub parameters: BTreeMap<String, toml::Value>,
    /// The cases.
    #[serde(rename = "case")]
    pub cases: Vec<TestCase>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What it shows.
    pub name: String,
    /// Values of the rule's parameters in this case.
    #[serde(default)]
    pub parameters: BTreeMap<String, toml::Value>,
    /// Which clock windows go by.
    #[serde(default = "event_time")]
    pub time: TimeMode,
    /// The declared stream whose records these are; the only one that the rule reads when absent, else Weir's own events.
    pub stream: Option<String>,
    /// Series of events.
    #[serde(default)]
    pub series: Vec<Series>,
    /// Records as they are, one JSON object each (or what else a producer might send).
    #[serde(default, alias = "records")]
    pub events: Vec<String>,
    /// The anomalies that must come, each by some of its fields; an empty list demands silence.
    pub expect: Vec<toml::Table>,
    /// Why records of the case are no events, one reason for each such record in any order; or how many there are. Without it, no
    /// record may be refused.
    #[serde(default)]
    pub expect_poison: ExpectedPoison,
}

/// Which records of a case are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expect_poison is a list of reasons, or how many records are refused")]
pub enum ExpectedPoison {
    /// One reason a record.
    Reasons(Vec<String>),
    /// So many, whatever the reasons.
    Count(usize),
}

impl Default for ExpectedPoison {
    fn default() -> Self {
        Self::Reasons(Vec::new())
    }
}

/// Events of one source and metric, at a fixed step; or, where there is a `field`, records of a declared stream, made after its first
/// sample.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Series {
    /// The declared stream, where the case has records of several.
    pub stream: Option<String>,
    /// The field of the stream that has the values.
    pub field: Option<String>,
    /// The source.
    pub source: Option<String>,
    /// The metric.
    pub metric: Option<String>,
    /// The first event's time, RFC 3339.
    #[serde(default = "default_start")]
    pub start: String,
    /// The time between two events.
    #[serde(default = "default_step")]
    pub step: Interval,
    /// The values, see [`values`].
    pub values: String,
    /// Other fields of the stream, the same in each record.
    #[serde(flatten)]
    pub set: BTreeMap<String, toml::Value>,
}

impl TestFile {
    /// Reads a test file from its text.
    ///
    /// # Errors
    /// When it is not TOML of the right shape, or a series' values cannot be read.
    pub fn parse(file: &Path, text: &str) -> Result<Self, RuleError> {
        let text = without_byte_order_mark(text);
        let tests: Self = toml::from_str(text).map_err(|e| {
            let (line, column) = e.span().map_or((0, 0), |span| position(text, span.start));
            RuleError::new(file, e.message().lines().collect::<Vec<_>>().join(" ")).at(line, column)
        })?;
        for case in &tests.cases {
            for series in &case.series {
                let fault = |e| RuleError::new(file, format!("case `{}`: {e}", case.name));
                series.readings().map_err(fault)?;
                if let Some(unknown) = series.set.keys().next().filter(|_| series.field.is_none()) {
                    return Err(fault(format!(
                        "unknown field `{unknown}`, expected one of `source`, `metric`, `start`, `step`, `values`"
                    ))
                    .hint("a series of a declared stream says which `field` has the values; then it may set others"));
                }
            }
        }
        Ok(tests)
    }
}

impl TestCase {
    /// What is wrong about the records that were refused, given their reasons; `None` when they are those of `expect_poison`.
    #[must_use]
    pub fn unexpected_poison<'a>(&'a self, found: impl Iterator<Item = &'a str>) -> Option<String> {
        let reasons = match &self.expect_poison {
            ExpectedPoison::Reasons(reasons) => reasons,
            ExpectedPoison::Count(count) => {
                let found = found.count();
                return (found != *count)
                    .then(|| format!("expect_poison is not what came: {found} records were refused, not {count}"));
            }
        };
        let mut left: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let mut more = Vec::new();
        for reason in found {
            match left.iter().position(|expected| *expected == reason) {
                Some(index) => drop(left.swap_remove(index)),
                None => more.push(reason),
            }
        }
        let all = |reasons: &[&str]| reasons.join(", ");
        match (left.as_slice(), more.as_slice()) {
            ([], []) => None,
            (left, []) => Some(format!("expect_poison is not what came: missing {}", all(left))),
            ([], more) => Some(format!("records are no events: {}", all(more))),
            (left, more) => Some(format!("expect_poison is not what came: missing {}, found {}", all(left), all(more))),
        }
    }

    /// The fields that an expected anomaly must have, as JSON.
    #[must_use]
    pub fn expected(&self) -> Vec<Map<String, Value>> {
        self.expect
            .iter()
            .map(|table| match serde_json::to_value(table) {
                Ok(Value::Object(fields)) => fields,
                _ => Map::new(),
            })
            .collect()
    }
}

impl Series {
    /// Times (nanoseconds since the epoch) and values, gaps left out.
    pub(crate) fn readings(&self) -> Result<Vec<(i64, f64)>, String> {
        let start: Timestamp = self.start.parse()?;
        let step = i64::try_from(self.step.duration().as_nanos()).map_err(|_| "the step is too long")?;
        let mut readings = Vec::new();
        for (index, value) in values(&self.values)?.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let index = i64::try_from(index).map_err(|_| "too many values")?;
            let nanos = index.checked_mul(step).and_then(|o| o.checked_add(start.nanos())).ok_or("time overflow")?;
            readings.push((nanos, value));
        }
        Ok(readings)
    }
}

/// Reads values in the short notation; `None` is a gap.
///
/// | written | means |
/// |---|---|
/// | `80`, `-1.5` | one value |
/// | `10x20` | 10, twenty times |
/// | `10~2x20` | 8 and 12 in turn, twenty values |
/// | `10+1x20` | 10, 11, … twenty values |
/// | `+5` | the value before, plus 5 (`+-5` to go down) |
/// | `_`, `_x5` | one gap, five gaps |
///
/// # Errors
/// Names the word that cannot be read.
pub fn values(text: &str) -> Result<Vec<Option<f64>>, String> {
    /// Keeps a slip of the pen (`10x2000000000`) from filling the memory.
    const MOST: usize = 1_000_000;
    let mut values: Vec<Option<f64>> = Vec::new();
    for word in text.split_whitespace() {
        let fault = || format!("`{word}` is no value: use 80, 10x20, 10~2x20, 10+1x20, +5, _ or _x5");
        let number = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(fault);
        let (what, count) = match word.split_once('x') {
            Some((what, count)) => (what, count.parse::<usize>().map_err(|_| fault())?),
            None => (word, 1),
        };
        if values.len().saturating_add(count) > MOST {
            return Err(format!("more than {MOST} values"));
        }
        if what == "_" {
            values.extend(std::iter::repeat_n(None, count));
        } else if let Some(delta) = what.strip_prefix('+') {
            let delta = number(delta)?;
            for _ in 0..count {
                let last = values.iter().rev().flatten().next().copied().ok_or_else(fault)?;
                values.push(Some(last + delta));
            }
        } else if let Some((middle, swing)) = what.split_once('~') {
            let (middle, swing) = (number(middle)?, number(swing)?);
            values.extend((0..count).map(|i| Some(if i % 2 == 0 { middle - swing } else { middle + swing })));
        } else if let Some((first, step)) = what.split_once('+').filter(|(first, _)| !first.ends_with('e')) {
            let (first, step) = (number(first)?, number(step)?);
            #[expect(clippy::cast_precision_loss, reason = "at most a million steps")]
            values.extend((0..count).map(|i| Some(first + step * i as f64)));
        } else {
            values.extend(std::iter::repeat_n(Some(number(what)?), count));
        }
    }
    Ok(values)
}

fn event_time() -> TimeMode {
    TimeMode::Event
}

fn default_start() -> String {
    "2026-01-01T00:00:00Z".to_owned()
}

fn default_step() -> Interval {
    Interval::from_duration(std::time::Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_means_what_its_table_says() {
        let read = |text| values(text).unwrap();
        assert_eq!(read("10x3 +1 80"), [10.0, 10.0, 10.0, 11.0, 80.0].map(Some));
        assert_eq!(read("10~2x3"), [8.0, 12.0, 8.0].map(Some));
        assert_eq!(read("10+1x3 -1.5"), [10.0, 11.0, 12.0, -1.5].map(Some));
        assert_eq!(read("1 _x2 +-1"), [Some(1.0), None, None, Some(0.0)]);
        assert_eq!(read("1e+2"), [Some(100.0)]);
    }

    fn case(text: &str) -> TestCase {
        let text = format!("[[case]]\nname = \"c\"\nexpect = []\n{text}");
        TestFile::parse(Path::new("a.toml"), &text).unwrap().cases.remove(0)
    }

    #[test]
    fn records_arrive_when_they_say_and_never_in_1970() {
        let events = r#"events = ['oops', '{"timestamp":1767229200000.0}', 'oops', '{"timestamp":"2026-01-01T02:00:00+01:00","source":{}}', '{"timestamp":17}']"#;
        let hours = |text: &str| -> Vec<String> {
            let feeds = case(text).records(&[], None).unwrap();
            feeds[0].records.iter().map(|(nanos, _)| Timestamp::from_nanos(*nanos).to_string()).collect()
        };
        let (zero, one) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
        assert_eq!(hours(events), [zero, one, one, one, one]);
        assert_eq!(hours("series = [{ values = \"1\" }]\nevents = ['oops']"), [zero, zero]);
    }

    #[test]
    fn each_poison_is_expected_once() {
        let case = case("expect_poison = [\"not_json\", \"bad_value\"]");
        assert_eq!(case.unexpected_poison(["bad_value", "not_json"].into_iter()), None);
        let said = |found: &[&str]| case.unexpected_poison(found.iter().copied()).unwrap();
        assert_eq!(said(&["not_json"]), "expect_poison is not what came: missing bad_value");
        assert_eq!(said(&["not_json", "bad_value", "bad_value"]), "records are no events: bad_value");
    }

    #[test]
    fn poison_is_expected_by_its_number_too() {
        let case = case("expect_poison = 2");
        assert_eq!(case.unexpected_poison(["bad_value", "not_json"].into_iter()), None);
        assert!(case.unexpected_poison(["bad_value"].into_iter()).unwrap().contains("1 records were refused, not 2"));
    }

    #[test]
    fn a_misspelt_word_of_a_series_is_an_error() {
        let text = "[[case]]\nname = \"c\"\nexpect = []\nseries = [{ souce = \"a\", values = \"1\" }]\n";
        let error = TestFile::parse(Path::new("a.toml"), text).unwrap_err();
        assert!(
            error.to_string().starts_with("a.toml: case `c`: unknown field `souce`, expected one of `source`"),
            "{error}"
        );
    }

    #[test]
    fn a_word_that_means_nothing_is_named() {
        for word in ["10x", "x5", "+1", "ten", "10~x2", "nan", "10x99999999999"] {
            assert!(values(word).is_err(), "{word}");
        }
    }
}
