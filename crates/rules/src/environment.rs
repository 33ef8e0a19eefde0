//! What differs between a laptop, a test and production: streams, time, and the values of parameters.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use weir_anomaly::Stage;

use crate::{Interval, Rule, RuleError, pack::without_byte_order_mark, rule::position};

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
#[serde(deny_unknown_fields, default)]
pub struct Streams {
    /// Where events enter.
    pub events: String,
    /// Where anomalies leave.
    pub anomalies: String,
    /// How long the events stream keeps events: a longer window cannot be filled from it at a start without state. Kinesis's
    /// 24 hours when absent.
    pub events_retention: Option<Interval>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            time: TimeMode::default(),
            decode: DecodeMode::default(),
            watermark_delay: Interval::from_duration(std::time::Duration::from_secs(5)),
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
        Self { events: "weir-events".to_owned(), anomalies: "weir-anomalies".to_owned(), events_retention: None }
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
        for (what, name) in [("events", &environment.streams.events), ("anomalies", &environment.streams.anomalies)] {
            let valid = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
            if !valid || name.len() > 128 {
                return Err(RuleError::new(file, format!("streams.{what}: `{name}` is no stream name"))
                    .hint("a Kinesis stream's name holds 1 to 128 letters, digits, `_`, `.` and `-`"));
            }
        }
        Ok(environment)
    }

    /// The stage of a rule here: the environment's, else its header's.
    #[must_use]
    pub fn stage(&self, rule: &Rule) -> Stage {
        self.rules.get(&rule.header.name).and_then(|settings| settings.stage).unwrap_or(rule.header.stage)
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
            ("decode", decode.to_owned()),
            ("watermark_delay", format!("INTERVAL '{}'", self.watermark_delay)),
            ("source_offset", offset.to_owned()),
            ("aws_region", region),
            ("events_stream", self.streams.events.clone()),
            ("anomalies_stream", self.streams.anomalies.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
