//! Operators: what a program does, ready to run.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::ExecutionPlan;

use super::aggregate::WindowSpec;
use super::input::NodeId;
use super::rows::RowExpressions;

/// A runnable operator; its state is made when a run starts.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) schema: SchemaRef,
    /// The column by whose text its rows are counted, each for its source.
    pub(crate) count: Option<usize>,
    pub(crate) kind: OperatorKind,
}

/// What an operator does.
#[derive(Debug)]
pub(crate) enum OperatorKind {
    /// Nobody reads it.
    Unused,
    Source(SourceSpec),
    /// Row by row.
    Rows(RowExpressions),
    PerTimestamp(PerTimestampSpec),
    Window(WindowSpec),
    Union(Vec<RowExpressions>),
    Join(JoinSpec),
    Sink {
        rows: RowExpressions,
        sink: usize,
    },
}

impl Operator {
    /// The operators that this one reads.
    pub(crate) fn inputs(&self) -> Vec<NodeId> {
        match &self.kind {
            OperatorKind::Unused | OperatorKind::Source(_) => Vec::new(),
            OperatorKind::Rows(rows) | OperatorKind::Sink { rows, .. } => vec![rows.input],
            OperatorKind::PerTimestamp(spec) => spec.inputs.clone(),
            OperatorKind::Window(spec) => vec![spec.rows.input],
            OperatorKind::Union(inputs) => inputs.iter().map(|r| r.input).collect(),
            OperatorKind::Join(spec) => vec![spec.left, spec.right],
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
}
