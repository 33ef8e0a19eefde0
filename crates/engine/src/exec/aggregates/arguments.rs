//! What a window operator computes of its rows: keys, and the arguments and filters of its aggregates.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;

use super::keys::KeyEncoder;
use crate::exec::rows::failures::{Failures, attempt};
use crate::program::WindowSpec;

/// Computes keys, arguments and results of a window operator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowEvaluator<'a>(pub(crate) &'a WindowSpec);

impl WindowEvaluator<'_> {
    pub(crate) fn key_encoder(&self) -> Result<KeyEncoder> {
        Ok(KeyEncoder::new(self.key_converter()?))
    }

    /// Encodes keys as comparable bytes; `None` where there are no keys.
    pub(crate) fn key_converter(&self) -> Result<Option<RowConverter>> {
        if self.0.keys.is_empty() {
            return Ok(None);
        }
        let field = |k: &Arc<dyn PhysicalExpr>| Ok(SortField::new(k.data_type(&self.0.rows.schema)?));
        Ok(Some(RowConverter::new(self.0.keys.iter().map(field).collect::<Result<_>>()?)?))
    }

    /// Evaluates keys, arguments and filters over a batch.
    fn evaluate(&self, batch: &RecordBatch) -> Result<EvaluatedBatch> {
        let rows = batch.num_rows();
        let array = |e: &Arc<dyn PhysicalExpr>| e.evaluate(batch)?.into_array(rows);
        let keys = self.0.keys.iter().map(array).collect::<Result<_>>()?;
        let mut arguments = Vec::with_capacity(self.0.aggregates.len());
        for aggregate in &self.0.aggregates {
            let values = aggregate.arguments.iter().map(array).collect::<Result<_>>()?;
            let filter = match &aggregate.filter {
                Some(filter) => {
                    let array = array(filter)?;
                    let filter = array.as_boolean_opt().ok_or_else(|| exec_datafusion_err!("FILTER is not boolean"))?;
                    Some(filter.clone())
                }
                None => None,
            };
            arguments.push(AggregateArguments { values, filter });
        }
        Ok(EvaluatedBatch { rows, keys, arguments })
    }

    /// The same for the rows for which it can be done, and which those are (`None`: all). Others are counted.
    pub(crate) fn evaluate_rows(
        &self,
        batch: &RecordBatch,
        failures: &Failures,
    ) -> Result<(EvaluatedBatch, Option<BooleanArray>)> {
        if let Ok(inputs) = attempt(|| self.evaluate(batch)) {
            return Ok((inputs, None));
        }
        let part = |rows: Range<usize>| self.evaluate(&batch.slice(rows.start, rows.len())).map(|_| rows);
        let mut kept = vec![false; batch.num_rows()];
        for rows in failures.over(0..batch.num_rows(), &mut { part }) {
            kept.get_mut(rows).unwrap_or_default().fill(true);
        }
        let kept = BooleanArray::from(kept);
        let batch = filter_record_batch(batch, &kept)?;
        let inputs = attempt(|| self.evaluate(&batch)).map_err(|e| exec_datafusion_err!("{e}"))?;
        Ok((inputs, Some(kept)))
    }

    /// Puts keys, window, aggregates and time in the output's order.
    pub(crate) fn output(
        &self,
        keys: Vec<ArrayRef>,
        window: ArrayRef,
        values: Vec<ArrayRef>,
        time: ArrayRef,
    ) -> Result<RecordBatch> {
        let mut columns = keys;
        columns.insert(self.0.window_index.min(columns.len()), window);
        columns.extend(values);
        columns.push(time);
        Ok(RecordBatch::try_new(Arc::clone(&self.0.schema), columns)?)
    }
}

/// A batch as a window operator needs it.
#[derive(Debug)]
pub(crate) struct EvaluatedBatch {
    pub(crate) rows: usize,
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) arguments: Vec<AggregateArguments>,
}

/// One aggregate's inputs.
#[derive(Debug)]
pub(crate) struct AggregateArguments {
    pub(crate) values: Vec<ArrayRef>,
    pub(crate) filter: Option<BooleanArray>,
}

impl AggregateArguments {
    pub(crate) fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let values = self.values.iter().map(|v| Ok(take(v, indices, None)?)).collect::<Result<_>>()?;
        let filter = match &self.filter {
            Some(filter) => take(filter, indices, None)?.as_boolean_opt().cloned(),
            None => None,
        };
        Ok(Self { values, filter })
    }
}
