//! Row-by-row work: projections and filters on DataFusion's physical expressions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{and, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;

use super::evaluate::evaluate;
use crate::program::{Rows, Step, Steps};

impl Rows {
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Applies the operator to a batch of its input.
    pub(crate) fn apply(&self, input: &RecordBatch) -> Result<RecordBatch> {
        match &self.steps {
            Steps::Plan(plan) => {
                let batches = evaluate(plan, &[(self.input, vec![input.clone()])])?;
                Ok(arrow::compute::concat_batches(&plan.schema(), &batches)?)
            }
            Steps::Chain(steps) => {
                let mut batch = input.project(&self.columns)?;
                for step in steps {
                    if batch.num_rows() == 0 {
                        return Ok(RecordBatch::new_empty(self.schema()));
                    }
                    batch = step.apply(&batch)?;
                }
                Ok(batch)
            }
        }
    }
}

/// Bytes of a batch's rows: of a slice, what it shows, so that the parts of one batch do not count it again and again.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    let bytes = |c: &ArrayRef| c.to_data().get_slice_memory_size().unwrap_or_else(|_| c.get_array_memory_size());
    batch.columns().iter().map(bytes).sum()
}

/// Conditions are joined here and not by DataFusion's `AND`, which in this version keeps every row of a batch when few rows
/// pass the left side and the right side is a constant.
fn filter(batch: &RecordBatch, conditions: &[Arc<dyn PhysicalExpr>]) -> Result<RecordBatch> {
    let mut batch = batch.clone();
    let mut mask: Option<BooleanArray> = None;
    for condition in conditions {
        let rows = batch.num_rows();
        let holds = condition.evaluate(&batch)?.into_array(rows)?;
        let holds = holds.as_boolean_opt().ok_or_else(|| exec_datafusion_err!("a filter is not boolean"))?;
        let kept = match mask.take() {
            Some(mask) => and(&mask, &known(holds))?,
            None => known(holds),
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

impl Step {
    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        match self {
            Self::Filter(conditions) => filter(batch, conditions),
            Self::Project { expressions, schema } => {
                let columns =
                    expressions.iter().map(|e| e.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                let declared = RecordBatch::try_new_with_options(Arc::clone(schema), columns.clone(), &options);
                // Functions may give more than they declare, such as the JSON union's marks.
                declared.or_else(|_| as_given(schema, columns, &options)).map_err(DataFusionError::from)
            }
        }
    }
}
