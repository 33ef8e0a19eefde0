//! Reads one source: polls, decodes, computes generated columns and time, and hands batches to the driver.
//!
//! A task of its own, so that reading goes on while the driver works. Batches are decoded on tasks of their own, several at a
//! time, and told to the driver in the order in which they were read: what a run gives does not depend on how many.

use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{AsArray, RecordBatch, TimestampNanosecondArray};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;

use super::decoded_rows::{DecodedRows, OperatorRows};
use super::record::{Decoded, RecordDecoder};
use super::watermark::{Times, WatermarkTracker};
use crate::connectors::{PartitionStatus, Polled, Source};
use crate::exec::error::RunError;
use crate::exec::rows::batch::{Provenance, TracedBatch};
use crate::exec::rows::expressions::RowEvaluator;
use crate::exec::rows::failures::Failures;
use crate::exec::stats::Stats;
use crate::program::{Format, FutureLimit, NodeId, RowExpressions, SourceSpec, SourceWatermark, TableInfo, TimeFacts};
use crate::state::SourceState;

/// A source that sends from the future does so with every record: it is told of once a minute.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// How long a poll waits for the first record.
const WAIT: Duration = Duration::from_millis(100);

/// What a source says to the driver.
#[derive(Debug)]
pub(crate) struct SourceMessage {
    pub(crate) node: NodeId,
    /// New rows, each part with the watermark after it; none where only the watermark moved.
    pub(crate) parts: Vec<(TracedBatch, i64)>,
    /// After all of them.
    pub(crate) watermark: i64,
    /// Where the source is after these rows.
    pub(crate) state: SourceState,
}

/// A source that runs.
pub(crate) struct SourceTask {
    pub(crate) node: NodeId,
    pub(crate) source: Box<dyn Source>,
    pub(crate) reader: RowReader,
    pub(crate) batch_size: usize,
    /// Batches that are decoded at the same time.
    pub(crate) decode_parallelism: usize,
    /// Records that may still be read, over all sources.
    pub(crate) budget: Option<Arc<AtomicU64>>,
}

/// What one poll brought, decoded or about to be, in order.
struct Pending {
    rows: BoxFuture<'static, Result<Arc<[Computed]>, RunError>>,
    position: Value,
    partitions: Vec<PartitionStatus>,
    finished: bool,
}

/// Decoded records, and their rows with the columns that a source computes.
#[derive(Debug, Clone)]
pub(super) struct Computed {
    pub(super) batch: RecordBatch,
    pub(super) decoded: Decoded,
}

/// Turns polls into rows, several at a time; in this they depend on nothing but themselves.
struct Decoding {
    rows: RowExpressions,
    table: TableInfo,
    record: SchemaRef,
    failures: Failures,
    /// Decoders that nobody uses now.
    idle: Mutex<Vec<RecordDecoder>>,
    /// What earlier runs decoded.
    earlier: Option<OperatorRows>,
}

/// Reads what rows say about time, in the order in which they came.
pub(crate) struct RowReader {
    index: usize,
    decoding: Arc<Decoding>,
    time: usize,
    watermark: SourceWatermark,
    tracker: WatermarkTracker,
    /// `None` is without end.
    future_limit: Option<i64>,
    /// When rows from the future were last told of.
    warned: Option<Instant>,
    /// The shortest bin of the program's windows.
    bin: Option<i64>,
    /// Whether the program has a join that wants to know the watermark before every row.
    every: bool,
    stats: Arc<Stats>,
}

/// A batch is handed on in parts where it spans more bins than this: each part ends what the watermark lets it end, so that
/// the state stays small however much time a batch covers.
const BINS_OF_A_PART: i64 = 64;
/// No part but the last has fewer rows.
const ROWS_OF_A_PART: usize = 128;

