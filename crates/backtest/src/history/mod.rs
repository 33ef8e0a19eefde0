//! History: every event as the record that the stream would carry, in order of time, most of it on disk.
//!
//! [`store`] keeps the records, [`beats`] puts the heartbeats between them, [`sampling`] and [`stray`] look at their times.

mod beats;
mod sampling;
mod store;
mod stray;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Timestamp;
use weir_engine::{MemorySource, RawRecord, StoredRecords};

use crate::data::read::{Found, Read};
use beats::WithBeats;
use sampling::Gaps;
use store::{Collector, Store};
use stray::Silences;
pub(crate) use {store::Head, stray::Stray};

/// What cannot be written to the temporary file, or read from it again.
const SPILL: &str = "history in a temporary file (TMPDIR says where)";

/// Every event, in order of time.
#[derive(Debug)]
pub(super) struct History {
    store: Store,
    /// Events in it.
    pub(super) events: usize,
    /// By name (`source/metric`).
    pub(super) series: BTreeMap<String, Series>,
    /// The first event, strays left out.
    pub(super) first: Timestamp,
    /// The last event, strays left out.
    pub(super) last: Timestamp,
    /// The very last event.
    pub(super) end: Timestamp,
    /// Events far before or after all others.
    pub(super) strays: Vec<Stray>,
    /// The usual time between two readings of a series, nanoseconds.
    pub(super) sampling: i64,
    /// Records that were no events.
    pub(super) refused: Refused,
}

/// One metric of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Series {
    /// The source.
    pub(crate) source: String,
    /// Its number in the store.
    pub(super) number: u32,
    /// How many readings it has.
    pub(crate) readings: usize,
}

impl Series {
    /// The metric in the series' name (`source/metric`).
    pub(super) fn metric<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.source).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
    }
}

/// The readings of a series, `(nanoseconds since the epoch, value)` in order of time.
pub type Points = Vec<(i64, f64)>;

/// Records that were no events.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused {
    /// How many, by reason; and the first of each, with its place.
    pub(super) by_reason: BTreeMap<&'static str, (usize, String)>,
    /// Records of Weir's own.
    pub(super) control: usize,
    /// Events that named no source and are `unknown`.
    pub(super) without_source: usize,
}

impl Refused {
    pub(super) fn count(&self) -> usize {
        self.by_reason.values().map(|(count, _)| count).sum()
    }
}

impl History {
    pub(super) fn has_source(&self, source: &str) -> bool {
        self.series.values().any(|series| series.source == source)
    }

    pub(super) fn days(&self) -> f64 {
        let nanos = self.last.since(self.first).saturating_add(self.sampling);
        #[expect(clippy::cast_precision_loss, reason = "a length for people")]
        let nanos = nanos as f64;
        (nanos / 86_400e9).max(1.0 / 24.0)
    }

    /// The records as a source of the engine, with heartbeats for rules whose longest window is so long (nanoseconds).
    pub(super) fn source(&self, longest: i64) -> MemorySource {
        let stored = WithHeartbeats { store: self.store.clone(), sampling: self.sampling, longest };
        MemorySource::stored(Arc::new(stored))
    }

    /// Time, value and series of every event, in order of time.
    pub(super) fn heads(&self) -> impl Iterator<Item = Result<Head>> {
        self.store.heads().map(|head| head.context(SPILL))
    }

    /// The records of the series that are wanted between two times, both inside, in order of time: `(nanoseconds, series, record)`.
    pub(super) fn records(
        &self,
        (from, to): (i64, i64),
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(i64, String, Vec<u8>)>> {
        let names: HashMap<u32, &str> = self
            .series
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, series)| (series.number, name.as_str()))
            .collect();
        let mut found = Vec::new();
        for read in self.store.read() {
            let (head, record) = read.context(SPILL)?;
            if head.nanos > to {
                break;
            }
            if let Some(name) = names.get(&head.series).filter(|_| head.nanos >= from) {
                found.push((head.nanos, (*name).to_owned(), record.to_vec()));
            }
        }
        Ok(found)
    }

    /// The readings of the series that are asked for, by name.
    pub(super) fn points(&self, wanted: impl Fn(&str, &Series) -> bool) -> Result<BTreeMap<&str, Points>> {
        let mut found: HashMap<u32, (&str, Points)> = HashMap::new();
        for (name, series) in self.series.iter().filter(|(name, series)| wanted(name, series)) {
            found.insert(series.number, (name, Vec::with_capacity(series.readings)));
        }
        if !found.is_empty() {
            for head in self.heads() {
                let head = head?;
                if let Some((_, points)) = found.get_mut(&head.series) {
                    points.push((head.nanos, head.value));
                }
            }
        }
        Ok(found.into_values().collect())
    }
}

