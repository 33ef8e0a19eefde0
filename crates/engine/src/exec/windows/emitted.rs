//! The windows that an operator emits, as batches: small windows share one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow::compute::concat;
use datafusion::common::Result;

use super::key_partition::Lane;
use super::partition_order::{add_in_order, joined};
use super::window_column::window_array;
use crate::exec::aggregates::accumulate::Finished;
use crate::exec::time::{Bins, before};
use crate::program::WindowSpec;

/// Rows after which windows are handed on before more are made: what is under way stays small where many windows end at
/// once, as at the end of the input.
const EMITTED_ROWS: usize = 1 << 16;
/// Windows of fewer rows share a batch, since each batch costs whoever reads it; to join larger ones would cost a copy.
const SMALL_ROWS: usize = 1024;

/// Windows on their way out, in order.
#[derive(Debug)]
pub(crate) struct Emitted {
    grid: Bins,
    /// How many bins make a window.
    length: i128,
    batches: Vec<RecordBatch>,
    /// Windows that may share a batch: the number of the bin behind them, and the groups of each lane.
    waiting: Vec<(i128, Vec<Finished>)>,
    waiting_rows: usize,
    /// Of all windows.
    rows: usize,
}

impl Emitted {
    /// None yet; all are made of so many bins.
    pub(crate) fn new(grid: Bins, length: i128) -> Self {
        Self { grid, length, batches: Vec::new(), waiting: Vec::new(), waiting_rows: 0, rows: 0 }
    }

    /// Adds a window, lane by lane; whether there is room for more.
    pub(crate) fn push(
        &mut self,
        end: i128,
        finished: Vec<Finished>,
        spec: &WindowSpec,
        lanes: &mut [Lane],
    ) -> Result<bool> {
        let rows = finished.iter().map(|f| f.numbers.len()).sum::<usize>();
        if self.waiting_rows + rows > SMALL_ROWS {
            self.join(spec, lanes)?;
        }
        self.waiting.push((end, finished));
        self.waiting_rows += rows;
        self.rows += rows;
        Ok(self.rows < EMITTED_ROWS)
    }

    pub(crate) fn into_batches(mut self, spec: &WindowSpec, lanes: &mut [Lane]) -> Result<Vec<RecordBatch>> {
        self.join(spec, lanes)?;
        Ok(self.batches)
    }

    /// Makes one batch of the windows that wait for it.
    fn join(&mut self, spec: &WindowSpec, lanes: &mut [Lane]) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting_rows);
        let windows = std::mem::take(&mut self.waiting);
        if rows == 0 {
            return Ok(());
        }
        let of_lane = |(nth, lane): (usize, &mut Lane)| {
            let parts: Vec<&Finished> =
                windows.iter().filter_map(|(_, lanes)| lanes.get(nth)).filter(|f| !f.numbers.is_empty()).collect();
            columns(&parts, lane)
        };
        let by_lane = lanes.iter_mut().enumerate().map(of_lane).collect::<Result<Vec<_>>>()?;
        let mut columns = joined(by_lane, || {
            let mut before = vec![0; lanes.len()];
            let mut places = Vec::with_capacity(rows);
            for (_, lanes) in &windows {
                let firsts: Vec<(&[u64], usize)> =
                    lanes.iter().zip(&before).map(|(f, before)| (f.firsts.as_slice(), *before)).collect();
                add_in_order(&firsts, &mut places);
                before.iter_mut().zip(lanes).for_each(|(before, finished)| *before += finished.numbers.len());
            }
            places
        })?;
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (end, lanes) in &windows {
            let until = starts.len() + lanes.iter().map(|f| f.numbers.len()).sum::<usize>();
            starts.resize(until, self.grid.start(end - self.length));
            ends.resize(until, self.grid.start(*end));
        }
        let times = TimestampNanosecondArray::from_iter_values(ends.iter().map(|end| before(*end, 1)));
        let values = columns.split_off(spec.keys.len());
        self.batches.push(spec.output(columns, window_array(starts, ends)?, values, Arc::new(times))?);
        Ok(())
    }
}

/// Keys and results of a lane's groups, window after window; none where there are no groups.
fn columns(windows: &[&Finished], lane: &mut Lane) -> Result<Vec<ArrayRef>> {
    let Some((first, others)) = windows.split_first() else { return Ok(Vec::new()) };
    if others.is_empty() {
        let keys = lane.keys.columns(&first.numbers)?;
        return Ok(keys.into_iter().chain(first.values.iter().cloned()).collect());
    }
    let numbers: Vec<u32> = windows.iter().flat_map(|w| w.numbers.iter().copied()).collect();
    let mut columns = lane.keys.columns(&numbers)?;
    for nth in 0..first.values.len() {
        let parts: Vec<&dyn Array> = windows.iter().filter_map(|w| w.values.get(nth)).map(AsRef::as_ref).collect();
        columns.push(concat(&parts)?);
    }
    Ok(columns)
}
