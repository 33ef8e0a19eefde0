//! Records and rows in memory: how tests and backtests feed a program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::{ConnectorError, PartitionStatus, Polled, RawRecord, Sink, SinkRow, Source};

/// Records that stand in for a source.
#[derive(Debug, Clone)]
pub struct MemorySource(Records);

#[derive(Debug, Clone)]
enum Records {
    Memory(Arc<[RawRecord]>),
    Stored(Arc<dyn StoredRecords>),
}

/// Records that are too many for memory. All of them are of one shard.
pub trait StoredRecords: std::fmt::Debug + Send + Sync {
    /// The records in their order, the same each time.
    fn read(&self) -> Box<dyn Iterator<Item = std::io::Result<RawRecord>> + Send>;
}

impl MemorySource {
    /// A source of these records, decoded by the table's own format.
    #[must_use]
    pub fn new(records: Vec<RawRecord>) -> Self {
        Self(Records::Memory(records.into()))
    }

    /// A source of records that are read while the program runs.
    #[must_use]
    pub fn stored(records: Arc<dyn StoredRecords>) -> Self {
        Self(Records::Stored(records))
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

    fn push(&self, rows: impl IntoIterator<Item = Bytes>) {
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

/// Gives recorded records in their order, then ends.
pub(super) struct RecordedSource {
    records: Recorded,
    next: usize,
    /// Where each shard ends, when there are several.
    ends: Vec<(u32, usize)>,
}

enum Recorded {
    Memory(Arc<[RawRecord]>),
    Stored(Box<dyn Iterator<Item = std::io::Result<RawRecord>> + Send>),
}

impl RecordedSource {
    pub(super) fn new(records: MemorySource, position: Option<&Value>) -> Self {
        let next = position.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut ends = std::collections::BTreeMap::new();
        let records = match records.0 {
            Records::Memory(records) => {
                for (index, record) in records.iter().enumerate() {
                    ends.insert(record.partition, index + 1);
                }
                Recorded::Memory(records)
            }
            Records::Stored(records) => {
                let mut records = records.read();
                if let Some(last) = next.checked_sub(1) {
                    records.nth(last);
                }
                Recorded::Stored(records)
            }
        };
        let ends = if ends.len() > 1 { ends.into_iter().collect() } else { Vec::new() };
        Self { records, next, ends }
    }
}

#[async_trait]
impl Source for RecordedSource {
    async fn poll(&mut self, max_records: usize, _: Duration) -> Result<Polled, ConnectorError> {
        let most = max_records.max(1);
        let batch = match &mut self.records {
            Recorded::Memory(records) => {
                records.get(self.next..).unwrap_or_default().iter().take(most).cloned().collect::<Vec<_>>()
            }
            Recorded::Stored(records) => records
                .take(most)
                .collect::<Result<_, _>>()
                .map_err(|source| ConnectorError::Io { path: "stored records".to_owned(), source })?,
        };
        if batch.is_empty() {
            return Ok(Polled::Finished);
        }
        self.next += batch.len();
        Ok(Polled::Records(batch))
    }

    fn position(&self) -> Value {
        self.next.into()
    }

    fn partitions(&self) -> Vec<PartitionStatus> {
        // A shard that has ended stays until the run ends: when it leaves must not depend on batches.
        self.ends.iter().map(|(partition, _)| PartitionStatus { partition: *partition, idle: false }).collect()
    }
}

/// Collects rows.
#[derive(Debug)]
pub(super) struct CollectingSink(MemorySink);

impl CollectingSink {
    pub(super) fn new(rows: MemorySink) -> Self {
        Self(rows)
    }
}

#[async_trait]
impl Sink for CollectingSink {
    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), ConnectorError> {
        self.0.push(rows.into_iter().map(|r| r.payload));
        Ok(())
    }

    fn flush_due_in(&self) -> Option<Duration> {
        None
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}
