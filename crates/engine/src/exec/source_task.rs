//! Reads one source: polls, decodes, computes generated columns and time, and hands batches to the driver.
//!
//! A task of its own, so that reading goes on while the driver works. Batches are decoded on tasks of their own, several at a
//! time, and told to the driver in the order in which they were read: what a run gives does not depend on how many.

use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;

use super::driver::RunError;
use super::operator::{Chunk, Origin};
use super::record::{Decoded, RecordDecoder};
use super::stats::Stats;
use super::watermark::{Times, Tracker};
use super::{SourceSpec, SourceWatermark};
use crate::connectors::{PartitionStatus, Polled, Source};
use crate::plan::{NodeId, TableInfo};
use crate::state::SourceState;

/// How long a poll waits for the first record.
const WAIT: Duration = Duration::from_millis(100);

/// What a source says to the driver.
#[derive(Debug)]
pub(super) struct SourceMessage {
    pub(super) node: NodeId,
    /// New rows; none where only the watermark moved.
    pub(super) chunk: Option<Chunk>,
    /// After these rows.
    pub(super) watermark: i64,
    /// Where the source is after these rows.
    pub(super) state: SourceState,
}

/// A source that runs.
pub(super) struct SourceTask {
    pub(super) node: NodeId,
    pub(super) source: Box<dyn Source>,
    pub(super) reader: Reader,
    pub(super) batch_size: usize,
    /// Batches that are decoded at the same time.
    pub(super) lanes: usize,
    /// Records that may still be read, over all sources.
    pub(super) budget: Option<Arc<AtomicU64>>,
}

/// What one poll brought, decoded or about to be.
struct Pending {
    rows: BoxFuture<'static, Result<Option<Computed>, RunError>>,
    position: Value,
    partitions: Vec<PartitionStatus>,
    finished: bool,
}

/// Decoded records, and their rows with the columns that a source computes.
struct Computed {
    batch: RecordBatch,
    decoded: Decoded,
}

/// Turns polls into rows, several at a time; in this they depend on nothing but themselves.
struct Decoding {
    rows: super::Rows,
    table: TableInfo,
    record: SchemaRef,
    /// Decoders that nobody uses now.
    idle: Mutex<Vec<RecordDecoder>>,
}

/// Reads what rows say about time, in the order in which they came.
pub(super) struct Reader {
    index: usize,
    decoding: Arc<Decoding>,
    time: usize,
    watermark: SourceWatermark,
    tracker: Tracker,
    future_limit: i64,
    stats: Arc<Stats>,
}

impl Decoding {
    fn decode(&self, polled: Polled, now: i64) -> Result<Option<Computed>, RunError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decoder = match idle {
            Some(decoder) => decoder,
            None => RecordDecoder::new(&self.table, &self.record)?,
        };
        let decoded = decoder.decode(polled, now)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        let Some(decoded) = decoded else { return Ok(None) };
        let batch = self.rows.apply(&decoded.batch).map_err(RunError::from)?;
        Ok(Some(Computed { batch, decoded }))
    }
}

impl Reader {
    pub(super) fn new(
        spec: &SourceSpec,
        table: &TableInfo,
        stored: Option<&Value>,
        future_limit: Duration,
        stats: Arc<Stats>,
    ) -> Result<Self, RunError> {
        let tracker = stored.and_then(|s| serde_json::from_value(s.clone()).ok()).unwrap_or_else(Tracker::new);
        let decoding = Decoding {
            rows: spec.rows.clone(),
            table: table.clone(),
            record: Arc::clone(&spec.record),
            idle: Mutex::new(vec![RecordDecoder::new(table, &spec.record)?]),
        };
        Ok(Self {
            index: spec.index,
            decoding: Arc::new(decoding),
            time: spec.time,
            watermark: spec.watermark,
            tracker,
            future_limit: i64::try_from(future_limit.as_nanos()).unwrap_or(i64::MAX),
            stats,
        })
    }

    /// Takes rows; what they say about time moves the watermark.
    fn read(&mut self, rows: Computed) -> Chunk {
        let Computed { mut batch, decoded } = rows;
        let origin = Arc::new(self.observe(&batch, &decoded));
        if let SourceWatermark::Column(column) = self.watermark {
            batch.remove_column(column);
        }
        if let Some(counters) = self.stats.sources.get(self.index) {
            counters.records.fetch_add(decoded.records, Ordering::Relaxed);
            counters.bytes.fetch_add(decoded.bytes, Ordering::Relaxed);
            counters.poison.fetch_add(decoded.poison, Ordering::Relaxed);
            counters.watermark.store(self.tracker.watermark(), Ordering::Relaxed);
        }
        Chunk { batch, origin: Some(origin) }
    }

