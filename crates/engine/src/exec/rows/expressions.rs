//! Row-by-row work: projections and filters on DataFusion's physical expressions.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{and, concat, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;

use super::evaluate::evaluate;
use super::failures::{Failures, attempt, over};
use crate::program::{RowExpressions, RowStep, RowSteps};

/// Computes a stateless operator's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowEvaluator<'a>(pub(crate) &'a RowExpressions);

impl RowEvaluator<'_> {
    /// Applies the operator to a batch of its input.
    fn apply(&self, input: &RecordBatch) -> Result<RecordBatch> {
        match &self.0.steps {
            RowSteps::Plan(plan) => {
                let batches = evaluate(plan, &[(self.0.input, vec![input.clone()])])?;
                Ok(arrow::compute::concat_batches(&plan.schema(), &batches)?)
            }
            RowSteps::Chain(steps) => {
                let mut batch = input.project(&self.0.columns)?;
                for step in steps {
                    if batch.num_rows() == 0 {
                        return Ok(RecordBatch::new_empty(self.0.schema()));
                    }
                    batch = apply_step(step, &batch)?;
                }
                Ok(batch)
            }
        }
    }

    /// Applies the operator; rows on which it fails are left out and counted.
    pub(crate) fn apply_to_rows(&self, input: &RecordBatch, failures: &Failures) -> RecordBatch {
        let mut apply = |rows: Range<usize>| self.apply(&part(input, rows));
        let parts = failures.over(0..input.num_rows(), &mut apply);
        attempt(|| joined(&self.0.schema, parts)).unwrap_or_else(|error| {
            failures.add(input.num_rows(), &error);
            RecordBatch::new_empty(self.0.schema())
        })
    }

    /// Applies projections; of a row on which one fails, the columns that cannot be computed are null. For sources, whose
    /// rows must stay beside what else is known of their records.
    pub(crate) fn apply_or_null(&self, input: &RecordBatch, failures: &Failures) -> Result<RecordBatch> {
        let mut parts = Vec::new();
        let mut apply = |rows: Range<usize>| self.apply(&part(input, rows)).map(|batch| vec![batch]);
        let mut failed = Vec::new();
        over(0..input.num_rows(), &mut apply, &mut |row, error| failed.push((row, error)), &mut parts);
        if failed.is_empty() {
            return Ok(joined(&self.0.schema, parts.concat())?);
        }
        let mut failed = failed.into_iter().peekable();
        let (mut all, mut row) = (Vec::new(), 0);
        for batch in parts.concat() {
            while let Some((_, error)) = failed.next_if(|(rows, _)| rows.start == row) {
                failures.add(1, &error);
                all.push(self.nulled(&input.slice(row, 1))?);
                row += 1;
            }
            row += batch.num_rows();
            all.push(batch);
        }
        for (rows, error) in failed {
            failures.add(1, &error);
            all.push(self.nulled(&input.slice(rows.start, rows.len()))?);
        }
        Ok(joined(&self.0.schema, all)?)
    }

    /// One row, with nulls where an expression fails.
    fn nulled(&self, row: &RecordBatch) -> Result<RecordBatch> {
        let RowSteps::Chain(steps) = &self.0.steps else { return self.apply(row) };
        let mut batch = row.project(&self.0.columns)?;
        for step in steps {
            let RowStep::Project { expressions, schema } = step else {
                batch = apply_step(step, &batch)?;
                continue;
            };
            let column = |(expression, field): (&Arc<dyn PhysicalExpr>, &FieldRef)| {
                let computed = attempt(|| expression.evaluate(&batch)?.into_array(batch.num_rows()));
                computed.unwrap_or_else(|_| new_null_array(field.data_type(), batch.num_rows()))
            };
            let columns = expressions.iter().zip(schema.fields()).map(column).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            batch = as_given(schema, columns, &options)?;
        }
        Ok(batch)
    }
}

/// Some rows of a batch.
fn part(batch: &RecordBatch, rows: Range<usize>) -> RecordBatch {
    if rows.len() == batch.num_rows() { batch.clone() } else { batch.slice(rows.start, rows.len()) }
}

