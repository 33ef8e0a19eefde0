//! The keys of one side's rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use crate::program::JoinKeys;

/// Encodes the keys of one side.
#[derive(Debug)]
pub(crate) struct JoinKeyEncoder {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    converter: RowConverter,
}

impl JoinKeyEncoder {
    /// The encoders of both sides. Equal keys have equal bytes on either.
    pub(crate) fn of_sides(keys: &JoinKeys) -> Result<[Self; 2]> {
        let encoder = |expressions: &[Arc<dyn PhysicalExpr>]| -> Result<Self> {
            let fields = keys.types.iter().cloned().map(SortField::new).collect();
            Ok(Self { expressions: expressions.to_vec(), converter: RowConverter::new(fields)? })
        };
        Ok([encoder(&keys.left)?, encoder(&keys.right)?])
    }

    /// The keys of a batch's rows as comparable bytes.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Rows> {
        let array = |e: &Arc<dyn PhysicalExpr>| e.evaluate(batch)?.into_array(batch.num_rows());
        let columns = self.expressions.iter().map(array).collect::<Result<Vec<_>>>()?;
        Ok(self.converter.convert_columns(&columns)?)
    }
}
