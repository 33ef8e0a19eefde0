//! Records and rows in memory: how tests and backtests feed a program.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::{ConnectorError, PartitionStatus, Polled, RawRecord, Sink, SinkRow, Source};

/// Records that stand in for a source.
#[derive(Debug, Clone)]
pub struct MemorySource(Arc<[RawRecord]>);

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
#[derive(Debug)]
pub(super) struct RecordedSource {
    records: MemorySource,
    next: usize,
    /// Where each shard ends, when there are several.
    ends: Vec<(u32, usize)>,
}

impl RecordedSource {
    pub(super) fn new(records: MemorySource, position: Option<&Value>) -> Self {
        let next = position.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut ends = std::collections::BTreeMap::new();
        for (index, record) in records.0.iter().enumerate() {
            ends.insert(record.partition, index + 1);
        }
        let ends = if ends.len() > 1 { ends.into_iter().collect() } else { Vec::new() };
        Self { records, next, ends }
    }
}

#[async_trait]
impl Source for RecordedSource {
    async fn poll(&mut self, max_records: usize, _: Duration) -> Result<Polled, ConnectorError> {
        let rest = self.records.0.get(self.next..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Polled::Finished);
        }
        let batch = rest.iter().take(max_records.max(1)).cloned().collect::<Vec<_>>();
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
