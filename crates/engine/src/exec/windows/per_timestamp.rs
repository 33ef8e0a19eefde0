//! Work over whole timestamps: a DataFusion plan over all rows of an timestamp.
//!
//! Rows of windowed streams carry their timestamp in `_timestamp`. Groups, partitions and joins of such rows hold the window
//! or the timestamp, so all timestamps that are complete are evaluated in one go.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::kernels::cmp::lt;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::common::Result;

use crate::exec::rows::evaluate::Evaluator;
use crate::exec::rows::expressions::bytes_of;
use crate::exec::rows::failures::{Failures, attempt};
use crate::exec::rows::over_rows::{NodeBatches, run_over_rows};
use crate::program::{NodeId, PerTimestampSpec};

/// Rows that wait until the watermark has passed their timestamp.
#[derive(Debug)]
pub(crate) struct PerTimestampOperator {
    plan: Evaluator,
    failures: Failures,
    /// Per input: the place of `_timestamp`, and the rows that wait.
    waiting: BTreeMap<NodeId, (usize, Vec<RecordBatch>)>,
    bytes: usize,
}

impl PerTimestampOperator {
    pub(crate) fn new(
        spec: &PerTimestampSpec,
        time_columns: impl Fn(NodeId) -> usize,
        failures: Failures,
    ) -> Result<Self> {
        let waiting = spec.inputs.iter().map(|id| (*id, (time_columns(*id), Vec::new()))).collect();
        Ok(Self { plan: Evaluator::new(&spec.plan, spec.stateful)?, failures, waiting, bytes: 0 })
    }

    pub(crate) fn push(&mut self, node: NodeId, batch: RecordBatch) {
        if let Some((_, batches)) = self.waiting.get_mut(&node) {
            self.bytes += bytes_of(&batch);
            batches.push(batch);
        }
    }

    /// Evaluates the timestamps before the watermark.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<Vec<RecordBatch>> {
        let mut complete = Vec::with_capacity(self.waiting.len());
        let mut any = false;
        for (node, (time, batches)) in &mut self.waiting {
            let mut ready = Vec::new();
            let mut later = Vec::new();
            for batch in batches.drain(..) {
                let times = batch.column(*time).as_primitive::<TimestampNanosecondType>();
                if watermark == i64::MAX || arrow::compute::max(times).is_none_or(|t| t < watermark) {
                    ready.push(batch);
                    continue;
                }
                let bound = arrow::array::TimestampNanosecondArray::new_scalar(watermark);
                let before = lt(times, &bound)?;
                ready.push(filter_record_batch(&batch, &before)?);
                later.push(filter_record_batch(&batch, &arrow::compute::not(&before)?)?);
            }
            *batches = later;
            ready.retain(|b| b.num_rows() > 0);
            any |= !ready.is_empty();
            // One batch sorts and joins faster than many.
            let ready = match ready.first() {
                Some(first) if ready.len() > 1 => vec![concat_batches(&first.schema(), &ready)?],
                _ => ready,
            };
            complete.push((*node, ready));
        }
        self.bytes = self.waiting.values().flat_map(|(_, b)| b).map(bytes_of).sum();
        if !any {
            return Ok(Vec::new());
        }
        let output = match attempt(|| self.plan.run(&complete)) {
            Ok(output) => output,
            Err(_) => self.one_by_one(&complete)?,
        };
        Ok(output.into_iter().filter(|b| b.num_rows() > 0).collect())
    }

    /// Evaluates timestamp by timestamp, so that one that fails costs no other; within it the rows that fail are left out.
    fn one_by_one(&mut self, complete: &NodeBatches) -> Result<Vec<RecordBatch>> {
        let Self { plan, failures, waiting, .. } = self;
        let times = |node: &NodeId, batch: &RecordBatch| {
            let time = waiting.get(node).map_or(0, |(time, _)| *time);
            batch.column(time).as_primitive::<TimestampNanosecondType>().clone()
        };
        let mut timestamps = BTreeSet::new();
        for (node, batches) in complete {
            batches.iter().for_each(|batch| timestamps.extend(times(node, batch).iter()));
        }
        let mut output = Vec::new();
        for timestamp in timestamps {
            let mut inputs = NodeBatches::with_capacity(complete.len());
            for (node, batches) in complete {
                let mut of_timestamp = Vec::new();
                for batch in batches {
                    let here = BooleanArray::from_iter(times(node, batch).iter().map(|t| Some(t == timestamp)));
                    of_timestamp.push(filter_record_batch(batch, &here)?);
                }
                inputs.push((*node, of_timestamp));
            }
            output.extend(run_over_rows(&inputs, failures, &mut |inputs| plan.run(inputs)));
        }
        Ok(output)
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.bytes
    }

    /// The rows that wait, one batch an input.
    pub(crate) fn snapshot(&self) -> Result<Vec<(String, RecordBatch)>> {
        let mut tables = Vec::new();
        for (node, (_, batches)) in &self.waiting {
            if let Some(first) = batches.first() {
                tables.push((format!("waiting-{node}"), concat_batches(&first.schema(), batches)?));
            }
        }
        Ok(tables)
    }

    pub(crate) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) {
        for (name, batch) in tables {
            if let Some(node) = name.strip_prefix("waiting-").and_then(|n| n.parse().ok()) {
                self.push(node, batch);
            }
        }
    }
}