    fn observe(&mut self, batch: &RecordBatch, decoded: &Decoded) -> Origin {
        let (marks, lateness) = match self.watermark {
            SourceWatermark::Lateness(lateness) => (None, lateness),
            SourceWatermark::Column(column) => {
                (Some(batch.column(column).as_primitive::<TimestampNanosecondType>()), 0)
            }
        };
        let times = Times {
            event: batch.column(self.time).as_primitive(),
            marks,
            lateness,
            arrival: decoded.arrival.as_ref(),
            partitions: &decoded.partitions,
        };
        let observed = self.tracker.observe(times, self.future_limit);
        if let Some(counters) = self.stats.sources.get(self.index) {
            counters.without_time.fetch_add(observed.without_time.len() as u64, Ordering::Relaxed);
            counters.future.fetch_add(observed.future, Ordering::Relaxed);
        }
        Origin { source: self.index, before: observed.before, without_time: observed.without_time }
    }

    /// What a poll says to the driver; nothing when it brought no rows and time stands still.
    async fn message(&mut self, node: NodeId, pending: Pending) -> Result<Option<SourceMessage>, RunError> {
        let Pending { rows, position, partitions, finished } = pending;
        let rows = rows.await?;
        let before = self.tracker.watermark();
        self.tracker.set_partitions(partitions);
        let chunk = rows.map(|rows| self.read(rows));
        let watermark = if finished { i64::MAX } else { self.tracker.watermark() };
        if chunk.is_none() && watermark == before && !finished {
            return Ok(None);
        }
        let state = SourceState {
            table: self.decoding.table.name.clone(),
            position,
            watermark: serde_json::to_value(&self.tracker).unwrap_or(Value::Null),
            finished,
        };
        Ok(Some(SourceMessage { node, chunk, watermark, state }))
    }
}

impl SourceTask {
    /// Reads until the source ends, the budget is spent, or nobody listens any more.
    pub(super) async fn run(self, out: mpsc::Sender<Result<SourceMessage, RunError>>) {
        let Self { node, source, mut reader, batch_size, lanes, budget } = self;
        let (sender, mut receiver) = mpsc::channel::<Result<Pending, RunError>>(lanes.max(1));
        let mut polling = Polling {
            source,
            batch_size,
            budget,
            index: reader.index,
            decoding: Arc::clone(&reader.decoding),
            stats: Arc::clone(&reader.stats),
        };
        let poll = async move {
            loop {
                let pending = polling.poll().await;
                let last = !matches!(&pending, Ok(Some(pending)) if !pending.finished);
                let sent = match pending.transpose() {
                    Some(pending) => sender.send(pending).await.is_ok(),
                    None => true,
                };
                if last || !sent {
                    return;
                }
            }
        };
        // In the order of the polls, however long each takes to decode.
        let tell = async move {
            while let Some(pending) = receiver.recv().await {
                let message = match pending {
                    Ok(pending) => reader.message(node, pending).await.transpose(),
                    Err(error) => Some(Err(error)),
                };
                let failed = matches!(message, Some(Err(_)));
                let heard = match message {
                    Some(message) => out.send(message).await.is_ok(),
                    None => !out.is_closed(),
                };
                if failed || !heard {
                    return;
                }
            }
        };
        futures::join!(poll, tell);
    }
}

/// The reading half of a source's task.
struct Polling {
    source: Box<dyn Source>,
    batch_size: usize,
    budget: Option<Arc<AtomicU64>>,
    index: usize,
    decoding: Arc<Decoding>,
    stats: Arc<Stats>,
}

impl Polling {
    /// Polls once and sets the decoding going; `None` when the budget is spent.
    async fn poll(&mut self) -> Result<Option<Pending>, RunError> {
        let max = match &self.budget {
            None => self.batch_size,
            Some(budget) => self.batch_size.min(usize::try_from(budget.load(Ordering::Relaxed)).unwrap_or(usize::MAX)),
        };
        if max == 0 {
            return Ok(None);
        }
        let polled = self.source.poll(max, WAIT).await?;
        if let Some(counters) = self.stats.sources.get(self.index) {
            let lag = self.source.lag_millis().and_then(|l| i64::try_from(l).ok()).unwrap_or(-1);
            counters.lag_millis.store(lag, Ordering::Relaxed);
        }
        let finished = matches!(polled, Polled::Finished);
        let (position, partitions) = (self.source.position(), self.source.partitions());
        let rows = if matches!(polled, Polled::Idle | Polled::Finished) {
            ready(Ok(None)).boxed()
        } else {
            let (decoding, now) = (Arc::clone(&self.decoding), now_nanos());
            let task = tokio::spawn(async move { decoding.decode(polled, now) });
            async move { task.await.unwrap_or_else(|e| Err(RunError::Task(e.to_string()))) }.boxed()
        };
        let rows = match &self.budget {
            None => rows,
            // How much is left is known only when the records are counted.
            Some(budget) => {
                let rows = rows.await?;
                let records = rows.as_ref().map_or(0, |r| r.decoded.records);
                budget.store(budget.load(Ordering::Relaxed).saturating_sub(records), Ordering::Relaxed);
                ready(Ok(rows)).boxed()
            }
        };
        Ok(Some(Pending { rows, position, partitions, finished }))
    }
}

fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
