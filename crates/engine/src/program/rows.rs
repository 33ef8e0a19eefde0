//! Row-by-row work.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

use super::input::NodeId;

/// The column that carries a row's event time.
pub(crate) const TIMESTAMP: &str = "_timestamp";
/// The column that carries a row's number within the batch that its source gave, for un-windowed rows: lateness is judged
/// by what the source had said before that very row.
pub(crate) const ROW: &str = "__weir_row";

/// A stateless operator over one input.
#[derive(Debug, Clone)]
pub(crate) struct RowExpressions {
    pub(crate) input: NodeId,
    /// The columns that are read, by their place in the input's output.
    pub(crate) columns: Vec<usize>,
    pub(crate) steps: RowSteps,
    /// The output.
    pub(crate) schema: SchemaRef,
}

impl RowExpressions {
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// How the rows are made.
#[derive(Debug, Clone)]
pub(crate) enum RowSteps {
    Chain(Vec<RowStep>),
    /// A DataFusion plan, for what is no chain (`unnest`).
    Plan(Arc<dyn ExecutionPlan>),
}

/// One step of a chain.
#[derive(Debug, Clone)]
pub(crate) enum RowStep {
    /// Keeps rows for which every condition holds.
    Filter(Vec<Arc<dyn PhysicalExpr>>),
    Project {
        expressions: Vec<Arc<dyn PhysicalExpr>>,
        schema: SchemaRef,
    },
}
