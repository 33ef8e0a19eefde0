//! The options of a Kinesis table, by Arroyo's names and with its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::connectors::ConnectorError;

/// Arroyo's default of `sink.flush_interval_millis`.
const FLUSH_INTERVAL: Duration = Duration::from_millis(1_000);
/// Arroyo's default of `sink.max_bytes_per_batch`: a margin below the request limit.
const BYTES_PER_BATCH: usize = 4_000_000;
/// PutRecords takes at most this many records (AWS API reference); also Arroyo's default of `sink.max_records_per_batch`.
pub(super) const MAX_RECORDS_PER_REQUEST: usize = 500;
/// PutRecords takes at most this many bytes, keys included (AWS API reference).
pub(super) const MAX_BYTES_PER_REQUEST: usize = 5 * 1024 * 1024;

/// Where a source starts when it has no position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At the moment of the first start.
    #[default]
    Latest,
    /// At the oldest record that the stream still keeps.
    Earliest,
}

/// What a table of `type = 'source'` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    /// `stream_name`: a name, or an ARN (Arroyo takes names alone).
    pub stream: String,
    /// `aws_region`; else that of an ARN, else the environment's.
    pub region: Option<String>,
    /// `source.offset`.
    pub start: StartAt,
}

impl SourceOptions {
    /// Reads the entries of `WITH` that concern this connector.
    ///
    /// # Errors
    /// An entry is missing or has no meaning.
    pub fn read(options: &BTreeMap<String, String>) -> Result<Self, ConnectorError> {
        let start = match options.get("source.offset").map(String::as_str) {
            None | Some("latest") => StartAt::Latest,
            Some("earliest") => StartAt::Earliest,
            Some(other) => return Err(invalid("source.offset", other, "'latest' or 'earliest'")),
        };
        let stream = stream(options)?;
        Ok(Self { region: region(options, &stream), stream, start })
    }
}

/// What a table of `type = 'sink'` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkOptions {
    /// `stream_name`.
    pub stream: String,
    /// `aws_region`; else the environment's.
    pub region: Option<String>,
    /// `sink.flush_interval_millis`: how long a row may wait for others.
    pub flush_interval: Duration,
    /// `sink.max_bytes_per_batch`, at most what a request takes.
    pub bytes_per_batch: usize,
    /// `sink.max_records_per_batch`, at most what a request takes.
    pub records_per_batch: usize,
}

impl SinkOptions {
    /// Reads the entries of `WITH` that concern this connector.
    ///
    /// # Errors
    /// An entry is missing or has no meaning.
    pub fn read(options: &BTreeMap<String, String>) -> Result<Self, ConnectorError> {
        let interval = number(options, "sink.flush_interval_millis", 0)?;
        let bytes = number(options, "sink.max_bytes_per_batch", 1)?.map_or(BYTES_PER_BATCH, saturate);
        let records = number(options, "sink.max_records_per_batch", 1)?.map_or(MAX_RECORDS_PER_REQUEST, saturate);
        let stream = stream(options)?;
        Ok(Self {
            region: region(options, &stream),
            stream,
            flush_interval: interval.map_or(FLUSH_INTERVAL, Duration::from_millis),
            // Arroyo takes larger values and then fails on every request; the limit of the request is what was meant.
            bytes_per_batch: bytes.min(MAX_BYTES_PER_REQUEST),
            records_per_batch: records.min(MAX_RECORDS_PER_REQUEST),
        })
    }
}

fn stream(options: &BTreeMap<String, String>) -> Result<String, ConnectorError> {
    match options.get("stream_name") {
        Some(name) if !name.is_empty() => Ok(name.clone()),
        _ => Err(ConnectorError::Configuration("a kinesis table needs the option 'stream_name'".into())),
    }
}

/// `aws_region`; else that of a stream that is named by its ARN.
fn region(options: &BTreeMap<String, String>, stream: &str) -> Option<String> {
    let of_arn = || stream.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty());
    options.get("aws_region").map(String::as_str).or_else(of_arn).map(str::to_owned)
}

fn number(options: &BTreeMap<String, String>, key: &str, least: u64) -> Result<Option<u64>, ConnectorError> {
    options
        .get(key)
        .map(|text| match text.parse() {
            Ok(value) if value >= least => Ok(value),
            _ => Err(invalid(key, text, &format!("a whole number, at least {least}"))),
        })
        .transpose()
}

fn saturate(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn invalid(key: &str, value: &str, expected: &str) -> ConnectorError {
    ConnectorError::Configuration(format!("option '{key}' of a kinesis table is '{value}'; it must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_are_those_of_arroyo() {
        let source = SourceOptions::read(&options(&[("stream_name", "s")])).unwrap();
        assert_eq!(source.start, StartAt::Latest);
        let sink = SinkOptions::read(&options(&[("stream_name", "s")])).unwrap();
        assert_eq!(
            (sink.flush_interval.as_millis(), sink.bytes_per_batch, sink.records_per_batch),
            (1_000, 4_000_000, 500)
        );
    }

    #[test]
    fn batches_stay_within_what_a_request_takes() {
        let entries =
            [("stream_name", "s"), ("sink.max_bytes_per_batch", "99999999"), ("sink.max_records_per_batch", "1000")];
        let sink = SinkOptions::read(&options(&entries)).unwrap();
        assert_eq!((sink.bytes_per_batch, sink.records_per_batch), (MAX_BYTES_PER_REQUEST, 500));
    }

    #[test]
    fn an_arn_says_its_region() {
        let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders";
        let region = |entries: &[(&str, &str)]| SourceOptions::read(&options(entries)).unwrap().region;
        assert_eq!(region(&[("stream_name", arn)]).as_deref(), Some("eu-west-1"));
        assert_eq!(region(&[("stream_name", arn), ("aws_region", "us-east-1")]).as_deref(), Some("us-east-1"));
        assert_eq!(region(&[("stream_name", "orders")]), None);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        assert!(SourceOptions::read(&options(&[])).is_err());
        let error = SourceOptions::read(&options(&[("stream_name", "s"), ("source.offset", "soon")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option 'source.offset' of a kinesis table is 'soon'; it must be 'latest' or 'earliest'"
        );
        assert!(SinkOptions::read(&options(&[("stream_name", "s"), ("sink.max_records_per_batch", "0")])).is_err());
        assert!(SinkOptions::read(&options(&[("stream_name", "s"), ("sink.flush_interval_millis", "-1")])).is_err());
    }
}
