//! History in memory: every event as the record that the stream would carry, in order of time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use weir_anomaly::Timestamp;
use weir_engine::{MemorySource, RawRecord};

use crate::data::{TimedEvent, read::BadLine};

/// Events that a backtest takes: a record needs about 250 bytes of memory.
const MOST_EVENTS: usize = 50_000_000;
/// Records share buffers of this size, so that each needs no allocation of its own.
const BUFFER_BYTES: usize = 1 << 20;
/// The heartbeat's interval, as in production.
const HEARTBEAT_NANOS: i64 = 60_000_000_000;
/// History with readings further apart gets a heartbeat each reading, up to a day.
const HEARTBEAT_NANOS_MOST: i64 = 86_400_000_000_000;

/// Every event, in order of time, with control records between them as the heartbeat puts them.
#[derive(Debug)]
pub(super) struct History {
    /// The records; cheap to clone.
    pub(super) records: MemorySource,
    /// Records in it, heartbeats included.
    pub(super) record_count: usize,
    /// Events in it.
    pub(super) events: usize,
    /// By name (`source/metric`).
    pub(super) series: BTreeMap<String, Series>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The usual time between two readings of a series, nanoseconds.
    pub(super) sampling: i64,
    /// Lines that were no events.
    pub(super) skipped: Skipped,
}

/// One metric of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub(crate) source: String,
    /// `(nanoseconds since the epoch, value)` in order of time.
    pub(crate) points: Vec<(i64, f64)>,
}

impl Series {
    /// The metric in the series' name (`source/metric`).
    pub(super) fn metric<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.source).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
    }
}

/// Lines that were no events: how many, and the first.
#[derive(Debug, Clone, Default)]
pub(super) struct Skipped {
    pub(super) count: usize,
    pub(super) first: Option<String>,
}

impl History {
    pub(super) fn has_source(&self, source: &str) -> bool {
        self.series.values().any(|series| series.source == source)
    }

    pub(super) fn days(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a length for people")]
        let nanos = (self.last.nanos() - self.first.nanos() + self.sampling) as f64;
        (nanos / 86_400e9).max(1.0 / 24.0)
    }
}

/// Collects events.
#[derive(Debug, Default)]
pub(super) struct Builder {
    to: Option<Timestamp>,
    buffer: BytesMut,
    records: Vec<RawRecord>,
    series: BTreeMap<String, Series>,
    name: String,
    skipped: Skipped,
}

impl Builder {
    pub(super) fn new(to: Option<Timestamp>) -> Self {
        Self { to, ..Self::default() }
    }

    pub(super) fn events(&self) -> usize {
        self.records.len()
    }

    /// Takes what a reader gives.
    pub(super) fn take(&mut self, of: &str, read: Result<TimedEvent, BadLine>) -> Result<()> {
        match read {
            Ok(event) => self.push(&event),
            Err(bad) => {
                self.skipped.count += 1;
                self.skipped.first.get_or_insert_with(|| format!("{of}:{}: {}", bad.line, bad.fault));
                Ok(())
            }
        }
    }

    fn push(&mut self, event: &TimedEvent) -> Result<()> {
        use std::fmt::Write as _;
        if self.to.is_some_and(|to| event.time > to) {
            return Ok(());
        }
        if self.records.len() >= MOST_EVENTS {
            bail!("more than {MOST_EVENTS} events do not fit into memory\n  hint: --to, or fewer files at a time");
        }
        let nanos = event.time.nanos();
        let payload = self.encode(&event.event)?;
        self.records.push(RawRecord { payload, arrival_nanos: Some(nanos), partition: 0 });
        self.name.clear();
        let _ = write!(self.name, "{}/{}", event.source(), event.metric());
        if let Some(series) = self.series.get_mut(&self.name) {
            series.points.push((nanos, event.event.value));
        } else {
            let series = Series { source: event.source().to_owned(), points: vec![(nanos, event.event.value)] };
            self.series.insert(self.name.clone(), series);
        }
        Ok(())
    }

    fn encode(&mut self, value: &impl serde::Serialize) -> Result<Bytes> {
        use bytes::BufMut as _;
        if self.buffer.capacity() < 4096 {
            self.buffer = BytesMut::with_capacity(BUFFER_BYTES);
        }
        let mut writer = (&mut self.buffer).writer();
        serde_json::to_writer(&mut writer, value).context("an event as JSON")?;
        Ok(self.buffer.split().freeze())
    }

    pub(super) fn finish(mut self) -> Result<History> {
        for series in self.series.values_mut() {
            series.points.sort_by_key(|(nanos, _)| *nanos);
        }
        // Stable: events of one instant keep the order of their file.
        self.records.sort_by_key(|record| record.arrival_nanos);
        let time = |record: Option<&RawRecord>| record.and_then(|r| r.arrival_nanos).map(Timestamp::from_nanos);
        let (Some(first), Some(last)) = (time(self.records.first()), time(self.records.last())) else {
            let why = self.skipped.first.map_or_else(String::new, |first| format!(" (the first fault: {first})"));
            bail!("the input holds no events{why}");
        };
        let sampling = sampling_nanos(&self.series);
        let events = self.records.len();
        let mut records = std::mem::take(&mut self.records);
        self.add_heartbeats(&mut records, (first, last), sampling)?;
        Ok(History {
            record_count: records.len(),
            records: MemorySource::new(records),
            events,
            series: self.series,
            first,
            last,
            sampling,
            skipped: self.skipped,
        })
    }

    /// Control records as the heartbeat puts them: rules that look for silence need time to pass in it.
    fn add_heartbeats(
        &mut self,
        records: &mut Vec<RawRecord>,
        (first, last): (Timestamp, Timestamp),
        sampling: i64,
    ) -> Result<()> {
        let interval = sampling.clamp(HEARTBEAT_NANOS, HEARTBEAT_NANOS_MOST);
        let mut at = first.nanos().div_euclid(interval).saturating_add(1).saturating_mul(interval);
        while at <= last.nanos() {
            let time = Timestamp::from_nanos(at).to_rfc3339_millis();
            let payload = self.encode(&serde_json::json!({"weir": "heartbeat", "timestamp": time}))?;
            records.push(RawRecord { payload, arrival_nanos: Some(at), partition: 0 });
            at = at.saturating_add(interval);
        }
        records.sort_by_key(|record| record.arrival_nanos);
        Ok(())
    }
}

/// The usual time between two readings of one series, nanoseconds: the median of the series' own medians, so that many
/// series are no reason to look at every gap at once. 0 for fewer than two readings.
fn sampling_nanos(series: &BTreeMap<String, Series>) -> i64 {
    let mut medians = BTreeSet::new();
    for (index, series) in series.values().enumerate() {
        let gap = |pair: &[(i64, f64)]| pair.first().zip(pair.last()).map_or(0, |(a, b)| b.0 - a.0);
        let mut gaps: Vec<i64> = series.points.windows(2).map(gap).filter(|gap| *gap > 0).collect();
        let middle = gaps.len() / 2;
        if !gaps.is_empty() {
            medians.insert((*gaps.select_nth_unstable(middle).1, index));
        }
    }
    medians.iter().nth(medians.len() / 2).map_or(0, |(gap, _)| *gap)
}
