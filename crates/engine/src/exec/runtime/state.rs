//! The operators that keep state.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::Result;

use crate::exec::joins::join::JoinOperator;
use crate::exec::options::Parallelism;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::failures::Failures;
use crate::exec::windows::bins::BinOperator;
use crate::exec::windows::per_timestamp::PerTimestampOperator;
use crate::exec::windows::session::SessionOperator;
use crate::program::{NodeId, NodeKind, Operator, TIMESTAMP, Window};

/// The state of an operator that has one.
#[derive(Debug)]
pub(crate) enum StatefulOperator {
    Bins(Box<BinOperator>),
    Session(Box<SessionOperator>),
    PerTimestamp(PerTimestampOperator),
    Join(Box<JoinOperator>),
}

impl StatefulOperator {
    /// The state that an operator starts with.
    pub(crate) fn new(
        operators: &[Operator],
        operator: &Operator,
        partitions: Parallelism,
        failures: &Failures,
    ) -> Result<Option<Self>> {
        let failures = failures.clone();
        let schema =
            |id: NodeId| operators.get(id).map_or_else(|| Arc::new(Schema::empty()), |o| Arc::clone(&o.schema));
        let time_column = |id: NodeId| schema(id).index_of(TIMESTAMP).unwrap_or(0);
        Ok(match &operator.kind {
            NodeKind::Window(spec) => Some(match spec.window {
                Window::Tumble { width } => {
                    Self::Bins(Box::new(BinOperator::new(spec, width, width, partitions, failures)?))
                }
                Window::Hop { slide, width } => {
                    Self::Bins(Box::new(BinOperator::new(spec, slide, width, partitions, failures)?))
                }
                Window::Session { gap } => Self::Session(Box::new(SessionOperator::new(spec, gap, failures)?)),
            }),
            NodeKind::PerTimestamp(spec) => {
                Some(Self::PerTimestamp(PerTimestampOperator::new(spec, time_column, failures)?))
            }
            NodeKind::Join(spec) => Some(Self::Join(Box::new(JoinOperator::new(
                spec,
                &schema(spec.left),
                &schema(spec.right),
                &operator.schema,
                failures,
            )?))),
            _ => None,
        })
    }

    /// Takes rows of an input; a join answers at once.
    pub(crate) async fn push(
        &mut self,
        input: NodeId,
        traced: &TracedBatch,
        late: &mut LateRowCounter,
    ) -> Result<Vec<TracedBatch>> {
        match self {
            Self::Bins(bins) => bins.push(traced, late).await?,
            Self::Session(session) => session.push(traced, late)?,
            Self::PerTimestamp(per_timestamp) => per_timestamp.push(input, traced.batch.clone()),
            Self::Join(join) => return join.push(input, traced, late),
        }
        Ok(Vec::new())
    }

    /// Emits what the watermark completes, and says how far that went: it stops early when there is much.
    pub(crate) async fn advance(&mut self, watermark: i64) -> Result<(Vec<RecordBatch>, i64)> {
        let output = match self {
            Self::Bins(bins) => return bins.advance(watermark).await,
            Self::Session(session) => session.advance(watermark)?,
            Self::PerTimestamp(per_timestamp) => per_timestamp.advance(watermark)?,
            Self::Join(join) => {
                join.advance(watermark);
                Vec::new()
            }
        };
        Ok((output, watermark))
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Bins(bins) => bins.size(),
            Self::Session(session) => session.size(),
            Self::PerTimestamp(per_timestamp) => per_timestamp.size(),
            Self::Join(join) => join.size(),
        }
    }

    /// The state as named tables.
    pub(crate) fn snapshot(&mut self) -> Result<Vec<(String, RecordBatch)>> {
        match self {
            Self::Bins(bins) => bins.snapshot(),
            Self::Session(session) => session.snapshot(),
            Self::PerTimestamp(per_timestamp) => per_timestamp.snapshot(),
            Self::Join(join) => join.snapshot(),
        }
    }

    /// Takes the tables of a checkpoint back.
    pub(crate) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        match self {
            Self::Bins(bins) => bins.restore(tables),
            Self::Session(session) => session.restore(tables),
            Self::PerTimestamp(per_timestamp) => {
                per_timestamp.restore(tables);
                Ok(())
            }
            Self::Join(join) => join.restore(tables),
        }
    }
}
