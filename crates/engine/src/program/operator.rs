//! Operators: what a program does, ready to run.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

use super::aggregate::WindowSpec;
use super::input::NodeId;
use super::node::{NodeKind, Phase};
use super::rows::RowExpressions;

/// A runnable operator; its state is made when a run starts.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) schema: SchemaRef,
    /// The column by whose text its rows are counted, each for its source.
    pub(crate) count: Option<usize>,
    pub(crate) kind: NodeKind<Physical>,
}

/// The phase in which a program can run.
#[derive(Debug)]
pub(crate) struct Physical;

impl Phase for Physical {
    type Source = SourceSpec;
    type Rows = RowExpressions;
    type PerTimestamp = PerTimestampSpec;
    type Window = WindowSpec;
    type Join = JoinSpec;
}

impl Operator {
    /// The operators that this one reads.
    pub(crate) fn inputs(&self) -> Vec<NodeId> {
        match &self.kind {
            NodeKind::Unused | NodeKind::Source(_) => Vec::new(),
            NodeKind::Rows(rows) | NodeKind::Sink { rows, .. } => vec![rows.input],
            NodeKind::PerTimestamp(spec) => spec.inputs.clone(),
            NodeKind::Window(spec) => vec![spec.rows.input],
            NodeKind::Union(inputs) => inputs.iter().map(|r| r.input).collect(),
            NodeKind::Join(spec) => vec![spec.left, spec.right],
        }
    }
}

/// A table that is read: from records to rows with their time.
#[derive(Debug)]
pub(crate) struct SourceSpec {
    /// Which of the program's sources it is.
    pub(crate) index: usize,
    /// A record's columns, its arrival and its number.
    pub(crate) record: SchemaRef,
    /// Generated columns, time, and the watermark's column last.
    pub(crate) rows: RowExpressions,
    /// Where the event time is.
    pub(crate) time: usize,
    pub(crate) watermark: SourceWatermark,
}

/// How a row moves the watermark.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SourceWatermark {
    /// To its event time less this many nanoseconds.
    Lateness(i64),
    /// To the value of this column.
    Column(usize),
}

/// A plan over all rows of a timestamp.
#[derive(Debug)]
pub(crate) struct PerTimestampSpec {
    pub(crate) inputs: Vec<NodeId>,
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// Whether a node of the plan keeps what it reads, so that it must be reset before each run.
    pub(crate) stateful: bool,
}

/// An inner join of un-windowed streams.
#[derive(Debug)]
pub(crate) struct JoinSpec {
    pub(crate) left: NodeId,
    pub(crate) right: NodeId,
    /// Gives two columns more than the operator: the numbers of the rows that make a pair.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// How long rows are kept, in nanoseconds of event time.
    pub(crate) ttl: i64,
    /// What must be equal; `None` where the plan does not tell: then each new row meets all rows of the other side.
    pub(crate) keys: Option<JoinKeys>,
}

/// What must be equal for two rows to meet, as expressions over the rows of the operators that the join reads.
#[derive(Debug)]
pub(crate) struct JoinKeys {
    pub(crate) left: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) right: Vec<Arc<dyn PhysicalExpr>>,
    /// Of each part of the key, the same on both sides.
    pub(crate) types: Vec<DataType>,
}
