//! What differs between a laptop, a test and production: streams, time, and the values of parameters.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use serde::Deserialize;
use weir_anomaly::{
    Stage, Timestamp,
    event::{END_OF_TIMES, LEAST_TIME},
};

use crate::{Interval, Rule, RuleError, pack::without_byte_order_mark, rule::position};

/// The event time of what has none, before all that an event can have. Arroyo's watermark moves with a later time than the last,
/// and begins here.
const NO_TIME: Timestamp = Timestamp::from_nanos(0);

/// A watermark is an event's time less the delay, and Arroyo's must not lie before 1970; the least event time lies in 1973.
const LONGEST_DELAY: Duration = Duration::from_secs(366 * 86_400);

/// One environment, as `sql/environments/NAME.toml` writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// Which clock windows go by.
    pub time: TimeMode,
    /// How the events stream is read.
    pub decode: DecodeMode,
    /// How long windows wait for events that are out of order.
    pub watermark_delay: Interval,
    /// How far an event's time may lie beyond its arrival and still tell how far event time has come; `none` for replays in which
    /// event time runs ahead of the wall clock.
    pub future_limit: FutureLimit,
    /// Where a source without a checkpoint begins: `earliest` or `latest`.
    pub source_offset: SourceOffset,
    /// The AWS region of the streams; the process's own when absent.
    pub aws_region: Option<String>,
    /// The streams' names.
    pub streams: Streams,
    /// Values of parameters: rule, then parameter.
    pub parameters: BTreeMap<String, BTreeMap<String, toml::Value>>,
    /// What else differs a rule from its header here.
    pub rules: BTreeMap<String, RuleSettings>,
}

/// What an environment says of one rule.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// In place of the header's: `active`, `shadow` or `off`.
    pub stage: Option<Stage>,
    /// In place of the header's: the declared stream whose metrics `events` and `activity` are.
    pub stream: Option<String>,
}

/// How the events stream is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecodeMode {
    /// As bytes that are taken apart in SQL: survives any record, keeps every field, costs more CPU on Arroyo.
    #[default]
    Tolerant,
    /// As JSON with typed columns: cheaper, but only the standard fields, and a record that is no JSON stops an Arroyo source.
    Typed,
}

/// Which clock windows go by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeMode {
    /// The time at which the stream accepted the event: no event can disturb it.
    #[default]
    Arrival,
    /// The event's own `timestamp`: right for replays and for sources that send late.
    Event,
}

/// How far an event's time may lie beyond its arrival. What lies further is an event that tells nothing of time: it waits in its
/// windows, and makes no other event late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum FutureLimit {
    /// So far.
    Of(Interval),
    /// Without end.
    None,
}

/// One minute: clocks that NTP keeps differ by less than a second, and one that is wrong by minutes, by daylight saving or by a
/// zone is told.
impl Default for FutureLimit {
    fn default() -> Self {
        Self::Of(Interval::from_duration(Duration::from_secs(60)))
    }
}

impl TryFrom<String> for FutureLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "none" {
            Ok(Self::None)
        } else {
            text.parse().map(Self::Of).map_err(|e: String| format!("{e}, or `none`"))
        }
    }
}

impl fmt::Display for FutureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(limit) => limit.fmt(f),
            Self::None => f.write_str("none"),
        }
    }
}

/// Where a source without a checkpoint begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceOffset {
    /// At the oldest record that the stream keeps: nothing is missed.
    #[default]
    Earliest,
    /// At the newest.
    Latest,
}

/// The streams' names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "StreamsTable")]
pub struct Streams {
    /// Where events enter.
    pub events: String,
    /// Where anomalies leave.
    pub anomalies: String,
    /// How long the events stream keeps events: a longer window cannot be filled from it at a start without state. Kinesis's
    /// 24 hours when absent.
    pub events_retention: Option<Interval>,
    /// What is said of declared streams: `[streams.NAME]`.
    pub declared: BTreeMap<String, StreamSettings>,
}

/// What an environment says of a declared stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSettings {
    /// The Kinesis stream, by name or ARN, in place of the file's.
    pub stream: Option<String>,
    /// The Kinesis stream on which the gate puts its records for Arroyo; `weir-NAME-plain` when absent.
    pub plain: Option<String>,
}

/// The table `streams` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamsTable {
    events: Option<String>,
    anomalies: Option<String>,
    events_retention: Option<Interval>,
    #[serde(flatten)]
    declared: BTreeMap<String, toml::Value>,
}

impl TryFrom<StreamsTable> for Streams {
    type Error = String;

    fn try_from(table: StreamsTable) -> Result<Self, String> {
        let mut streams = Self { events_retention: table.events_retention, ..Self::default() };
        streams.events = table.events.unwrap_or(streams.events);
        streams.anomalies = table.anomalies.unwrap_or(streams.anomalies);
        for (name, value) in table.declared {
            if !value.is_table() {
                return Err(format!(
                    "unknown field `{name}`, expected `events`, `anomalies`, `events_retention` or a table [streams.NAME]"
                ));
            }
            let settings = value.try_into().map_err(|e: toml::de::Error| format!("streams.{name}: {}", e.message()))?;
            streams.declared.insert(name, settings);
        }
        Ok(streams)
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            time: TimeMode::default(),
            decode: DecodeMode::default(),
            watermark_delay: Interval::from_duration(Duration::from_secs(5)),
            future_limit: FutureLimit::default(),
            source_offset: SourceOffset::default(),
            aws_region: None,
            streams: Streams::default(),
            parameters: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            events: "weir-events".to_owned(),
            anomalies: "weir-anomalies".to_owned(),
            events_retention: None,
            declared: BTreeMap::new(),
        }
    }
}