impl Decoding {
    /// The rows of a poll: one batch, or several where they are large.
    fn decode(&self, polled: Polled, now: i64) -> Result<Arc<[Computed]>, RunError> {
        let earlier = self.earlier.as_ref().and_then(|earlier| Some((earlier, earlier.name_of(&polled)?)));
        if let Some(computed) = earlier.and_then(|(earlier, name)| earlier.decoded(name)) {
            return Ok(computed);
        }
        let failed = self.failures.count();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut decoder = match idle {
            Some(decoder) => decoder,
            None => RecordDecoder::new(&self.table, &self.record)?,
        };
        let decoded = decoder.decode(polled, now)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        let compute = |decoded: Decoded| {
            let batch =
                RowEvaluator(&self.rows).apply_or_null(&decoded.batch, &self.failures).map_err(RunError::from)?;
            Ok(Computed { batch, decoded })
        };
        let computed: Arc<[Computed]> = decoded.into_iter().map(compute).collect::<Result<_, RunError>>()?;
        if let Some((earlier, name)) = earlier.filter(|_| self.failures.count() == failed) {
            earlier.keep_decoded(name, &computed);
        }
        Ok(computed)
    }
}

impl RowReader {
    pub(crate) fn new(
        spec: &SourceSpec,
        table: &TableInfo,
        stored: Option<&Value>,
        future_limit: FutureLimit,
        TimeFacts { shortest_bin: bin, has_join: every }: TimeFacts,
        (stats, failures): (Arc<Stats>, Failures),
        decoded: Option<&DecodedRows>,
    ) -> Result<Self, RunError> {
        let tracker = stored.and_then(|s| serde_json::from_value(s.clone()).ok()).unwrap_or_else(WatermarkTracker::new);
        let decoding = Decoding {
            rows: spec.rows.clone(),
            table: table.clone(),
            record: Arc::clone(&spec.record),
            failures,
            idle: Mutex::new(vec![RecordDecoder::new(table, &spec.record)?]),
            earlier: decoded.and_then(|decoded| decoded.of(&format!("{table:?}"), &spec.rows)),
        };
        Ok(Self {
            index: spec.index,
            decoding: Arc::new(decoding),
            time: spec.time,
            watermark: spec.watermark,
            tracker,
            future_limit: future_limit.nanos(),
            warned: None,
            bin,
            every,
            stats,
        })
    }

    /// Takes rows; what they say about time moves the watermark. Gives each part with the watermark after it.
    fn read(&mut self, rows: Computed) -> Vec<(TracedBatch, i64)> {
        let Computed { mut batch, decoded } = rows;
        let cuts = self.bin.map_or_else(Vec::new, |bin| cuts(batch.column(self.time).as_primitive(), bin));
        let (provenance, mut watermarks) = self.observe(&batch, &decoded, &cuts);
        let provenance = Arc::new(provenance);
        if let SourceWatermark::Column(column) = self.watermark {
            batch.remove_column(column);
        }
        if let Some(counters) = self.stats.sources.get(self.index) {
            counters.records.fetch_add(decoded.records, Ordering::Relaxed);
            counters.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            counters.bytes.fetch_add(decoded.bytes, Ordering::Relaxed);
            counters.poison.fetch_add(decoded.poison, Ordering::Relaxed);
            counters.watermark.store(self.tracker.watermark(), Ordering::Relaxed);
            if matches!(self.decoding.table.format, Some(Format::Declared(_))) {
                let mut tally = counters.tally.lock().unwrap_or_else(PoisonError::into_inner);
                *tally.get_or_insert_default() += decoded.tally;
            }
        }
        watermarks.push(self.tracker.watermark());
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([batch.num_rows()]);
        let part = |(start, end): (usize, usize)| TracedBatch {
            batch: if end - start == batch.num_rows() { batch.clone() } else { batch.slice(start, end - start) },
            provenance: Some(Arc::clone(&provenance)),
        };
        starts.zip(ends).map(part).zip(watermarks).collect()
    }

