//! Work over whole instants: a DataFusion plan whose leaves take the batches that the engine hands in.
//!
//! Rows of windowed streams carry their instant in `_timestamp`. Groups, partitions and joins of such rows hold the window
//! or the instant, so all instants that are complete are evaluated in one go.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::kernels::cmp::lt;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, collect};
use datafusion::prelude::SessionConfig;
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

use super::InstantSpec;
use super::rows::bytes_of;
use crate::plan::NodeId;

/// Where plans run. DataFusion gives parts of a plan (of a sort) to other tasks where the runtime has several threads; such
/// a task may wait on the very thread that waits for it. On a runtime of one thread it does not.
static ONE_THREAD: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// Runs a plan over the given batches of its inputs.
pub(crate) fn evaluate(
    plan: &Arc<dyn ExecutionPlan>,
    inputs: &[(NodeId, Vec<RecordBatch>)],
) -> Result<Vec<RecordBatch>> {
    let inputs: Inputs = Inputs(inputs.iter().cloned().collect());
    let config = SessionConfig::new().with_target_partitions(1).with_extension(Arc::new(inputs));
    let context = TaskContext::new(
        None,
        "weir".to_owned(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::new(RuntimeEnv::default()),
    );
    let _guard = ONE_THREAD.as_ref().map(Runtime::enter);
    // The operator's task does not yield meanwhile: Tokio's budget of one poll must not starve the plan's own channels.
    block_on(tokio::task::unconstrained(collect(fresh(plan)?, Arc::new(context))))
}

/// Some plans keep what they read (the build side of a join): every run gets a copy without such memory.
fn fresh(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|p| {
            let children = p.children().into_iter().map(Arc::clone).collect::<Vec<_>>();
            if children.is_empty() {
                Ok(Transformed::no(p))
            } else {
                Ok(Transformed::yes(p.with_new_children(children)?))
            }
        })
        .data()
}

/// The batches of a run, by node.
struct Inputs(HashMap<NodeId, Vec<RecordBatch>>);

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
        Ok(Arc::new(InputExec { node: self.node, schema, columns, properties }))
    }
}

/// The leaf that reads what [`evaluate`] was given.
#[derive(Debug)]
pub(super) struct InputExec {
    pub(super) node: NodeId,
    schema: SchemaRef,
    /// Places of the columns that are read in the node's rows.
    pub(super) columns: Vec<usize>,
    properties: PlanProperties,
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(inputs) = context.session_config().get_extension::<Inputs>() else {
            return internal_err!("no inputs");
        };
        let batches = inputs.0.get(&self.node).map_or(&[][..], Vec::as_slice);
        let batches = batches
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

/// Rows that wait until the watermark has passed their instant.
#[derive(Debug)]
pub(crate) struct InstantOperator {
    plan: Arc<dyn ExecutionPlan>,
    /// Per input: the place of `_timestamp`, and the rows that wait.
    waiting: BTreeMap<NodeId, (usize, Vec<RecordBatch>)>,
    bytes: usize,
}

impl InstantOperator {
    pub(crate) fn new(spec: &InstantSpec, time_columns: impl Fn(NodeId) -> usize) -> Self {
        let waiting = spec.inputs.iter().map(|id| (*id, (time_columns(*id), Vec::new()))).collect();
        Self { plan: Arc::clone(&spec.plan), waiting, bytes: 0 }
    }

    pub(crate) fn push(&mut self, node: NodeId, batch: RecordBatch) {
        if let Some((_, batches)) = self.waiting.get_mut(&node) {
            self.bytes += bytes_of(&batch);
            batches.push(batch);
        }
    }

    /// Evaluates the instants before the watermark.
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
        Ok(evaluate(&self.plan, &complete)?.into_iter().filter(|b| b.num_rows() > 0).collect())
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
