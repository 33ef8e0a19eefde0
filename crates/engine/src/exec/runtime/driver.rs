//! Drives a run: starts a task for every operator, sink and source, hands on what the sources bring, moves the watermark,
//! and cuts checkpoints between two batches.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::checkpoint::{finished, write_checkpoint};
use super::edge::{BarrierAck, EdgeMessage, InputBatch, InputEdges, OutputEdges};
use super::operator_task::{MemoryReservation, OperatorTask};
use super::sink_task::{RowEncoder, SinkStatement, SinkTask};
use super::source_task::{RowReader, SourceMessage, SourceTask};
use super::state::StatefulOperator;
use crate::connectors::{open_sink, open_source};
use crate::exec::RunOptions;
use crate::exec::error::RunError;
use crate::exec::rows::batch::{LateRowCounter, TracedBatch};
use crate::exec::rows::failures::Failures;
use crate::exec::stats::{RunReport, Stats};
use crate::program::{NodeId, NodeKind, Program};
use crate::state::{Checkpoint, OperatorState, SourceState, StateError, Store};

/// Batches that may wait between the sources and the driver.
const QUEUE: usize = 4;

/// Runs a program until its finite sources end or `shutdown` is ready. At the end of all sources every window is emitted;
/// at a shutdown none is, and a last checkpoint is written.
///
/// # Errors
/// A connector, a query or the state store failed; the last checkpoint stays usable.
pub async fn run(
    program: &Program,
    options: RunOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<RunReport, RunError> {
    let stats = options.stats.clone().unwrap_or_else(|| Arc::new(Stats::new(program)));
    let store = match &options.state {
        Some(location) => Some(Store::open(location, program.fingerprint()).await?),
        None => None,
    };
    let checkpoint = match &store {
        Some(store) => store.load().await?,
        None => None,
    };
    let resume = checkpoint.is_some();
    let mut shutdown = pin!(shutdown);
    let opening = async {
        let opened = Driver::start(program, options, Arc::clone(&stats), store, checkpoint.unwrap_or_default(), resume);
        let mut driver = opened.await?;
        let messages = driver.open_sources(program).await?;
        Ok::<_, RunError>((driver, messages))
    };
    let (mut driver, messages) = tokio::select! {
        biased;
        // The run waits for a service that is down. It does not keep a stop request waiting.
        () = &mut shutdown => return Ok(stats.report()),
        opened = opening => opened?,
    };
    let ended = driver.pump(messages, shutdown).await;
    let closed = driver.close(ended.is_ok()).await;
    let report = driver.stats.report();
    ended.and(closed)?;
    for source in report.sources.iter().filter(|s| s.unaccounted().is_some_and(|rows| rows > 0)) {
        tracing::error!(table = %source.name, rows = source.unaccounted(), "rows were lost: a fault of weir, please report it");
    }
    Ok(report)
}

struct Driver {
    options: RunOptions,
    stats: Arc<Stats>,
    store: Option<Store>,
    /// Where the sources are.
    sources: Vec<SourceState>,
    /// Whether there was a checkpoint to go on from.
    resumed: bool,
    source_edges: Vec<SourceEdges>,
    /// Operators and sinks.
    tasks: JoinSet<Result<(), RunError>>,
    /// How many of them there are: so many answer a barrier.
    answering: usize,
    readers: Vec<JoinHandle<()>>,
    /// The checkpoint that is being written; its task says whether all have answered.
    writing: Option<JoinHandle<Result<bool, RunError>>>,
}

/// Where a source's rows enter.
struct SourceEdges {
    node: NodeId,
    watermark: i64,
    outputs: OutputEdges,
}

impl Driver {
    /// Starts operators and sinks; no row is under way yet.
    async fn start(
        program: &Program,
        options: RunOptions,
        stats: Arc<Stats>,
        store: Option<Store>,
        mut checkpoint: Checkpoint,
        resume: bool,
    ) -> Result<Self, RunError> {
        let mut outputs: Vec<OutputEdges> = program.operators.iter().map(|_| OutputEdges::default()).collect();
        let mut inputs: Vec<InputEdges> = Vec::with_capacity(program.operators.len());
        // One edge for each sink. An operator may feed several statements.
        let mut sinks: BTreeMap<usize, (Vec<SinkStatement>, InputEdges)> = BTreeMap::new();
        for (id, operator) in program.operators.iter().enumerate() {
            let mut own = InputEdges::default();
            for input in operator.inputs() {
                let Some(output) = outputs.get_mut(input) else { continue };
                match &operator.kind {
                    NodeKind::Sink { rows, sink } => {
                        let (written, inputs) = sinks.entry(*sink).or_default();
                        let rule = program.rules.iter().position(|r| r.node == id);
                        written.push(SinkStatement { rows: rows.clone(), rule });
                        inputs.push(output.connect());
                    }
                    _ => own.push(output.connect()),
                }
            }
            inputs.push(own);
        }
        let (mut tasks, mut source_edges) = (JoinSet::new(), Vec::new());
        let memory = MemoryReservation::new(options.state_limit, Arc::clone(&stats));
        for (id, ((operator, inputs), outputs)) in program.operators.iter().zip(inputs).zip(outputs).enumerate() {
            let failures = Failures::of_operator(&stats, program, id);
            let mut state = StatefulOperator::new(&program.operators, operator, options.key_parallelism(), &failures)?;
            let mut watermark = i64::MIN;
            if let Some(at) = checkpoint.operators.iter().position(|s| s.operator == id) {
                let stored = checkpoint.operators.swap_remove(at);
                watermark = stored.watermark;
                if let Some(state) = &mut state {
                    state.restore(stored.tables)?;
                }
            }
            match operator.kind {
                NodeKind::Unused | NodeKind::Sink { .. } => {}
                NodeKind::Source(_) => source_edges.push(SourceEdges { node: id, watermark, outputs }),
                _ => {
                    let (operators, memory) = (Arc::clone(&program.operators), memory.clone());
                    let decoded = match &operator.kind {
                        NodeKind::Rows(rows) => options.decoded.as_ref().and_then(|decoded| decoded.of("", rows)),
                        _ => None,
                    };
                    let late = LateRowCounter::new(Arc::clone(&stats), program, id);
                    let task = OperatorTask {
                        id,
                        operators,
                        inputs,
                        outputs,
                        state,
                        watermark,
                        late,
                        failures,
                        memory,
                        decoded,
                    };
                    tasks.spawn(task.run());
                }
            }
        }
        for (index, (written, inputs)) in sinks {
            let Some(table) = program.sinks().get(index) else { continue };
            let sink = open_sink(table, options.sinks.get(&table.name), resume).await?;
            stats.watch_sink(index, sink.counters());
            let (encoder, stats) = (RowEncoder::new(table), Arc::clone(&stats));
            tasks.spawn(SinkTask { index, written, inputs, sink, encoder, stats }.run());
        }
        Ok(Self {
            options,
            stats,
            store,
            sources: checkpoint.sources,
            resumed: resume,
            source_edges,
            answering: tasks.len(),
            tasks,
            readers: Vec::new(),
            writing: None,
        })
    }

    async fn open_sources(
        &mut self,
        program: &Program,
    ) -> Result<mpsc::Receiver<Result<SourceMessage, RunError>>, RunError> {
        let budget = self.options.stop_after.map(|n| Arc::new(AtomicU64::new(n)));
        let (sender, receiver) = mpsc::channel(QUEUE);
        for (node, operator) in program.operators.iter().enumerate() {
            let NodeKind::Source(spec) = &operator.kind else { continue };
            let Some(table) = program.sources().get(spec.index) else { continue };
            let stored = self.sources.iter().find(|s| s.table == table.name);
            let position = stored.map(|s| &s.position);
            let source = open_source(table, self.options.sources.get(&table.name), position).await?;
            // A source that begins at `latest` begins there once: the first checkpoint keeps it, whether a record came
            // or not.
            let began = stored.is_none().then(|| SourceState::at_start(table.name.clone(), source.position()));
            self.stats.watch_source(spec.index, source.counters());
            let stats = Arc::clone(&self.stats);
            let marks = stored.map(|s| &s.watermark);
            let future = self.options.future_limit.unwrap_or(table.future_limit);
            let failures = Failures::of_operator(&stats, program, node);
            let reader = RowReader::new(
                spec,
                table,
                marks,
                future,
                program.time_facts,
                (stats, failures),
                self.options.decoded.as_ref(),
            )?;
            let task = SourceTask {
                node,
                source,
                reader,
                batch_size: self.options.batch_size.max(1),
                decode_parallelism: self.options.parallelism,
                budget: budget.clone(),
            };
            self.readers.push(tokio::spawn(task.run(sender.clone())));
            self.sources.extend(began);
        }
        Ok(receiver)
    }

    /// Works until the sources end or the shutdown comes.
    async fn pump(
        &mut self,
        mut messages: mpsc::Receiver<Result<SourceMessage, RunError>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let mut shutdown = pin!(shutdown);
        let interval = self.options.checkpoint_interval;
        // The first one of all is written at once: it says where the sources began.
        let mut next_checkpoint = if self.resumed { Instant::now() + interval } else { Instant::now() };
        let mut dirty = !self.resumed;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(ended) = self.tasks.join_next() => return Err(self.fault(Some(ended)).await),
                written = finished(&mut self.writing) => {
                    self.writing = None;
                    dirty |= !self.try_written(written).await?;
                }
                () = sleep_until(next_checkpoint), if self.store.is_some() && dirty && self.writing.is_none() => {
                    self.checkpoint().await?;
                    dirty = false;
                    next_checkpoint = Instant::now() + interval;
                }
                message = messages.recv() => match message {
                    None => break,
                    Some(message) => {
                        self.take(message?).await?;
                        dirty = true;
                    }
                }
            }
        }
        messages.close();
        if self.store.is_none() {
            return Ok(());
        }
        if self.writing.is_some() {
            let written = finished(&mut self.writing).await;
            self.try_written(written).await?;
        }
        self.checkpoint().await?;
        let written = finished(&mut self.writing).await;
        self.writing = None;
        self.written(written).await
    }

    /// Hands on what a source sent.
    async fn take(&mut self, message: SourceMessage) -> Result<(), RunError> {
        let SourceMessage { node, mut parts, watermark, state } = message;
        match self.sources.iter_mut().find(|s| s.table == state.table) {
            Some(slot) => *slot = state,
            None => self.sources.push(state),
        }
        let last = parts.pop();
        for (traced, watermark) in parts {
            self.push(node, Some(traced), watermark).await?;
        }
        self.push(node, last.map(|(traced, _)| traced), watermark).await
    }

    /// Hands on one batch, and moves the watermark: every source gives one.
    async fn push(&mut self, node: NodeId, traced: Option<TracedBatch>, watermark: i64) -> Result<(), RunError> {
        let mut traced = traced;
        for edges in &mut self.source_edges {
            let mut input_batch = InputBatch { batches: Vec::new(), watermark: edges.watermark, last: true };
            if edges.node == node {
                edges.watermark = edges.watermark.max(watermark);
                input_batch.watermark = edges.watermark;
                input_batch.batches.extend(traced.take().filter(|c| c.batch.num_rows() > 0));
            }
            if !edges.outputs.send(EdgeMessage::Batch(input_batch)).await {
                return Err(self.fault(None).await);
            }
        }
        Ok(())
    }

    /// Cuts a checkpoint here; it is written when all operators and sinks have answered, while the run goes on.
    async fn checkpoint(&mut self) -> Result<(), RunError> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        let (sender, acks) = mpsc::unbounded_channel();
        for edges in &self.source_edges {
            let state = OperatorState { operator: edges.node, watermark: edges.watermark, tables: Vec::new() };
            // The receiver is in this very function.
            let _ = sender.send(BarrierAck::State(state));
        }
        for edges in &self.source_edges {
            if !edges.outputs.send(EdgeMessage::Barrier(sender.clone())).await {
                return Err(self.fault(None).await);
            }
        }
        let wanted = self.answering + self.source_edges.len();
        let written = write_checkpoint(store, self.sources.clone(), acks, wanted, Arc::clone(&self.stats));
        self.writing = Some(tokio::spawn(written));
        Ok(())
    }

    /// What became of a checkpoint.
    async fn written(&mut self, written: Result<Result<bool, RunError>, JoinError>) -> Result<(), RunError> {
        match written {
            Ok(Ok(true)) => Ok(()),
            // A task has died before it could answer.
            Ok(Ok(false)) => Err(self.fault(None).await),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(RunError::Task(error.to_string())),
        }
    }

    /// Why a task ended early; `ended` is how the first one did, when that is known.
    async fn fault(&mut self, ended: Option<Result<Result<(), RunError>, JoinError>>) -> RunError {
        // Without rows to come, those end that wait.
        self.source_edges.clear();
        let mut ended = ended;
        loop {
            match ended {
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return RunError::Task(error.to_string()),
                Some(Ok(Ok(()))) | None => {}
            }
            ended = self.tasks.join_next().await;
            if ended.is_none() {
                return RunError::Task("an operator ended early".to_owned());
            }
        }
    }

    /// What became of a checkpoint, and whether it was written. A service that is down for a while does not end the run: the
    /// last checkpoint stays usable, and the next interval tries again.
    async fn try_written(&mut self, written: Result<Result<bool, RunError>, JoinError>) -> Result<bool, RunError> {
        match self.written(written).await {
            Err(RunError::State(error @ StateError::Unavailable { .. })) => {
                self.stats.failed_checkpoints.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "the checkpoint is put off; a restart now would repeat more than an interval");
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// Ends all tasks; sinks flush what they still hold when the run went well.
    async fn close(&mut self, went_well: bool) -> Result<(), RunError> {
        for reader in self.readers.drain(..) {
            reader.abort();
        }
        self.source_edges.clear();
        if !went_well {
            self.tasks.abort_all();
            return Ok(());
        }
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(ended.unwrap_or_else(|e| Err(RunError::Task(e.to_string()))));
        }
        result
    }
}
