//! One operator at work: takes the batches of its inputs, gives its own, and answers barriers with its state.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use arrow::array::{AsArray, RecordBatch};

use super::decoded_rows::OperatorRows;
use super::edge::{BarrierAck, EdgeMessage, InputBatch, InputEdges, OutputEdges, Received};
use super::state::StatefulOperator;
use crate::exec::error::RunError;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::expressions::RowEvaluator;
use crate::exec::rows::failures::Failures;
use crate::exec::stats::Stats;
use crate::program::{NodeId, NodeKind, Operator};
use crate::state::OperatorState;

/// An operator that runs.
pub(crate) struct OperatorTask {
    pub(crate) id: NodeId,
    pub(crate) operators: Arc<[Operator]>,
    pub(crate) inputs: InputEdges,
    pub(crate) outputs: OutputEdges,
    pub(crate) state: Option<StatefulOperator>,
    pub(crate) watermark: i64,
    pub(crate) late: LateRowCounter,
    pub(crate) failures: Failures,
    pub(crate) memory: MemoryReservation,
    /// What earlier runs made of the same rows.
    pub(crate) decoded: Option<OperatorRows>,
}

/// What an operator holds, as part of what all hold.
#[derive(Debug, Clone)]
pub(crate) struct MemoryReservation {
    own: usize,
    all: Arc<AtomicUsize>,
    limit: usize,
    stats: Arc<Stats>,
}

impl MemoryReservation {
    /// Nothing yet.
    pub(crate) fn new(limit: usize, stats: Arc<Stats>) -> Self {
        Self { own: 0, all: Arc::default(), limit, stats }
    }

    fn set(&mut self, own: usize) -> Result<(), RunError> {
        let before = std::mem::replace(&mut self.own, own);
        let all = self.all.fetch_add(own.wrapping_sub(before), Ordering::Relaxed);
        let bytes = all.wrapping_add(own).wrapping_sub(before);
        self.stats.state_bytes.store(bytes as u64, Ordering::Relaxed);
        let limit = self.limit;
        if bytes > limit { Err(RunError::StateLimit { bytes, limit }) } else { Ok(()) }
    }
}

impl OperatorTask {
    /// Works until an input or a reader has gone.
    pub(crate) async fn run(self) -> Result<(), RunError> {
        let names = self.failures.names();
        self.work().await.map_err(|error| error.of_rules(&names))
    }

    async fn work(mut self) -> Result<(), RunError> {
        while let Some(received) = self.inputs.next().await {
            let heard = match received {
                Received::Batch { batches, watermark, last } => self.process(&batches, watermark, last).await?,
                Received::Barrier(acks) => {
                    let tables = self.state.as_mut().map_or_else(|| Ok(Vec::new()), StatefulOperator::snapshot)?;
                    let state = OperatorState { operator: self.id, watermark: self.watermark, tables };
                    // Nobody listens any more when the run is at its end.
                    let _ = acks.send(BarrierAck::State(state));
                    self.outputs.send(EdgeMessage::Barrier(acks)).await
                }
            };
            if !heard {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Gives its batches for one of its inputs: one, or more where it has more to emit than fits one and its inputs are done.
    async fn process(&mut self, batches: &[Vec<TracedBatch>], lowest: i64, last: bool) -> Result<bool, RunError> {
        let mut batches = batches;
        loop {
            let (output, behind) = self.step(batches, lowest).await?;
            let over = last && !behind;
            let input_batch = InputBatch { batches: output, watermark: self.watermark, last: over };
            if !self.outputs.send(EdgeMessage::Batch(input_batch)).await {
                return Ok(false);
            }
            give_way().await;
            if over || !last {
                return Ok(true);
            }
            // Large windows follow each other: none is made before the reader has taken the one before.
            if !self.outputs.taken().await {
                return Ok(false);
            }
            batches = &[];
        }
    }

    /// One batch. Also says whether the operator has more to emit.
    async fn step(&mut self, batches: &[Vec<TracedBatch>], lowest: i64) -> Result<(Vec<TracedBatch>, bool), RunError> {
        let Some(operator) = self.operators.get(self.id) else { return Ok((Vec::new(), false)) };
        let changed = lowest > self.watermark;
        self.watermark = self.watermark.max(lowest);
        let mut behind = false;
        let mut output = Vec::new();
        match (&operator.kind, &mut self.state) {
            (NodeKind::Rows(rows), _) => {
                for traced in batches.iter().flatten() {
                    let make = || RowEvaluator(rows).apply_to_rows(&traced.batch, &self.failures);
                    let batch = match self.decoded.as_ref().filter(|_| traced.provenance.is_some()) {
                        Some(decoded) => decoded.rows(&traced.batch, &self.failures, make),
                        None => make(),
                    };
                    if let Some(kinds) = operator.count.and_then(|c| batch.column(c).as_string_opt::<i32>()) {
                        self.memory.stats.count_kinds(traced.provenance.as_ref().and_then(|o| o.source), kinds);
                    }
                    output.push(TracedBatch { batch, provenance: traced.provenance.clone() });
                }
            }
            (NodeKind::Union(inputs), _) => {
                for (rows, batches) in inputs.iter().zip(batches) {
                    for traced in batches {
                        let batch = RowEvaluator(rows).apply_to_rows(&traced.batch, &self.failures);
                        let batch = RecordBatch::try_new(Arc::clone(&operator.schema), batch.columns().to_vec())?;
                        output.push(TracedBatch { batch, provenance: traced.provenance.clone() });
                    }
                }
            }
            (_, Some(state)) => {
                for (id, batches) in operator.inputs().into_iter().zip(batches) {
                    for traced in batches {
                        // What fails here was not to be foreseen: it costs the batch.
                        match state.push(id, traced, &mut self.late).await {
                            Ok(batches) => output.extend(batches),
                            Err(error) => self.failures.add(traced.batch.num_rows(), &error.to_string()),
                        }
                    }
                }
                if changed {
                    match state.advance(self.watermark).await {
                        Ok((emitted, reached)) => {
                            behind = reached < self.watermark;
                            self.watermark = reached;
                            output.extend(emitted.into_iter().map(|batch| TracedBatch { batch, provenance: None }));
                        }
                        Err(error) => self.failures.add(1, &error.to_string()),
                    }
                }
                self.memory.set(state.size())?;
            }
            _ => {}
        }
        output.retain(|c: &TracedBatch| c.batch.num_rows() > 0);
        Ok((output, behind))
    }
}

/// Lets other tasks run. Not Tokio's `yield_now`: that keeps a task on its thread until there is nothing else to do there,
/// so that idle threads could not take it over.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
