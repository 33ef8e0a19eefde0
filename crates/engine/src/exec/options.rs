//! How to run a program.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{DecodedRows, Stats};
use crate::connectors::{MemorySink, MemorySource};
use crate::program::FutureLimit;
use crate::state::StateLocation;

/// Several times what partitions cost, and what light aggregates take: measured in docs/bench.md.
const SPREAD_FROM: Duration = Duration::from_nanos(400);

/// The partitions of a window operator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parallelism {
    pub(crate) most_partitions: usize,
    /// The time that a row must take.
    pub(crate) spread_from: Duration,
}

impl RunOptions {
    pub(crate) fn key_parallelism(&self) -> Parallelism {
        Parallelism { most_partitions: self.parallelism, spread_from: self.spread_from }
    }
}

/// How to run a program.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where checkpoints are kept; without, a run starts from nothing and leaves nothing.
    pub state: Option<StateLocation>,
    /// How often a checkpoint is written.
    pub checkpoint_interval: Duration,
    /// The most records of one poll: more is quicker in replays and takes more memory. Results do not depend on it.
    pub batch_size: usize,
    /// Batches of a source that are decoded at the same time, and partitions over which the keys of a window are
    /// spread. These, operators and sinks are tasks that use all threads of the runtime. Results depend neither on this
    /// nor on the threads.
    pub parallelism: usize,
    /// How long a window must work to take in a row for its keys to be spread over partitions; zero spreads them from
    /// the start. Results do not depend on it.
    pub spread_from: Duration,
    /// Sources that are read from memory instead, by table name.
    pub sources: HashMap<String, MemorySource>,
    /// Sinks that are collected in memory instead, by table name.
    pub sinks: HashMap<String, MemorySink>,
    /// Stop as if asked to after this many records in total; for tests of restarts.
    pub stop_after: Option<u64>,
    /// The most bytes of window state; more ends the run with an error.
    pub state_limit: usize,
    /// How far a record's time may lie beyond its arrival and still move the watermark, in place of what each table says.
    pub future_limit: Option<FutureLimit>,
    /// Counters to keep up to date.
    pub stats: Option<Arc<Stats>>,
    /// Rows that earlier runs decoded from the same records. Results do not depend on it.
    pub decoded: Option<DecodedRows>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            state: None,
            checkpoint_interval: Duration::from_secs(10),
            batch_size: 8192,
            parallelism: 1,
            spread_from: SPREAD_FROM,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            stop_after: None,
            state_limit: 2 << 30,
            future_limit: None,
            stats: None,
            decoded: None,
        }
    }
}