/// Batches of one operator as one: what could not be computed may have left nulls, and functions may give other types than
/// they declare.
fn joined(schema: &SchemaRef, mut parts: Vec<RecordBatch>) -> std::result::Result<RecordBatch, ArrowError> {
    let Some(first) = parts.pop() else { return Ok(RecordBatch::new_empty(Arc::clone(schema))) };
    if parts.is_empty() {
        return Ok(first);
    }
    parts.push(first);
    parts.retain(|p| p.num_rows() > 0);
    let Some(first) = parts.first() else { return Ok(RecordBatch::new_empty(Arc::clone(schema))) };
    let nullable: Vec<Field> = first.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let columns = (0..first.num_columns())
        .map(|n| concat(&parts.iter().filter_map(|p| p.columns().get(n)).map(AsRef::as_ref).collect::<Vec<_>>()))
        .collect::<std::result::Result<Vec<ArrayRef>, ArrowError>>()?;
    let rows = parts.iter().map(RecordBatch::num_rows).sum();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let declared = RecordBatch::try_new_with_options(first.schema(), columns.clone(), &options);
    declared.or_else(|_| RecordBatch::try_new_with_options(Schema::new(nullable).into(), columns, &options))
}

/// Bytes of a batch's rows: of a slice, what it shows, so that the parts of one batch do not count it again and again.
pub(crate) fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes_of_column).sum()
}

/// Bytes of a column's rows: see [`bytes_of`].
pub(crate) fn bytes_of_column(column: &ArrayRef) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// Conditions are joined here and not by DataFusion's `AND`, which in this version keeps every row of a batch when few rows
/// pass the left side and the right side is a constant.
fn filter(batch: &RecordBatch, conditions: &[Arc<dyn PhysicalExpr>]) -> Result<RecordBatch> {
    let mut batch = batch.clone();
    let mut mask: Option<BooleanArray> = None;
    for condition in conditions {
        let holds = match (holds(condition, &batch), mask.take()) {
            (Ok(holds), kept) => {
                mask = kept;
                holds
            }
            (Err(error), None) => return Err(error),
            // Perhaps it fails only on rows that an earlier condition has taken out.
            (Err(_), Some(kept)) => {
                batch = filter_record_batch(&batch, &kept)?;
                holds(condition, &batch)?
            }
        };
        let rows = batch.num_rows();
        let kept = match mask.take() {
            Some(mask) => and(&mask, &known(&holds))?,
            None => known(&holds),
        };
        let count = kept.true_count();
        if count == 0 {
            return Ok(batch.slice(0, 0));
        }
        if count == rows {
            continue;
        }
        if count * FEW < rows {
            batch = filter_record_batch(&batch, &kept)?;
        } else {
            mask = Some(kept);
        }
    }
    match mask {
        Some(mask) => Ok(filter_record_batch(&batch, &mask)?),
        None => Ok(batch),
    }
}

/// Evaluates a condition.
fn holds(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let holds = condition.evaluate(batch)?.into_array(batch.num_rows())?;
    holds.as_boolean_opt().cloned().ok_or_else(|| exec_datafusion_err!("a filter is not boolean"))
}

/// Unknown does not hold.
fn known(holds: &BooleanArray) -> BooleanArray {
    if holds.nulls().is_some() { prep_null_mask_filter(holds) } else { holds.clone() }
}

/// One row in so many: then the rest is taken out before the next condition is evaluated.
const FEW: usize = 4;

/// A batch with the types that the columns really have.
fn as_given(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    options: &RecordBatchOptions,
) -> std::result::Result<RecordBatch, ArrowError> {
    let given = |(field, column): (&FieldRef, &ArrayRef)| {
        let nullable = field.is_nullable() || column.null_count() > 0;
        Field::new(field.name(), column.data_type().clone(), nullable).with_metadata(field.metadata().clone())
    };
    let fields: Vec<Field> = schema.fields().iter().zip(&columns).map(given).collect();
    RecordBatch::try_new_with_options(Schema::new(fields).into(), columns, options)
}

/// Applies one step of a chain.
fn apply_step(step: &RowStep, batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    match step {
        RowStep::Filter(conditions) => filter(batch, conditions),
        RowStep::Project { expressions, schema } => {
            let columns =
                expressions.iter().map(|e| e.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let declared = RecordBatch::try_new_with_options(Arc::clone(schema), columns.clone(), &options);
            // Functions may give more than they declare, such as the JSON union's marks.
            declared.or_else(|_| as_given(schema, columns, &options)).map_err(DataFusionError::from)
        }
    }
}