#[derive(Debug)]
struct WithHeartbeats {
    store: Store,
    sampling: i64,
    longest: i64,
}

impl StoredRecords for WithHeartbeats {
    fn read(&self) -> Box<dyn Iterator<Item = io::Result<RawRecord>> + Send> {
        Box::new(WithBeats::new(self.store.read(), self.sampling, self.longest))
    }
}

/// Collects events.
#[derive(Debug, Default)]
pub(super) struct Builder {
    to: Option<Timestamp>,
    collector: Collector,
    /// By source, then by metric: the number of the series.
    numbers: HashMap<String, HashMap<String, u32>>,
    readings: Vec<usize>,
    refused: Refused,
}

impl Builder {
    pub(super) fn new(to: Option<Timestamp>) -> Self {
        Self { to, ..Self::default() }
    }

    pub(super) fn events(&self) -> usize {
        self.collector.records()
    }

    /// Takes what a reader found in a file or stream of this name.
    pub(super) fn take(&mut self, of: &str, found: &Found<'_>) -> Result<()> {
        match &found.read {
            Read::Event(reading) => {
                if self.to.is_some_and(|to| reading.time > to) {
                    return Ok(());
                }
                if !reading.names_source {
                    self.refused.without_source += 1;
                }
                let series = self.number(&reading.source, &reading.metric)?;
                let head = (reading.time.nanos(), reading.value, series);
                self.collector.push(head, found.record).context(SPILL)
            }
            Read::Control => {
                // A backtest adds its own.
                self.refused.control += 1;
                Ok(())
            }
            Read::Refused(refusal) => {
                let first = || (0, format!("{of}:{}: {}", found.line, refusal.message));
                self.refused.by_reason.entry(refusal.reason).or_insert_with(first).0 += 1;
                Ok(())
            }
        }
    }

    fn number(&mut self, source: &str, metric: &str) -> Result<u32> {
        let number = match self.numbers.get(source).and_then(|metrics| metrics.get(metric)) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.readings.len()).context("more than four thousand million series")?;
                self.numbers.entry(source.to_owned()).or_default().insert(metric.to_owned(), number);
                self.readings.push(0);
                number
            }
        };
        if let Some(readings) = usize::try_from(number).ok().and_then(|index| self.readings.get_mut(index)) {
            *readings += 1;
        }
        Ok(number)
    }

    pub(super) fn finish(self) -> Result<History> {
        if self.collector.records() == 0 {
            let mut firsts = self.refused.by_reason.values();
            let why = firsts.next().map_or_else(String::new, |(_, first)| format!(" (the first fault: {first})"));
            bail!("the input holds no events{why}");
        }
        let store = self.collector.finish().context(SPILL)?;
        let mut gaps = Gaps::new(self.readings.len());
        let mut silences = Silences::default();
        let mut end = 0;
        for head in store.heads() {
            let head = head.context(SPILL)?;
            gaps.take(head.series, head.nanos);
            silences.take(head.nanos);
            end = head.nanos;
        }
        let (strays, first, last) = silences.strays();
        let mut series = BTreeMap::new();
        for (source, metrics) in self.numbers {
            for (metric, number) in metrics {
                let readings = usize::try_from(number).ok().and_then(|index| self.readings.get(index)).copied();
                let own = Series { source: source.clone(), number, readings: readings.unwrap_or(0) };
                series.insert(format!("{source}/{metric}"), own);
            }
        }
        Ok(History {
            events: store.records(),
            store,
            series,
            first,
            last,
            end: Timestamp::from_nanos(end),
            strays,
            sampling: gaps.usual(),
            refused: self.refused,
        })
    }
}
