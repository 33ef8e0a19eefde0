//! History: every event as the record that the stream would carry, in order of time, most of it on disk.
//!
//! [`store`] keeps the records, [`beats`] puts the heartbeats between them, [`declared`] reads those of declared streams, [`sampling`]
//! and [`stray`] look at their times.

mod beats;
pub(crate) mod declared;
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
    /// The declared stream whose raw records these are; `None`: Weir's own events.
    pub(super) stream: Option<String>,
    /// Whether the heartbeat's control records belong between them.
    heartbeat: bool,
    /// Events in it; of a declared stream, records.
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
    pub(super) by_reason: BTreeMap<String, (usize, String)>,
    /// Records of Weir's own.
    pub(super) control: usize,
    /// Events that named no source and are `unknown`.
    pub(super) without_source: usize,
    /// Rows that the file of a declared stream leaves out.
    pub(super) ignored: u64,
}

impl Refused {
    fn count_one(&mut self, reason: &str, first: impl FnOnce() -> String) {
        match self.by_reason.get_mut(reason) {
            Some((count, _)) => *count += 1,
            None => drop(self.by_reason.insert(reason.to_owned(), (1, first()))),
        }
    }

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
        if !self.heartbeat {
            return MemorySource::stored(Arc::new(AsTheyAre(self.store.clone())));
        }
        let stored = WithHeartbeats { store: self.store.clone(), sampling: self.sampling, longest };
        MemorySource::stored(Arc::new(stored))
    }

    /// The same, with the stream that the records are for.
    pub(super) fn feeds(&self, longest: i64) -> [(Option<&str>, MemorySource); 1] {
        [(self.stream.as_deref(), self.source(longest))]
    }

    /// Time, value and series of every event, in order of time.
    pub(super) fn heads(&self) -> impl Iterator<Item = Result<Head>> {
        let readings = self.store.heads().filter(|head| head.as_ref().map_or(true, Head::is_reading));
        readings.map(|head| head.context(SPILL))
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

/// Records without anything between them.
#[derive(Debug)]
struct AsTheyAre(Store);

impl StoredRecords for AsTheyAre {
    fn read(&self) -> Box<dyn Iterator<Item = io::Result<RawRecord>> + Send> {
        let record = |read: io::Result<(Head, bytes::Bytes)>| match read {
            // A further reading of the record before it.
            Ok((head, payload)) if head.is_reading() && payload.is_empty() => None,
            Ok((head, payload)) => Some(Ok(RawRecord { payload, arrival_nanos: Some(head.nanos), partition: 0 })),
            Err(error) => Some(Err(error)),
        };
        Box::new(self.0.read().filter_map(record))
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
    /// Of a declared stream: its name, and whether heartbeats pass over it.
    stream: Option<(String, bool)>,
    /// How many records there are, where a record may have several readings.
    records: usize,
}

impl Builder {
    pub(super) fn new(to: Option<Timestamp>) -> Self {
        Self { to, ..Self::default() }
    }

    pub(super) fn events(&self) -> usize {
        if self.stream.is_some() { self.records } else { self.collector.records() }
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
                let first = || format!("{of}:{}: {}", found.line, refusal.message);
                self.refused.count_one(refusal.reason, first);
                Ok(())
            }
        }
    }

    /// Takes a raw record of a declared stream that was found at a place.
    pub(super) fn take_raw(
        &mut self,
        place: &dyn std::fmt::Display,
        bytes: &[u8],
        arrival: Option<i64>,
        reader: &mut declared::Reader,
    ) -> Result<()> {
        let (read, at) = reader.read(bytes, arrival)?;
        if self.stream.is_none() {
            self.stream = Some((reader.stream().name.clone(), reader.stream().heartbeat));
        }
        self.refused.control += read.control;
        self.refused.ignored = self.refused.ignored.saturating_add(read.ignored);
        for poison in &read.refused {
            self.refused.count_one(&poison.reason.to_string(), || format!("{place}: {}", poison.detail));
        }
        let to = self.to;
        let past = |time: Timestamp| to.is_some_and(|to| time > to);
        if read.readings.is_empty() || read.readings.iter().all(|reading| past(reading.time)) {
            return Ok(());
        }
        self.records += 1;
        self.collector.push((at, 0.0, Head::RECORD), bytes).context(SPILL)?;
        for reading in read.readings.into_iter().filter(|reading| !past(reading.time)) {
            let series = self.number(&reading.source, &reading.metric)?;
            self.collector.push((reading.time.nanos(), reading.value, series), b"").context(SPILL)?;
        }
        Ok(())
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
            let left_out = match self.refused.ignored {
                0 => String::new(),
                rows => format!("; `ignore` leaves out {rows} rows"),
            };
            bail!("the input holds no events{why}{left_out}");
        }
        let store = self.collector.finish().context(SPILL)?;
        let mut gaps = Gaps::new(self.readings.len());
        let mut silences = Silences::default();
        let mut end = 0;
        for head in store.heads() {
            let head = head.context(SPILL)?;
            if !head.is_reading() {
                continue;
            }
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
        let records = if self.stream.is_some() { self.records } else { store.records() };
        let (stream, heartbeat) = self.stream.map_or((None, true), |(name, heartbeat)| (Some(name), heartbeat));
        Ok(History {
            events: records,
            stream,
            heartbeat,
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
