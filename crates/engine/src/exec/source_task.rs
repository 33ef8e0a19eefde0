//! Reads one source: polls, decodes, computes generated columns and time, and hands batches to the driver.
//!
//! A task of its own, so that reading and decoding go on while the driver works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use serde_json::Value;
use tokio::sync::mpsc;

use super::driver::RunError;
use super::operator::{Chunk, Origin};
use super::record::{Decoded, RecordDecoder};
use super::stats::Stats;
use super::watermark::{Times, Tracker};
use super::{SourceSpec, SourceWatermark};
use crate::connectors::{Polled, Source};
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
    /// Records that may still be read, over all sources.
    pub(super) budget: Option<Arc<AtomicU64>>,
}

/// Turns polls into rows with their time.
pub(super) struct Reader {
    table: String,
    index: usize,
    decoder: RecordDecoder,
    rows: super::Rows,
    time: usize,
    watermark: SourceWatermark,
    tracker: Tracker,
    future_limit: i64,
    stats: Arc<Stats>,
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
        Ok(Self {
            table: table.name.clone(),
            index: spec.index,
            decoder: RecordDecoder::new(table, &spec.record)?,
            rows: spec.rows.clone(),
            time: spec.time,
            watermark: spec.watermark,
            tracker,
            future_limit: i64::try_from(future_limit.as_nanos()).unwrap_or(i64::MAX),
            stats,
        })
    }

    /// Decodes a poll; what it says about time moves the watermark.
    fn read(&mut self, polled: Polled) -> Result<Option<(Chunk, u64)>, RunError> {
        let Some(decoded) = self.decoder.decode(polled, now_nanos())? else { return Ok(None) };
        let mut batch = self.rows.apply(&decoded.batch).map_err(RunError::from)?;
        let origin = Arc::new(self.observe(&batch, &decoded));
        if let SourceWatermark::Column(column) = self.watermark {
            batch.remove_column(column);
        }
        let counters = self.stats.sources.get(self.index);
        if let Some(counters) = counters {
            counters.records.fetch_add(decoded.records, Ordering::Relaxed);
            counters.bytes.fetch_add(decoded.bytes, Ordering::Relaxed);
            counters.poison.fetch_add(decoded.poison, Ordering::Relaxed);
            counters.watermark.store(self.tracker.watermark(), Ordering::Relaxed);
        }
        Ok(Some((Chunk { batch, origin: Some(origin) }, decoded.records)))
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
}

impl SourceTask {
    /// Reads until the source ends, the budget is spent, or nobody listens any more.
    pub(super) async fn run(mut self, out: mpsc::Sender<Result<SourceMessage, RunError>>) {
        loop {
            match self.step().await {
                Ok(Step::Send(message)) => {
                    let finished = message.state.finished;
                    if out.send(Ok(message)).await.is_err() || finished {
                        return;
                    }
                }
                Ok(Step::Nothing) => {
                    if out.is_closed() {
                        return;
                    }
                }
                Ok(Step::Stop) => return,
                Err(error) => {
                    // Nobody listens: the run ends anyway.
                    let _ = out.send(Err(error)).await;
                    return;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Step, RunError> {
        let max = match &self.budget {
            None => self.batch_size,
            Some(budget) => self.batch_size.min(usize::try_from(budget.load(Ordering::Relaxed)).unwrap_or(usize::MAX)),
        };
        if max == 0 {
            return Ok(Step::Stop);
        }
        let polled = self.source.poll(max, WAIT).await?;
        let before = self.reader.tracker.watermark();
        self.reader.tracker.set_partitions(self.source.partitions());
        if let Some(counters) = self.reader.stats.sources.get(self.reader.index) {
            let lag = self.source.lag_millis().and_then(|l| i64::try_from(l).ok()).unwrap_or(-1);
            counters.lag_millis.store(lag, Ordering::Relaxed);
        }
        let finished = matches!(polled, Polled::Finished);
        let read = self.reader.read(polled)?;
        let watermark = if finished { i64::MAX } else { self.reader.tracker.watermark() };
        if read.is_none() && watermark == before && !finished {
            return Ok(Step::Nothing);
        }
        let (chunk, records) = read.map_or((None, 0), |(chunk, records)| (Some(chunk), records));
        if let Some(budget) = &self.budget {
            let left = budget.load(Ordering::Relaxed).saturating_sub(records);
            budget.store(left, Ordering::Relaxed);
        }
        let state = SourceState {
            table: self.reader.table.clone(),
            position: self.source.position(),
            watermark: serde_json::to_value(&self.reader.tracker).unwrap_or(Value::Null),
            finished,
        };
        Ok(Step::Send(SourceMessage { node: self.node, chunk, watermark, state }))
    }
}

#[allow(clippy::large_enum_variant, reason = "made once a batch and moved at once")]
enum Step {
    Send(SourceMessage),
    Nothing,
    Stop,
}

fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
