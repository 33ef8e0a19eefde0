//! Tumbling and hopping windows: rows are collected in bins of the slide's width; a bin closes when the watermark passes
//! its end, and a window is the merge of its closed bins.
//!
//! The work may be spread over partitions. Each has the bins of some of the keys: what comes out, and in which
//! order, is the same for every number of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::common::{Result, exec_datafusion_err};

use super::emitted::WindowOutput;
use super::key_partition::{KeyPartition, PartitionStep};
use super::partition_order::ranks;
use super::workers::Workers;
use crate::exec::aggregates::accumulate::GroupResults;
use crate::exec::aggregates::arguments::WindowEvaluator;
use crate::exec::aggregates::keys::{EncodedKeys, KeyEncoder, RowSelection};
use crate::exec::options::Parallelism;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::expressions::RowEvaluator;
use crate::exec::rows::failures::Failures;
use crate::exec::time::Bins;
use crate::program::WindowSpec;

/// With fewer rows, or keys, partitions work one after the other on one thread: to hand work to others would cost more.
const ROWS_TO_SHARE: usize = 2048;
/// Batches after which it is measured whether an operator's work is worth spreading, and the least rows of one that counts.
const BATCHES_TO_MEASURE: usize = 16;
const ROWS_TO_MEASURE: usize = 1024;

/// The state of a tumbling or hopping window operator.
#[derive(Debug)]
pub(crate) struct BinOperator {
    pub(crate) spec: Arc<WindowSpec>,
    failures: Failures,
    pub(crate) encoder: KeyEncoder,
    pub(crate) grid: Bins,
    /// How many bins make a window: one of a tumbling window.
    length: i128,
    pub(crate) partitions: Vec<KeyPartition>,
    /// A thread for each, where there are several.
    workers: Workers,
    spread: Parallelism,
    /// The watermark up to which windows were emitted.
    pub(crate) watermark: i64,
    /// Rows taken so far: what came before what.
    pub(crate) rows: u64,
    /// Batches that one partition took since the last measurement, and the least time that a row of one of them took.
    measured: (usize, Duration),
}

impl BinOperator {
    pub(crate) fn new(
        spec: &WindowSpec,
        slide: i64,
        width: i64,
        spread: Parallelism,
        failures: Failures,
    ) -> Result<Self> {
        let encoder = WindowEvaluator(spec).key_encoder()?;
        let spread = Parallelism {
            most_partitions: if encoder.has_columns() { spread.most_partitions.max(1) } else { 1 },
            ..spread
        };
        let mut operator = Self {
            spec: Arc::new(spec.clone()),
            failures,
            encoder,
            grid: Bins::of_width(slide),
            length: i128::from(width / slide.max(1)),
            partitions: Vec::new(),
            workers: Workers::default(),
            spread,
            watermark: i64::MIN,
            rows: 0,
            measured: (0, Duration::MAX),
        };
        operator.set_partitions(if spread.spread_from.is_zero() { spread.most_partitions } else { 1 })?;
        Ok(operator)
    }

    fn set_partitions(&mut self, partitions: usize) -> Result<()> {
        let partition = |_| {
            let keys = self.encoder.table();
            KeyPartition::new(&self.spec, &self.failures, keys, (self.grid, self.length), partitions > 1)
        };
        self.partitions = (0..partitions).map(partition).collect();
        if partitions > 1 {
            self.workers = Workers::start(partitions)?;
        }
        Ok(())
    }

