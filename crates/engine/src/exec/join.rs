//! An inner join of un-windowed streams: both sides' rows are kept for a while, and each new row meets those of the other.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, TimestampNanosecondArray};
use arrow::compute::kernels::cmp::gt_eq;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::JoinSpec;
use super::instant::evaluate;
use crate::plan::NodeId;

/// The kept rows of both sides.
#[derive(Debug)]
pub(super) struct JoinOperator {
    plan: Arc<dyn ExecutionPlan>,
    sides: [Side; 2],
    ttl: i64,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Side {
    node: NodeId,
    time: usize,
    rows: Vec<RecordBatch>,
}

impl JoinOperator {
    pub(super) fn new(spec: &JoinSpec, left_time: usize, right_time: usize, schema: &SchemaRef) -> Self {
        let side = |node, time| Side { node, time, rows: Vec::new() };
        Self {
            plan: Arc::clone(&spec.plan),
            sides: [side(spec.left, left_time), side(spec.right, right_time)],
            ttl: spec.ttl,
            schema: Arc::clone(schema),
        }
    }

    pub(super) fn push(&mut self, input: NodeId, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let [left, right] = &mut self.sides;
        let (own, other) = if input == left.node { (left, right) } else { (right, left) };
        own.rows.push(batch.clone());
        if other.rows.is_empty() {
            return Ok(Vec::new());
        }
        let joined = evaluate(&self.plan, &[(own.node, vec![batch.clone()]), (other.node, other.rows.clone())])?;
        joined
            .into_iter()
            .filter(|b| b.num_rows() > 0)
            .map(|b| Ok(RecordBatch::try_new(Arc::clone(&self.schema), b.columns().to_vec())?))
            .collect()
    }

    /// Forgets rows that are older than the watermark by more than the time to live.
    pub(super) fn advance(&mut self, watermark: i64) -> Result<()> {
        let oldest = watermark.saturating_sub(self.ttl);
        for side in &mut self.sides {
            let mut kept = Vec::with_capacity(side.rows.len());
            for batch in side.rows.drain(..) {
                let times = batch.column(side.time).as_primitive::<TimestampNanosecondType>();
                if arrow::compute::min(times).is_some_and(|t| t >= oldest) {
                    kept.push(batch);
                } else if arrow::compute::max(times).is_some_and(|t| t >= oldest) {
                    let young = gt_eq(times, &TimestampNanosecondArray::new_scalar(oldest))?;
                    kept.push(filter_record_batch(&batch, &young)?);
                }
            }
            side.rows = kept;
        }
        Ok(())
    }

    pub(super) fn size(&self) -> usize {
        self.sides.iter().flat_map(|s| &s.rows).map(RecordBatch::get_array_memory_size).sum()
    }

    pub(super) fn snapshot(&self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        for (nth, side) in self.sides.iter().enumerate() {
            if let Some(first) = side.rows.first() {
                tables.push((format!("side-{nth}"), concat_batches(&first.schema(), &side.rows)?));
            }
        }
        Ok(tables)
    }

    pub(super) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) {
        for (name, batch) in tables {
            let nth = name.strip_prefix("side-").and_then(|n| n.parse::<usize>().ok());
            if let Some(side) = nth.and_then(|n| self.sides.get_mut(n)) {
                side.rows.push(batch);
            }
        }
    }
}
