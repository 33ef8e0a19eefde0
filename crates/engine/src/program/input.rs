//! What operators' plans read: the output of another operator, as a table of DataFusion whose rows a run hands in.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

/// An operator's number; operators are in topological order.
pub(crate) type NodeId = usize;

/// The batches of a run, by node; shared by the leaves of one plan and by who runs it.
#[derive(Debug, Default, Clone)]
pub(crate) struct PlanInputs(Arc<Mutex<HashMap<NodeId, Vec<RecordBatch>>>>);

impl PlanInputs {
    /// Hands in batches in place of those before.
    pub(crate) fn set(&self, batches: HashMap<NodeId, Vec<RecordBatch>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = batches;
    }

    fn of(&self, node: NodeId) -> Vec<RecordBatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned().unwrap_or_default()
    }
}

/// A node's output as a table of DataFusion.
#[derive(Debug)]
pub(crate) struct NodeTable {
    pub(crate) node: NodeId,
    /// The columns before pruning.
    pub(crate) schema: SchemaRef,
    /// Where a column is after pruning.
    pub(crate) positions: Arc<HashMap<usize, usize>>,
}

#[async_trait]
impl TableProvider for NodeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let read: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&read)?);
        let mut columns = Vec::with_capacity(read.len());
        for column in read {
            match self.positions.get(&column) {
                Some(position) => columns.push(*position),
                None => return internal_err!("column {column} of node {} was pruned", self.node),
            }
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(InputExec { node: self.node, schema, columns, properties, inputs: PlanInputs::default() }))
    }
}

/// The leaf that reads what a run was given.
#[derive(Debug, Clone)]
pub(crate) struct InputExec {
    pub(crate) node: NodeId,
    schema: SchemaRef,
    /// Places of the columns that are read in the node's rows.
    pub(crate) columns: Vec<usize>,
    properties: PlanProperties,
    inputs: PlanInputs,
}

impl InputExec {
    /// The same leaf, which reads these inputs.
    pub(crate) fn reading(&self, inputs: &PlanInputs) -> Self {
        Self { inputs: inputs.clone(), ..self.clone() }
    }
}

impl DisplayAs for InputExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputExec: node={}", self.node)
    }
}

impl ExecutionPlan for InputExec {
    fn name(&self) -> &'static str {
        "InputExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &PlanProperties {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let given = self.inputs.of(self.node);
        let batches = given
            .iter()
            .map(|b| {
                Ok(RecordBatch::try_new_with_options(
                    Arc::clone(&self.schema),
                    self.columns.iter().map(|c| Arc::clone(b.column(*c))).collect(),
                    &arrow::array::RecordBatchOptions::new().with_row_count(Some(b.num_rows())),
                )?)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Box::pin(MemoryStream::try_new(batches, Arc::clone(&self.schema), None)?))
    }
}
