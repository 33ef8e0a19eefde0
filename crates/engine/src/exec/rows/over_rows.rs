//! Runs a plan over rows of several inputs such that a row on which it fails costs that row only.

use std::ops::Range;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::Result;

use super::failures::{Failures, attempt, over};
use crate::program::NodeId;

/// One batch of each input.
pub(crate) type NodeBatches = Vec<(NodeId, Vec<RecordBatch>)>;

/// Runs over all rows; where that fails, without the rows that it fails on. Rows that fail only together cost all of them.
pub(crate) fn run_over_rows(
    inputs: &NodeBatches,
    failures: &Failures,
    run: &mut impl FnMut(&NodeBatches) -> Result<Vec<RecordBatch>>,
) -> Vec<RecordBatch> {
    if let Ok(done) = attempt(|| run(inputs)) {
        return done;
    }
    // It is not known which input the failing rows come from: those of the input that has the fewest are left out.
    let suspects = (0..inputs.len()).filter_map(|nth| without_failing(inputs, nth, run));
    let fewest = suspects.min_by_key(|suspect| suspect.failed.len());
    let Some(Without { inputs: rest, failed }) = fewest else { return Vec::new() };
    match attempt(|| run(&rest)) {
        Ok(done) => {
            failed.iter().for_each(|error| failures.add(1, error));
            done
        }
        Err(error) => {
            failures.add(rows_of(inputs), &error);
            Vec::new()
        }
    }
}

/// Inputs without the rows of one of them on which a run fails, and what it said of each.
struct Without {
    inputs: NodeBatches,
    failed: Vec<String>,
}

fn without_failing(
    inputs: &NodeBatches,
    nth: usize,
    run: &mut impl FnMut(&NodeBatches) -> Result<Vec<RecordBatch>>,
) -> Option<Without> {
    let (_, batches) = inputs.get(nth)?;
    let [batch] = batches.as_slice() else { return None };
    let with = |part: RecordBatch| {
        let mut inputs = inputs.clone();
        if let Some((_, batches)) = inputs.get_mut(nth) {
            *batches = vec![part];
        }
        inputs
    };
    let mut kept = vec![false; batch.num_rows()];
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    let mut attempt_rows = |rows: Range<usize>| run(&with(batch.slice(rows.start, rows.len()))).map(|_| rows);
    over(0..batch.num_rows(), &mut attempt_rows, &mut |_, error| failed.push(error), &mut good);
    for rows in good {
        kept.get_mut(rows).unwrap_or_default().fill(true);
    }
    let rest = filter_record_batch(batch, &BooleanArray::from(kept)).ok()?;
    Some(Without { inputs: with(rest), failed })
}

fn rows_of(inputs: &NodeBatches) -> usize {
    inputs.iter().flat_map(|(_, batches)| batches).map(RecordBatch::num_rows).sum()
}