    fn observe(&mut self, batch: &RecordBatch, decoded: &Decoded, cuts: &[usize]) -> (Provenance, Vec<i64>) {
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
            cuts,
            every: self.every,
        };
        let observed = self.tracker.observe(times, self.future_limit);
        if let Some(counters) = self.stats.sources.get(self.index) {
            counters.without_time.fetch_add(observed.without_time.len() as u64, Ordering::Relaxed);
            counters.future.fetch_add(observed.future, Ordering::Relaxed);
        }
        if observed.future > 0 && self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                table = %self.decoding.table.name,
                rows = observed.future,
                seconds_ahead = observed.furthest / 1_000_000_000,
                "events lie in the future: a clock is wrong; their windows are emitted when time comes there"
            );
        }
        let provenance = Provenance {
            source: Some(self.index),
            before: observed.before,
            without_time: observed.without_time,
            dropped: Mutex::default(),
        };
        (provenance, observed.at_cuts)
    }

    /// What a poll says to the driver; nothing when it brought no rows and time stands still.
    async fn message(&mut self, node: NodeId, pending: Pending) -> Result<Option<SourceMessage>, RunError> {
        let Pending { rows, position, partitions, finished } = pending;
        let rows = rows.await?;
        let before = self.tracker.watermark();
        self.tracker.set_partitions(partitions);
        let parts: Vec<_> = rows.iter().flat_map(|rows| self.read(rows.clone())).collect();
        let watermark = if finished { i64::MAX } else { self.tracker.watermark() };
        if parts.is_empty() && watermark == before && !finished {
            return Ok(None);
        }
        let state = SourceState {
            table: self.decoding.table.name.clone(),
            position,
            watermark: serde_json::to_value(&self.tracker).unwrap_or(Value::Null),
            finished,
        };
        Ok(Some(SourceMessage { node, parts, watermark, state }))
    }
}

/// The rows before which a batch is cut, so that no part of it spans many bins.
fn cuts(times: &TimestampNanosecondArray, bin: i64) -> Vec<usize> {
    let span = bin.saturating_mul(BINS_OF_A_PART);
    let (mut cuts, mut start, mut least, mut most) = (Vec::new(), 0, i64::MAX, i64::MIN);
    for (row, time) in times.values().iter().enumerate() {
        let (low, high) = (least.min(*time), most.max(*time));
        if row - start >= ROWS_OF_A_PART && high.saturating_sub(low) > span {
            cuts.push(row);
            (start, least, most) = (row, *time, *time);
        } else {
            (least, most) = (low, high);
        }
    }
    cuts
}

impl SourceTask {
    /// Reads until the source ends, the budget is spent, or nobody listens any more.
    pub(crate) async fn run(self, out: mpsc::Sender<Result<SourceMessage, RunError>>) {
        let Self { node, source, mut reader, batch_size, decode_parallelism, budget } = self;
        let (sender, mut receiver) = mpsc::channel::<Result<Pending, RunError>>(decode_parallelism.max(1));
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
            ready(Ok(Arc::default())).boxed()
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
                let records = rows.iter().map(|rows| rows.decoded.records).sum();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts_of(times: impl IntoIterator<Item = i64>) -> Vec<usize> {
        cuts(&TimestampNanosecondArray::from_iter_values(times), 10)
    }

    #[test]
    fn a_batch_is_cut_where_it_spans_many_bins_but_not_to_shreds() {
        assert_eq!(cuts_of((0..1000).map(|n| n / 2)), Vec::<usize>::new(), "fifty bins");
        assert_eq!(cuts_of((0..300).map(|n| n * 10)), [128, 256], "one row a bin");
        assert_eq!(cuts_of((0..1000).map(|n| n * 2)), [321, 642, 963]);
        assert_eq!(cuts_of((0..300).map(|n| if n % 2 == 0 { 0 } else { i64::MAX })), [128, 256], "no order at all");
        assert_eq!(cuts_of([]), Vec::<usize>::new());
    }
}
