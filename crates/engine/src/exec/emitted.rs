//! The windows that an operator emits, as batches: small windows share one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow::compute::concat;
use datafusion::common::Result;

use super::accumulate::Finished;
use super::keys::Keys;
use super::window::window_array;
use crate::program::WindowSpec;

/// Rows after which windows are handed on before more are made: what is under way stays small where many windows end at
/// once, as at the end of the input.
const EMITTED_ROWS: usize = 1 << 16;
/// Windows of fewer rows share a batch, since each batch costs whoever reads it; to join larger ones would cost a copy.
const SMALL_ROWS: usize = 1024;

/// Windows on their way out, in order.
#[derive(Debug)]
pub(super) struct Emitted {
    width: i64,
    batches: Vec<RecordBatch>,
    /// Small windows by start, the rows that they have together, and the rows of all.
    small: Vec<(i64, Finished)>,
    small_rows: usize,
    rows: usize,
}

impl Emitted {
    /// None yet; all have this width.
    pub(super) fn new(width: i64) -> Self {
        Self { width, batches: Vec::new(), small: Vec::new(), small_rows: 0, rows: 0 }
    }

    /// Adds a window; whether there is room for more.
    pub(super) fn push(&mut self, start: i64, finished: Finished, spec: &WindowSpec, keys: &mut Keys) -> Result<bool> {
        let rows = finished.numbers.len();
        if self.small_rows + rows > SMALL_ROWS {
            self.join(spec, keys)?;
        }
        self.small.push((start, finished));
        self.small_rows += rows;
        self.rows += rows;
        Ok(self.rows < EMITTED_ROWS)
    }

    pub(super) fn into_batches(mut self, spec: &WindowSpec, keys: &mut Keys) -> Result<Vec<RecordBatch>> {
        self.join(spec, keys)?;
        Ok(self.batches)
    }

    /// Makes one batch of the windows that wait for it.
    fn join(&mut self, spec: &WindowSpec, keys: &mut Keys) -> Result<()> {
        self.small_rows = 0;
        let mut windows = std::mem::take(&mut self.small);
        let (mut numbers, mut starts) = (Vec::new(), Vec::new());
        for (start, finished) in &mut windows {
            starts.resize(starts.len() + finished.numbers.len(), *start);
            // A large window is alone: its numbers are not copied.
            if numbers.is_empty() {
                numbers = std::mem::take(&mut finished.numbers);
            } else {
                numbers.append(&mut finished.numbers);
            }
        }
        let Some((_, first)) = windows.first() else { return Ok(()) };
        let mut values = Vec::with_capacity(first.values.len());
        for nth in 0..first.values.len() {
            let parts: Vec<&dyn Array> =
                windows.iter().filter_map(|(_, w)| w.values.get(nth)).map(AsRef::as_ref).collect();
            values.push(match (parts.as_slice(), first.values.get(nth)) {
                ([_], Some(only)) => Arc::clone(only),
                (parts, _) => concat(parts)?,
            });
        }
        let ends: Vec<i64> = starts.iter().map(|start| start.saturating_add(self.width)).collect();
        let times: ArrayRef =
            Arc::new(TimestampNanosecondArray::from_iter_values(ends.iter().map(|e| e.saturating_sub(1))));
        let columns = keys.columns(&numbers)?;
        self.batches.push(spec.output(columns, window_array(starts, ends)?, values, times)?);
        Ok(())
    }
}
