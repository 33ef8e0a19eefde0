//! How to run a program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::Stats;
use crate::connectors::RawRecord;
use crate::state::StateLocation;

/// How to run a program.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where checkpoints are kept; without, a run starts from nothing and leaves nothing.
    pub state: Option<StateLocation>,
    /// How often a checkpoint is written.
    pub checkpoint_interval: Duration,
    /// The most records of one poll: more is quicker in replays and takes more memory. Results do not depend on it.
    pub batch_size: usize,
    /// Batches of a source that are decoded at the same time. These, operators and sinks are tasks that use all threads of
    /// the runtime. Results depend neither on this nor on the threads.
    pub parallelism: usize,
    /// Sources that are read from memory instead, by table name.
    pub sources: HashMap<String, MemorySource>,
    /// Sinks that are collected in memory instead, by table name.
    pub sinks: HashMap<String, MemorySink>,
    /// Stop as if asked to after this many records in total; for tests of restarts.
    pub stop_after: Option<u64>,
    /// The most bytes of window state; more ends the run with an error.
    pub state_limit: usize,
    /// How far a record's time may lie beyond its arrival and still move the watermark.
    pub future_limit: Duration,
    /// Counters to keep up to date.
    pub stats: Option<Arc<Stats>>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            state: None,
            checkpoint_interval: Duration::from_secs(10),
            batch_size: 8192,
            parallelism: 1,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            stop_after: None,
            state_limit: 2 << 30,
            future_limit: Duration::from_secs(3600),
            stats: None,
        }
    }
}

/// Records that stand in for a source.
#[derive(Debug, Clone)]
pub struct MemorySource(pub(crate) Arc<[RawRecord]>);

impl MemorySource {
    /// A source of these records, decoded by the table's own format.
    #[must_use]
    pub fn new(records: Vec<RawRecord>) -> Self {
        Self(records.into())
    }

    /// A source of these lines.
    #[must_use]
    pub fn lines(text: &str) -> Self {
        let record = |line: &str| RawRecord {
            payload: Bytes::copy_from_slice(line.as_bytes()),
            arrival_nanos: None,
            partition: 0,
        };
        Self::new(text.lines().filter(|l| !l.trim().is_empty()).map(record).collect())
    }
}

/// Collects a sink's rows, encoded in the table's own format.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<Vec<Bytes>>>);

impl MemorySink {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn push(&self, rows: impl IntoIterator<Item = Bytes>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
    }

    /// The rows collected so far; they stay.
    #[must_use]
    pub fn rows(&self) -> Vec<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rows as text.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.rows().iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect()
    }
}