impl Environment {
    /// Reads an environment from its text.
    ///
    /// # Errors
    /// When it is not TOML of the right shape.
    pub fn parse(file: &Path, text: &str) -> Result<Self, RuleError> {
        let text = without_byte_order_mark(text);
        let environment: Self = toml::from_str(text).map_err(|e| {
            let (line, column) = e.span().map_or((0, 0), |span| position(text, span.start));
            RuleError::new(file, e.message().lines().collect::<Vec<_>>().join(" ")).at(line, column)
        })?;
        if environment.watermark_delay.duration() > LONGEST_DELAY {
            return Err(RuleError::new(file, format!("watermark_delay: {} is too long", environment.watermark_delay))
                .hint("windows wait as long as this for events that are out of order: at most 366 days"));
        }
        for (what, name) in [("events", &environment.streams.events), ("anomalies", &environment.streams.anomalies)] {
            let valid = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
            if !valid || name.len() > 128 {
                return Err(RuleError::new(file, format!("streams.{what}: `{name}` is no stream name"))
                    .hint("a Kinesis stream's name holds 1 to 128 letters, digits, `_`, `.` and `-`"));
            }
        }
        for (name, settings) in &environment.streams.declared {
            let named = [&settings.stream, &settings.plain].into_iter().flatten();
            if let Some(stream) = named.into_iter().find(|stream| !is_kinesis_stream(stream)) {
                return Err(RuleError::new(file, format!("streams.{name}: `{stream}` is no stream name"))
                    .hint("a Kinesis stream's ARN, or its name: 1 to 128 letters, digits, `_`, `.` and `-`"));
            }
        }
        Ok(environment)
    }

    /// The stage of a rule here: the environment's, else its header's.
    #[must_use]
    pub fn stage(&self, rule: &Rule) -> Stage {
        self.rules.get(&rule.header.name).and_then(|settings| settings.stage).unwrap_or(rule.header.stage)
    }

    /// The declared stream of a rule here: the environment's, else its header's.
    #[must_use]
    pub fn stream<'a>(&'a self, rule: &'a Rule) -> Option<&'a str> {
        let here = self.rules.get(&rule.header.name).and_then(|settings| settings.stream.as_deref());
        here.or(rule.header.stream.as_deref())
    }

    /// What `tables.sql` may name as `${name}` or ask for by `-- @if`.
    #[must_use]
    pub(crate) fn table_values(&self) -> BTreeMap<String, String> {
        let time = match self.time {
            TimeMode::Arrival => "arrival",
            TimeMode::Event => "event",
        };
        let decode = match self.decode {
            DecodeMode::Tolerant => "tolerant",
            DecodeMode::Typed => "typed",
        };
        let offset = match self.source_offset {
            SourceOffset::Earliest => "earliest",
            SourceOffset::Latest => "latest",
        };
        let region = self
            .aws_region
            .as_ref()
            .map_or(String::new(), |region| format!("aws_region = {}, ", crate::template::quote(region)));
        [
            ("time", time.to_owned()),
            ("no_time", literal(NO_TIME)),
            ("before_times", literal(Timestamp::from_nanos(LEAST_TIME.nanos() - 1))),
            ("end_of_times", literal(END_OF_TIMES)),
            ("decode", decode.to_owned()),
            ("watermark_delay", format!("INTERVAL '{}'", self.watermark_delay)),
            ("future_limit", self.future_limit.to_string()),
            ("source_offset", offset.to_owned()),
            ("aws_region", region),
            ("events_stream", self.streams.events.clone()),
            ("anomalies_stream", self.streams.anomalies.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Whether a text is a Kinesis stream's name or ARN.
pub(crate) fn is_kinesis_stream(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.len() <= 128 && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
    };
    match text.strip_prefix("arn:") {
        None => is_name(text),
        Some(arn) => {
            let parts: Vec<&str> = arn.split(':').collect();
            parts.len() == 5 && parts[1] == "kinesis" && parts[4].strip_prefix("stream/").is_some_and(is_name)
        }
    }
}

/// A time in SQL.
pub(crate) fn literal(time: Timestamp) -> String {
    format!("TIMESTAMP '{}'", time.to_string().replace('T', " ").trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Environment, String> {
        Environment::parse(Path::new("dev.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_limit_of_the_future_is_a_setting() {
        let value = |text: &str| parsed(text).unwrap().table_values().remove("future_limit").unwrap();
        assert_eq!(value(""), "1 minute");
        assert_eq!(value("future_limit = \"90s\""), "90 seconds");
        assert_eq!(value("future_limit = \"none\""), "none");
        assert!(parsed("future_limit = \"soon\"").unwrap_err().contains("or `none`"));
    }

    #[test]
    fn a_delay_that_leads_before_1970_is_refused() {
        parsed("watermark_delay = \"366 days\"").unwrap();
        assert!(parsed("watermark_delay = \"367 days\"").unwrap_err().contains("too long"));
    }

    #[test]
    fn times_are_written_as_sql_has_them() {
        let values = Environment::default().table_values();
        assert_eq!(values["no_time"], "TIMESTAMP '1970-01-01 00:00:00'");
        assert_eq!(values["before_times"], "TIMESTAMP '1973-03-03 09:46:39.999999999'");
        assert_eq!(values["end_of_times"], "TIMESTAMP '2200-01-01 00:00:00'");
    }
}