    /// Takes rows; those whose bin had closed before them are late.
    pub(crate) async fn push(&mut self, traced: &TracedBatch, late: &mut LateRowCounter) -> Result<()> {
        let begun = Instant::now();
        let batch = RowEvaluator(&self.spec.rows).apply_to_rows(&traced.batch, &self.failures);
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (batch, mut bins) = self.on_time(traced, batch, late)?;
        let (inputs, kept) = WindowEvaluator(&self.spec).evaluate_rows(&batch, &self.failures)?;
        if let Some(kept) = kept {
            let mut kept = kept.values().iter();
            bins.retain(|_| kept.next().unwrap_or(false));
        }
        if bins.is_empty() {
            return Ok(());
        }
        let keys = self.encoder.encode(&inputs.keys)?;
        let base = self.rows;
        self.rows += bins.len() as u64;
        if let [partition] = self.partitions.as_mut_slice() {
            if bins.iter().all(|bin| Some(bin) == bins.first()) {
                partition.add(bins.first().copied().unwrap_or_default(), &inputs, &keys, RowSelection::All, base)?;
            } else {
                for (bin, rows) in rows_by_bin(&bins) {
                    partition.add(bin, &inputs, &keys, RowSelection::Some(&rows), base)?;
                }
            }
            return self.consider_spreading(bins.len(), begun);
        }
        let rows = Arc::new(rows_by_partition(&bins, &keys, self.partitions.len()));
        let (inputs, keys) = (Arc::new(inputs), Arc::new(keys));
        self.each(bins.len() >= ROWS_TO_SHARE, move |nth, partition| {
            for (bin, rows) in rows.get(nth).into_iter().flatten() {
                partition.add(*bin, &inputs, &keys, RowSelection::Some(rows), base)?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Spreads the work of one partition over several where a row costs so much that it pays: in every one of many
    /// batches, since a busy machine makes any batch take long.
    fn consider_spreading(&mut self, rows: usize, begun: Instant) -> Result<()> {
        if self.spread.most_partitions == 1 || rows < ROWS_TO_MEASURE {
            return Ok(());
        }
        let of_a_row = begun.elapsed() / u32::try_from(rows).unwrap_or(u32::MAX);
        self.measured = (self.measured.0 + 1, self.measured.1.min(of_a_row));
        if self.measured.0 < BATCHES_TO_MEASURE {
            return Ok(());
        }
        let (_, least) = std::mem::replace(&mut self.measured, (0, Duration::MAX));
        if least < self.spread.spread_from {
            return Ok(());
        }
        tracing::debug!(partitions = self.spread.most_partitions, ?least, "the work of a window is spread");
        let tables = self.snapshot()?;
        self.set_partitions(self.spread.most_partitions)?;
        self.restore(tables)
    }

    /// Lets every partition work, at the same time where that is wanted.
    async fn each<T: Send + 'static>(
        &mut self,
        at_once: bool,
        work: impl Fn(usize, &mut KeyPartition) -> Result<T> + Clone + Send + 'static,
    ) -> Result<Vec<T>> {
        if !at_once || self.partitions.len() == 1 {
            return self.partitions.iter_mut().enumerate().map(|(nth, partition)| work(nth, partition)).collect();
        }
        let begin = |(nth, mut partition): (usize, KeyPartition)| {
            let work = work.clone();
            self.workers.run(nth, move || {
                let done = work(nth, &mut partition);
                (partition, done)
            })
        };
        let tasks: Vec<_> = std::mem::take(&mut self.partitions).into_iter().enumerate().map(begin).collect();
        let mut all = Vec::with_capacity(tasks.len());
        for task in tasks {
            let (partition, done) =
                task.await.map_err(|e| exec_datafusion_err!("a partition of a window ended early: {e}"))?;
            self.partitions.push(partition);
            all.push(done?);
        }
        Ok(all)
    }

    /// Drops late rows; the rest with their bins.
    fn on_time(
        &self,
        traced: &TracedBatch,
        batch: RecordBatch,
        late: &mut LateRowCounter,
    ) -> Result<(RecordBatch, Vec<i64>)> {
        let rows = batch.num_rows();
        let times = self.spec.time.evaluate(&batch)?.into_array(rows)?;
        let times = times.as_primitive::<TimestampNanosecondType>();
        let bins: Vec<i64> = times.values().iter().map(|t| self.grid.number(*t)).collect();
        let lateness = traced.lateness(self.watermark);
        if lateness.all_on_time() && times.null_count() == 0 {
            return Ok((batch, bins));
        }
        let numbers = self.spec.row.evaluate(&batch)?.into_array(rows)?;
        let numbers = numbers.as_primitive::<arrow::datatypes::UInt32Type>();
        let mut kept = Vec::with_capacity(rows);
        for (row, bin) in bins.iter().enumerate() {
            let number = numbers.value(row);
            let is_late = times.is_null(row) || *bin < self.grid.number(lateness.watermark_at(number));
            if is_late {
                late.add(traced, number);
            }
            kept.push(!is_late);
        }
        if kept.iter().all(|k| *k) {
            return Ok((batch, bins));
        }
        let bins = bins.into_iter().zip(&kept).filter(|(_, k)| **k).map(|(b, _)| b).collect();
        Ok((arrow::compute::filter_record_batch(&batch, &kept.into())?, bins))
    }

    /// Emits windows that end at or before the watermark: all of them, or as many as make a good deal of rows. Gives the
    /// watermark up to which that is every window.
    pub(crate) async fn advance(&mut self, watermark: i64) -> Result<(Vec<RecordBatch>, i64)> {
        if watermark <= self.watermark {
            return Ok((Vec::new(), watermark));
        }
        let (mut emitted, mut reached) = (WindowOutput::new(self.grid, self.length), watermark);
        while let Some((end, finished)) = self.next(watermark).await? {
            if !emitted.push(end, finished, &self.spec, &mut self.partitions)? {
                reached = self.grid.start(end);
                break;
            }
        }
        self.watermark = reached.max(self.watermark);
        let output = emitted.into_batches(&self.spec, &mut self.partitions)?;
        if !output.is_empty() {
            self.partitions.iter_mut().for_each(KeyPartition::collect_keys);
        }
        Ok((output, self.watermark))
    }

    /// The next window that ends at or before the watermark: the number of the bin behind it, and the groups of each
    /// partition.
    async fn next(&mut self, watermark: i64) -> Result<Option<(i128, Vec<GroupResults>)>> {
        loop {
            let at_once = self.partitions.len() > 1
                && self.partitions.iter().map(|l| l.keys.len()).sum::<usize>() >= ROWS_TO_SHARE;
            let steps = self.each(at_once, move |_, partition| partition.step(watermark)).await?;
            let (mut window, mut closed) = (None, None);
            let (mut finished, mut firsts) = (Vec::new(), Vec::new());
            // All partitions have the same bins, and so take the same step.
            for step in steps {
                match step {
                    PartitionStep::Nothing => return Ok(None),
                    PartitionStep::Window(end, groups) => {
                        window = Some(end);
                        finished.push(groups);
                    }
                    PartitionStep::Closed(number, first) => {
                        closed = Some(number);
                        firsts.push(first);
                    }
                }
            }
            if let Some(end) = window {
                return Ok(Some((end, finished)));
            }
            if let Some(number) = closed.filter(|_| self.partitions.len() > 1) {
                let firsts: Vec<&[u64]> = firsts.iter().map(Vec::as_slice).collect();
                let (ranks, span) = ranks(&firsts);
                for (partition, ranks) in self.partitions.iter_mut().zip(ranks) {
                    partition.closed.set_order(number, ranks, span);
                }
            }
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.partitions.iter().map(KeyPartition::size).sum()
    }
}

/// The rows of a batch in each bin.
fn rows_by_bin(bins: &[i64]) -> BTreeMap<i64, Vec<u32>> {
    let mut by_bin: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (row, bin) in (0u32..).zip(bins) {
        by_bin.entry(*bin).or_default().push(row);
    }
    by_bin
}

/// The rows of a batch in each bin of each partition: every partition has every bin.
fn rows_by_partition(bins: &[i64], keys: &EncodedKeys, partitions: usize) -> Vec<BTreeMap<i64, Vec<u32>>> {
    let none: BTreeMap<i64, Vec<u32>> = bins.iter().map(|bin| (*bin, Vec::new())).collect();
    let mut by_partition = vec![none; partitions];
    for (row, (bin, partition)) in (0u32..).zip(bins.iter().zip(keys.partitions(partitions))) {
        if let Some(rows) = by_partition.get_mut(partition).and_then(|bins| bins.get_mut(bin)) {
            rows.push(row);
        }
    }
    by_partition
}
