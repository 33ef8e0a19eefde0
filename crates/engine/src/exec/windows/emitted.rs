//! The windows that an operator emits, as batches: small windows share one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow::compute::concat;
use datafusion::common::Result;

use super::key_partition::KeyPartition;
use super::partition_order::{add_in_order, joined};
use super::window_column::window_array;
use crate::exec::aggregates::accumulate::GroupResults;
use crate::exec::aggregates::arguments::WindowEvaluator;
use crate::exec::time::{Bins, before};
use crate::program::WindowSpec;

/// Rows after which windows are handed on before more are made: what is under way stays small where many windows end at
/// once, as at the end of the input.
const EMITTED_ROWS: usize = 1 << 16;
/// Windows of fewer rows share a batch, since each batch costs its readers; joining larger ones would cost a copy.
const SMALL_ROWS: usize = 1024;

/// Windows on their way out, in order.
#[derive(Debug)]
pub(crate) struct WindowOutput {
    grid: Bins,
    /// How many bins make a window.
    length: i128,
    batches: Vec<RecordBatch>,
    /// Windows that may share a batch: the number of the bin behind them, and the groups of each partition.
    waiting: Vec<(i128, Vec<GroupResults>)>,
    waiting_rows: usize,
    /// Of all windows.
    rows: usize,
}

impl WindowOutput {
    /// None yet; all are made of so many bins.
    pub(crate) fn new(grid: Bins, length: i128) -> Self {
        Self { grid, length, batches: Vec::new(), waiting: Vec::new(), waiting_rows: 0, rows: 0 }
    }

    /// Adds a window, partition by partition; whether there is room for more.
    pub(crate) fn push(
        &mut self,
        end: i128,
        finished: Vec<GroupResults>,
        spec: &WindowSpec,
        partitions: &mut [KeyPartition],
    ) -> Result<bool> {
        let rows = finished.iter().map(|f| f.numbers.len()).sum::<usize>();
        if self.waiting_rows + rows > SMALL_ROWS {
            self.join(spec, partitions)?;
        }
        self.waiting.push((end, finished));
        self.waiting_rows += rows;
        self.rows += rows;
        Ok(self.rows < EMITTED_ROWS)
    }

    pub(crate) fn into_batches(
        mut self,
        spec: &WindowSpec,
        partitions: &mut [KeyPartition],
    ) -> Result<Vec<RecordBatch>> {
        self.join(spec, partitions)?;
        Ok(self.batches)
    }

    /// Makes one batch of the windows that wait for it.
    fn join(&mut self, spec: &WindowSpec, partitions: &mut [KeyPartition]) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting_rows);
        let windows = std::mem::take(&mut self.waiting);
        if rows == 0 {
            return Ok(());
        }
        let of_partition = |(nth, partition): (usize, &mut KeyPartition)| {
            let parts: Vec<&GroupResults> = windows
                .iter()
                .filter_map(|(_, partitions)| partitions.get(nth))
                .filter(|f| !f.numbers.is_empty())
                .collect();
            columns(&parts, partition)
        };
        let by_partition = partitions.iter_mut().enumerate().map(of_partition).collect::<Result<Vec<_>>>()?;
        let mut columns = joined(by_partition, || {
            let mut before = vec![0; partitions.len()];
            let mut places = Vec::with_capacity(rows);
            for (_, partitions) in &windows {
                let firsts: Vec<(&[u64], usize)> =
                    partitions.iter().zip(&before).map(|(f, before)| (f.firsts.as_slice(), *before)).collect();
                add_in_order(&firsts, &mut places);
                before.iter_mut().zip(partitions).for_each(|(before, finished)| *before += finished.numbers.len());
            }
            places
        })?;
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (end, partitions) in &windows {
            let until = starts.len() + partitions.iter().map(|f| f.numbers.len()).sum::<usize>();
            starts.resize(until, self.grid.start(end - self.length));
            ends.resize(until, self.grid.start(*end));
        }
        let times = TimestampNanosecondArray::from_iter_values(ends.iter().map(|end| before(*end, 1)));
        let values = columns.split_off(spec.keys.len());
        self.batches.push(WindowEvaluator(spec).output(
            columns,
            window_array(starts, ends)?,
            values,
            Arc::new(times),
        )?);
        Ok(())
    }
}

/// Keys and results of a partition's groups, window after window; none where there are no groups.
fn columns(windows: &[&GroupResults], partition: &mut KeyPartition) -> Result<Vec<ArrayRef>> {
    let Some((first, others)) = windows.split_first() else { return Ok(Vec::new()) };
    if others.is_empty() {
        let keys = partition.keys.columns(&first.numbers)?;
        return Ok(keys.into_iter().chain(first.values.iter().cloned()).collect());
    }
    let numbers: Vec<u32> = windows.iter().flat_map(|w| w.numbers.iter().copied()).collect();
    let mut columns = partition.keys.columns(&numbers)?;
    for nth in 0..first.values.len() {
        let parts: Vec<&dyn Array> = windows.iter().filter_map(|w| w.values.get(nth)).map(AsRef::as_ref).collect();
        columns.push(concat(&parts)?);
    }
    Ok(columns)
}
