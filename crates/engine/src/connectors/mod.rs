//! How the engine meets the outside: sources give raw records and a position, sinks take encoded rows.
//!
//! The boundary is bytes. Formats turn them into columns, so a connector knows nothing of SQL.

mod blackhole;
mod counters;
mod impulse;
pub mod kinesis;
mod memory;
mod open;
mod single_file;
mod stdout;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use counters::ConnectorCounters;
pub use counters::ConnectorStats;
pub use memory::{MemorySink, MemorySource, StoredRecords};
pub(crate) use open::{open_sink, open_source};

/// One record as a source read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// The record's bytes, unchanged.
    pub payload: Bytes,
    /// When the stream accepted the record, nanoseconds since the epoch; `None` where the connector does not know.
    pub arrival_nanos: Option<i64>,
    /// The shard that the record came from, numbered by the source: the same shard has the same number for ever, across
    /// restarts too. The watermark is kept per partition. 0 where the source has only one.
    pub partition: u32,
}

/// One shard as the watermark sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The number that the shard's records carry.
    pub partition: u32,
    /// At the tip of the shard, and nothing came from it for a while: its silence no longer holds windows open.
    pub idle: bool,
}

/// What a poll of a source brought.
#[derive(Debug)]
pub enum Polled {
    /// Records, in the order of their shard.
    Records(Vec<RawRecord>),
    /// Whole newline-terminated records in one piece: the fast path of files.
    Lines(Bytes),
    /// Nothing came within the wait.
    Idle,
    /// The source is finite and has ended.
    Finished,
}

/// A running source. `position` is stored in checkpoints and handed back when the source is opened again.
#[async_trait]
pub trait Source: Send {
    /// Returns what is there, waiting at most `wait` for the first record. Retryable faults are retried inside; an
    /// error that comes out ends the program.
    async fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, ConnectorError>;

    /// The position after everything that `poll` has returned so far: opening the source there loses nothing.
    fn position(&self) -> serde_json::Value;

    /// The shards that are open now; one that is closed and read to its end is absent. The source's watermark is the
    /// lowest of the shards that are not idle, so a shard that was announced here and has not spoken yet holds windows
    /// open. Empty where the source has only one.
    fn partitions(&self) -> Vec<PartitionStatus> {
        Vec::new()
    }

    /// How far behind the tip of the stream the source is, milliseconds; `None` where that has no meaning.
    fn lag_millis(&self) -> Option<u64> {
        None
    }

    /// Counters of a service's faults; they go on counting while a call is under way.
    fn counters(&self) -> Option<Arc<ConnectorCounters>> {
        None
    }
}

/// One encoded row on its way to a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRow {
    /// The row in the sink's format, without a record separator.
    pub payload: Bytes,
    /// Rows of one key stay in order; `None` where the row has none.
    pub key: Option<String>,
}

/// A running sink.
#[async_trait]
pub trait Sink: Send {
    /// Takes rows; may keep them until a flush is due.
    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), ConnectorError>;

    /// How long the engine may wait before it calls `flush` for rows that are still kept; `None` when none are.
    fn flush_due_in(&self) -> Option<Duration>;

    /// Returns when every row taken so far is durable. Called when due, before a checkpoint and at the end.
    async fn flush(&mut self) -> Result<(), ConnectorError>;

    /// Counters of a service's faults; they go on counting while a call is under way.
    fn counters(&self) -> Option<Arc<ConnectorCounters>> {
        None
    }
}

/// Why a connector gave up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The table's options or the account do not allow it: trying again cannot help.
    #[error("{0}")]
    Configuration(String),
    /// Every retry was spent.
    #[error("{context}: {cause}")]
    Unavailable {
        /// What was being done.
        context: String,
        /// The last fault.
        cause: String,
    },
    /// The local file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The fault.
        source: std::io::Error,
    },
}
