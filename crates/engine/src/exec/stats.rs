//! What a run counts: live while it goes, and as its report.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::Serialize;

use crate::plan::Program;

/// Live counters of a run; shared with whoever shows them.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) sources: Vec<SourceCounters>,
    pub(crate) sinks: Vec<SinkCounters>,
    pub(crate) state_bytes: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    name: String,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) poison: AtomicU64,
    pub(crate) without_time: AtomicU64,
    pub(crate) future: AtomicU64,
    /// −1 where it has no meaning.
    pub(crate) lag_millis: AtomicI64,
    pub(crate) watermark: AtomicI64,
}

#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    name: String,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Stats {
    /// Counters for a program, all zero.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let source = |name: &str| SourceCounters {
            name: name.to_owned(),
            lag_millis: AtomicI64::new(-1),
            watermark: AtomicI64::new(i64::MIN),
            ..SourceCounters::default()
        };
        Self {
            sources: program.sources.iter().map(|t| source(&t.name)).collect(),
            sinks: program
                .sinks
                .iter()
                .map(|t| SinkCounters { name: t.name.clone(), ..SinkCounters::default() })
                .collect(),
            ..Self::default()
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn report(&self) -> RunReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sources = self.sources.iter().map(|s| SourceStats {
            name: s.name.clone(),
            records: get(&s.records),
            bytes: get(&s.bytes),
            late: get(&s.late),
            poison: get(&s.poison),
            without_time: get(&s.without_time),
            future: get(&s.future),
            lag_millis: u64::try_from(s.lag_millis.load(Ordering::Relaxed)).ok(),
            watermark_nanos: Some(s.watermark.load(Ordering::Relaxed)).filter(|w| *w != i64::MIN && *w != i64::MAX),
        });
        let sinks =
            self.sinks.iter().map(|s| SinkStats { name: s.name.clone(), rows: get(&s.rows), bytes: get(&s.bytes) });
        RunReport {
            sources: sources.collect(),
            sinks: sinks.collect(),
            state_bytes: get(&self.state_bytes),
            checkpoints: get(&self.checkpoints),
        }
    }
}

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// By source, in the order of the program.
    pub sources: Vec<SourceStats>,
    /// By sink, in the order of the program.
    pub sinks: Vec<SinkStats>,
    /// Bytes of window state held.
    pub state_bytes: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
}

/// Counts of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceStats {
    /// The table.
    pub name: String,
    /// Records read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows that at least one window dropped because it had closed.
    pub late: u64,
    /// Records that could not be decoded and were dropped (`bad_data = 'drop'`).
    pub poison: u64,
    /// Rows whose event time or watermark is missing or unusable.
    pub without_time: u64,
    /// Rows whose event time lies too far beyond their arrival to move the watermark.
    pub future: u64,
    /// How far behind the tip of the stream, in milliseconds.
    pub lag_millis: Option<u64>,
    /// How far event time has come.
    pub watermark_nanos: Option<i64>,
}

/// Counts of a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SinkStats {
    /// The table.
    pub name: String,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
}
