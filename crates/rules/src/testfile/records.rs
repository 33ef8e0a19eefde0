//! The records of a case: series are written out, in the shape of the stream that they are for, and all arrive when they say.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use weir_anomaly::Timestamp;
use weir_stream::{Decoder, Record, Rows, Template};

use super::{Series, StreamFile, TestCase, default_start};

/// Events that say no other.
const DEFAULT_SOURCE: &str = "pump-1";
/// Events that say no other.
const DEFAULT_METRIC: &str = "temperature";

/// Records of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    /// The declared stream; `None` is Weir's own events.
    pub stream: Option<String>,
    /// Time of arrival (nanoseconds since the epoch) and bytes, in order of time.
    pub records: Vec<(i64, Vec<u8>)>,
}

impl TestCase {
    /// The records to put on the streams. `own` is the declared stream that they are for where the case does not say.
    ///
    /// # Errors
    /// When a series cannot be read, or cannot be written as its stream has it.
    pub fn records(&self, streams: &[StreamFile], own: Option<&str>) -> Result<Vec<Feed>, String> {
        let case = self.stream.as_deref().or(own).filter(|stream| *stream != "events");
        let mut series: BTreeMap<Option<&str>, Vec<&Series>> = BTreeMap::new();
        for one in &self.series {
            series.entry(one.stream.as_deref().or(case).filter(|s| *s != "events")).or_default().push(one);
        }
        if !self.events.is_empty() || series.is_empty() {
            series.entry(case).or_default();
        }
        let mut feeds = Vec::new();
        for (stream, series) in series {
            let events = if stream == case { self.events.as_slice() } else { &[] };
            let records = match stream {
                None => own_events(&series, events)?,
                Some(name) => of_stream(declared(streams, name)?, &series, events)?,
            };
            feeds.push(Feed { stream: stream.map(str::to_owned), records });
        }
        Ok(feeds)
    }
}

fn declared<'a>(streams: &'a [StreamFile], name: &str) -> Result<&'a StreamFile, String> {
    streams.iter().find(|stream| stream.declaration.name == name).ok_or_else(|| {
        let known: Vec<&str> = streams.iter().map(|stream| stream.declaration.name.as_str()).collect();
        format!("there is no stream `{name}`: {}", weir_stream::did_you_mean(name, known))
    })
}

fn own_events(series: &[&Series], events: &[String]) -> Result<Vec<(i64, Vec<u8>)>, String> {
    let mut records = Vec::new();
    for series in series {
        if let Some(field) = &series.field {
            return Err(format!("`field = \"{field}\"` is of a declared stream: say which with `stream = \"…\"`"));
        }
        for (nanos, value) in series.readings()? {
            let event = json!({
                "timestamp": Timestamp::from_nanos(nanos).to_string(),
                "source": series.source.as_deref().unwrap_or(DEFAULT_SOURCE),
                "metric": series.metric.as_deref().unwrap_or(DEFAULT_METRIC),
                "value": value,
            });
            records.push((nanos, event.to_string().into_bytes()));
        }
    }
    with_events(records, events, |event| weir_decode::time(event).map(Timestamp::nanos))
}

fn of_stream(stream: &StreamFile, series: &[&Series], events: &[String]) -> Result<Vec<(i64, Vec<u8>)>, String> {
    let declaration = &stream.declaration;
    let mut records = Vec::new();
    if !series.is_empty() {
        let folder = stream.file.parent().unwrap_or(Path::new("."));
        let mut template = Template::of(declaration, |name| fs::read(folder.join(name)))?;
        for series in series {
            let Some(field) = &series.field else {
                let known: Vec<&str> = declaration.fields.iter().map(|field| field.name.as_str()).collect();
                return Err(format!(
                    "a series of stream `{}` says which field has the values: field = \"…\", one of {}",
                    declaration.name,
                    known.join(", ")
                ));
            };
            let set = others(series);
            let mut values: Vec<(&str, Value)> = set.iter().map(|(name, value)| (*name, value.clone())).collect();
            values.push((field, Value::Null));
            for (nanos, value) in series.readings()? {
                if let Some((_, last)) = values.last_mut() {
                    *last = json!(value);
                }
                records.push((nanos, template.record(nanos, &values)?));
            }
        }
    }
    let mut decoder = Decoder::new(declaration);
    with_events(records, events, |event| {
        let mut rows = Rows::default();
        decoder.decode(Record::new(event), &mut rows);
        rows.rows().find_map(|row| row.time)
    })
}

/// What a series sets beside its values.
fn others(series: &Series) -> Vec<(&str, Value)> {
    let named = [("source", &series.source), ("metric", &series.metric)];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?.into())));
    let set = series.set.iter().map(|(name, value)| {
        let value = match value {
            // As a record would have it.
            toml::Value::Datetime(time) => time.to_string().into(),
            value => serde_json::to_value(value).unwrap_or_default(),
        };
        (name.as_str(), value)
    });
    named.chain(set).collect()
}

/// Adds records as they are behind those of series.
fn with_events(
    mut records: Vec<(i64, Vec<u8>)>,
    events: &[String],
    mut time: impl FnMut(&[u8]) -> Option<i64>,
) -> Result<Vec<(i64, Vec<u8>)>, String> {
    // Several series interleave as they would on a stream; a stable sort keeps each in its own order.
    records.sort_by_key(|(nanos, _)| *nanos);
    // A record that carries no time arrives with the one before it, the first of all when a series begins.
    let mut last = match records.last() {
        Some((nanos, _)) => *nanos,
        None => default_start().parse::<Timestamp>()?.nanos(),
    };
    for event in events {
        last = time(event.as_bytes()).unwrap_or(last);
        records.push((last, event.clone().into_bytes()));
    }
    Ok(records)
}
