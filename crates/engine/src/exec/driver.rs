//! Drives a run: takes batches from the sources one by one, pushes each through all operators, moves the watermark, and
//! writes checkpoints between two batches, when no row is under way.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::operator::{Chunk, Late, State};
use super::sink_task::{RowEncoder, SinkMessage, SinkTask};
use super::source_task::{Reader, SourceMessage, SourceTask};
use super::stats::{RunReport, Stats};
use super::{OperatorKind, RunOptions};
use crate::connectors::{ConnectorError, open_sink, open_source};
use crate::plan::{NodeId, Program, Window};
use crate::state::{Checkpoint, OperatorState, SourceState, StateError, Store};

/// Batches that may wait between a source and the driver, and between the driver and a sink.
const QUEUE: usize = 4;

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A connector gave up.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// Checkpoints cannot be kept or used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A record cannot be decoded and the table says `bad_data = 'fail'`.
    #[error(
        "table {table}: a record cannot be decoded: {reason}\nhint: bad_data = 'drop' counts such records and goes on"
    )]
    BadData {
        /// The table.
        table: String,
        /// What is wrong with the record.
        reason: String,
    },
    /// A table cannot be read or written as it is declared.
    #[error("table {table}: {reason}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row cannot be computed.
    #[error("a query failed on a row: {0}\nhint: TRY_CAST gives NULL where CAST fails")]
    Query(String),
    /// A row cannot be encoded.
    #[error("a row cannot be encoded: {0}")]
    Encode(String),
    /// Window state has outgrown its limit.
    #[error(
        "window state has grown to {bytes} bytes, over the limit of {limit}\nhint: use smaller windows, fewer keys, or raise the limit"
    )]
    StateLimit {
        /// Bytes held.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A task of the run died.
    #[error("a task of the run died: {0}")]
    Task(String),
}

impl From<datafusion::common::DataFusionError> for RunError {
    fn from(error: datafusion::common::DataFusionError) -> Self {
        Self::Query(error.strip_backtrace())
    }
}

impl From<arrow::error::ArrowError> for RunError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.to_string())
    }
}

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
    let mut driver = Driver::new(program, options, Arc::clone(&stats), store, checkpoint.unwrap_or_default())?;
    let opening = async {
        driver.open_sinks(resume).await?;
        driver.open_sources().await
    };
    let messages = tokio::select! {
        biased;
        // A service that is down is waited for; whoever stops the program is not.
        () = &mut shutdown => return Ok(stats.report()),
        opened = opening => opened?,
    };
    let ended = driver.pump(messages, shutdown).await;
    let closed = driver.close(ended.is_ok()).await;
    let report = driver.stats.report();
    ended.and(closed)?;
    Ok(report)
}

/// The shortest bin of a program's windows.
fn shortest_bin(program: &Program) -> Option<i64> {
    let bin = |operator: &super::Operator| match &operator.kind {
        OperatorKind::Window(spec) => match spec.window {
            Window::Tumble { width } => Some(width),
            Window::Hop { slide, .. } => Some(slide),
            Window::Session { .. } => None,
        },
        _ => None,
    };
    program.operators.iter().filter_map(bin).min()
}

/// The way to a sink's task, and its end.
type RunningSink = (mpsc::Sender<SinkMessage>, JoinHandle<Result<(), RunError>>);

struct Driver<'a> {
    program: &'a Program,
    options: RunOptions,
    stats: Arc<Stats>,
    store: Option<Store>,
    operators: Vec<Running>,
    sources: Vec<SourceState>,
    /// Sources that have not ended.
    open_sources: usize,
    sinks: Vec<RunningSink>,
    tasks: Vec<JoinHandle<()>>,
}

/// An operator at work.
struct Running {
    state: Option<State>,
    watermark: i64,
    /// What the operator gave in the current round.
    output: Vec<Chunk>,
    inputs: Vec<NodeId>,
    /// Restored with this watermark; its inputs may still be behind.
    changed: bool,
    late: Late,
}

impl<'a> Driver<'a> {
    fn new(
        program: &'a Program,
        options: RunOptions,
        stats: Arc<Stats>,
        store: Option<Store>,
        mut checkpoint: Checkpoint,
    ) -> Result<Self, RunError> {
        let mut operators = Vec::with_capacity(program.operators.len());
        for (id, operator) in program.operators.iter().enumerate() {
            let mut running = Running {
                state: State::new(&program.operators, operator)?,
                watermark: i64::MIN,
                output: Vec::new(),
                inputs: operator.inputs(),
                changed: false,
                late: Late::new(Arc::clone(&stats), program, id),
            };
            if let Some(at) = checkpoint.operators.iter().position(|s| s.operator == id) {
                let stored = checkpoint.operators.swap_remove(at);
                running.watermark = stored.watermark;
                if let Some(state) = &mut running.state {
                    state.restore(stored.tables)?;
                }
            }
            operators.push(running);
        }
        Ok(Self {
            program,
            options,
            stats,
            store,
            operators,
            sources: checkpoint.sources,
            open_sources: 0,
            sinks: Vec::new(),
            tasks: Vec::new(),
        })
    }

    async fn open_sinks(&mut self, resume: bool) -> Result<(), RunError> {
        for (index, table) in self.program.sinks().iter().enumerate() {
            let sink = open_sink(table, self.options.sinks.get(&table.name), resume).await?;
            self.stats.watch_sink(index, sink.counters());
            let task = SinkTask { index, sink, encoder: RowEncoder::new(table), stats: Arc::clone(&self.stats) };
            let (sender, receiver) = mpsc::channel(QUEUE);
            self.sinks.push((sender, tokio::spawn(task.run(receiver))));
        }
        Ok(())
    }

    async fn open_sources(&mut self) -> Result<mpsc::Receiver<Result<SourceMessage, RunError>>, RunError> {
        let budget = self.options.stop_after.map(|n| Arc::new(AtomicU64::new(n)));
        let (sender, receiver) = mpsc::channel(QUEUE);
        for (node, operator) in self.program.operators.iter().enumerate() {
            let OperatorKind::Source(spec) = &operator.kind else { continue };
            let Some(table) = self.program.sources().get(spec.index) else { continue };
            let stored = self.sources.iter().find(|s| s.table == table.name);
            let position = stored.map(|s| &s.position);
            let source = open_source(table, self.options.sources.get(&table.name), position).await?;
            self.stats.watch_source(spec.index, source.counters());
            let stats = Arc::clone(&self.stats);
            let (marks, future) = (stored.map(|s| &s.watermark), self.options.future_limit);
            let reader = Reader::new(spec, table, marks, future, shortest_bin(self.program), stats)?;
            let task = SourceTask {
                node,
                source,
                reader,
                batch_size: self.options.batch_size.max(1),
                lanes: self.options.parallelism,
                budget: budget.clone(),
            };
            self.tasks.push(tokio::spawn(task.run(sender.clone())));
            self.open_sources += 1;
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
        let mut next_checkpoint = Instant::now() + interval;
        let mut dirty = false;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = sleep_until(next_checkpoint), if self.store.is_some() && dirty => {
                    dirty = !self.try_checkpoint().await?;
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
            self.check_sinks().await?;
        }
        messages.close();
        if self.store.is_some() { self.checkpoint().await } else { self.flush().await }
    }

    /// Pushes what a source sent through all operators.
    async fn take(&mut self, message: SourceMessage) -> Result<(), RunError> {
        let SourceMessage { node, mut parts, watermark, state } = message;
        let finished = state.finished;
        match self.sources.iter_mut().find(|s| s.table == state.table) {
            Some(slot) => *slot = state,
            None => self.sources.push(state),
        }
        self.open_sources -= usize::from(finished);
        let last = parts.pop();
        for (chunk, watermark) in parts {
            self.push(node, Some(chunk), watermark).await?;
        }
        self.push(node, last.map(|(chunk, _)| chunk), watermark).await?;
        Ok(())
    }

    /// Pushes one batch through all operators, and moves the watermark.
    async fn push(&mut self, node: NodeId, chunk: Option<Chunk>, watermark: i64) -> Result<(), RunError> {
        for running in &mut self.operators {
            running.output.clear();
            running.changed = false;
        }
        if let Some(running) = self.operators.get_mut(node) {
            running.output.extend(chunk);
            running.changed = watermark > running.watermark;
            running.watermark = running.watermark.max(watermark);
        }
        while self.round().await? {
            for running in &mut self.operators {
                running.output.clear();
            }
        }
        Ok(())
    }

    /// Every operator's turn, from the sources on. Whether another round is needed: an operator had more to emit than fits
    /// one, so that its watermark, and with it the rest, is still behind.
    async fn round(&mut self) -> Result<bool, RunError> {
        let mut behind = false;
        for id in 0..self.operators.len() {
            let (rows, is_behind) = self.step(id)?;
            behind |= is_behind;
            if let Some(rows) = rows {
                self.write(rows).await?;
            }
        }
        self.check_state()?;
        Ok(behind)
    }

    /// One operator's turn; a sink gives its rows. Also says whether it has more to emit.
    #[allow(clippy::type_complexity, reason = "the rows of a sink, used once")]
    fn step(&mut self, id: NodeId) -> Result<(Option<(usize, Vec<RecordBatch>)>, bool), RunError> {
        let Some((before, rest)) = self.operators.split_at_mut_checked(id) else { return Ok((None, false)) };
        let (Some(running), Some(operator)) = (rest.first_mut(), self.program.operators.get(id)) else {
            return Ok((None, false));
        };
        let mut behind = false;
        let input = |id: NodeId| before.get(id);
        let output_of = |id: NodeId| input(id).map_or(&[][..], |r| r.output.as_slice());
        if !running.inputs.is_empty() {
            let lowest = running.inputs.iter().filter_map(|i| input(*i)).map(|r| r.watermark).min().unwrap_or(i64::MIN);
            running.changed = lowest > running.watermark;
            running.watermark = running.watermark.max(lowest);
        }
        let mut output = Vec::new();
        match &operator.kind {
            OperatorKind::Unused | OperatorKind::Source(_) => return Ok((None, false)),
            OperatorKind::Rows(rows) => {
                for chunk in output_of(rows.input) {
                    output.push(Chunk { batch: rows.apply(&chunk.batch)?, origin: chunk.origin.clone() });
                }
            }
            OperatorKind::Union(inputs) => {
                for rows in inputs {
                    for chunk in output_of(rows.input) {
                        let batch = rows.apply(&chunk.batch)?;
                        let batch = RecordBatch::try_new(Arc::clone(&operator.schema), batch.columns().to_vec())?;
                        output.push(Chunk { batch, origin: chunk.origin.clone() });
                    }
                }
            }
            OperatorKind::Sink { rows, sink } => {
                let batches =
                    output_of(rows.input).iter().map(|c| rows.apply(&c.batch)).collect::<Result<Vec<_>, _>>()?;
                let batches: Vec<_> = batches.into_iter().filter(|b| b.num_rows() > 0).collect();
                self.stats.count_rule(self.program.rules.iter().position(|r| r.node == id), &batches);
                return Ok(((!batches.is_empty()).then_some((*sink, batches)), false));
            }
            OperatorKind::Instant(_) | OperatorKind::Window(_) | OperatorKind::Join(_) => {
                let Some(state) = &mut running.state else { return Ok((None, false)) };
                let mut batches = Vec::new();
                for id in &running.inputs {
                    for chunk in output_of(*id) {
                        batches.extend(state.push(*id, chunk, &mut running.late)?);
                    }
                }
                if running.changed {
                    let (emitted, reached) = state.advance(running.watermark)?;
                    behind = reached < running.watermark;
                    running.watermark = reached;
                    batches.extend(emitted);
                }
                output.extend(batches.into_iter().map(|batch| Chunk { batch, origin: None }));
            }
        }
        output.retain(|c: &Chunk| c.batch.num_rows() > 0);
        running.output = output;
        Ok((None, behind))
    }

    async fn write(&mut self, (sink, batches): (usize, Vec<RecordBatch>)) -> Result<(), RunError> {
        let Some((sender, _)) = self.sinks.get(sink) else { return Ok(()) };
        for batch in batches {
            if sender.send(SinkMessage::Rows(batch)).await.is_err() {
                return self.sink_fault(sink).await;
            }
        }
        Ok(())
    }

    fn check_state(&self) -> Result<(), RunError> {
        let bytes: usize = self.operators.iter().filter_map(|o| o.state.as_ref()).map(State::size).sum();
        self.stats.state_bytes.store(bytes as u64, Ordering::Relaxed);
        let limit = self.options.state_limit;
        if bytes > limit { Err(RunError::StateLimit { bytes, limit }) } else { Ok(()) }
    }

    async fn check_sinks(&mut self) -> Result<(), RunError> {
        match self.sinks.iter().position(|(_, task)| task.is_finished()) {
            Some(dead) => self.sink_fault(dead).await,
            None => Ok(()),
        }
    }

    /// Why a sink's task ended early.
    async fn sink_fault(&mut self, sink: usize) -> Result<(), RunError> {
        let (_, task) = self.sinks.swap_remove(sink);
        match task.await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => Err(RunError::Task("a sink ended early".to_owned())),
            Err(error) => Err(RunError::Task(error.to_string())),
        }
    }

    /// Waits until every row that was written is durable.
    async fn flush(&mut self) -> Result<(), RunError> {
        let mut waiting = Vec::with_capacity(self.sinks.len());
        for (index, (sender, _)) in self.sinks.iter().enumerate() {
            let (done, answer) = oneshot::channel();
            if sender.send(SinkMessage::Flush(done)).await.is_err() {
                return self.sink_fault(index).await;
            }
            waiting.push((index, answer));
        }
        for (index, answer) in waiting {
            if answer.await.is_err() {
                return self.sink_fault(index).await;
            }
        }
        Ok(())
    }

    /// Writes a checkpoint, and says whether that was done. A service that is down for a while does not end the run: the
    /// last checkpoint stays usable, and the next interval tries again.
    async fn try_checkpoint(&mut self) -> Result<bool, RunError> {
        match self.checkpoint().await {
            Err(RunError::State(error @ StateError::Unavailable { .. })) => {
                self.stats.failed_checkpoints.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "the checkpoint is put off; a restart now would repeat more than an interval");
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// Writes a checkpoint. The sinks are flushed first: what the positions have passed must be durable.
    async fn checkpoint(&mut self) -> Result<(), RunError> {
        self.flush().await?;
        let Some(store) = &self.store else { return Ok(()) };
        let mut operators = Vec::new();
        for (operator, running) in self.operators.iter_mut().enumerate() {
            let tables = match &mut running.state {
                Some(state) => state.snapshot()?,
                None => Vec::new(),
            };
            operators.push(OperatorState { operator, watermark: running.watermark, tables });
        }
        let checkpoint = Checkpoint { sources: self.sources.clone(), operators };
        let bytes = store.save(checkpoint).await?;
        self.stats.checkpoints.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(bytes, "checkpoint written");
        Ok(())
    }

    /// Ends all tasks; sinks flush what they still hold when the run went well.
    async fn close(&mut self, went_well: bool) -> Result<(), RunError> {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        let mut result = Ok(());
        for (sender, task) in self.sinks.drain(..) {
            if !went_well {
                task.abort();
                continue;
            }
            drop(sender);
            let ended = task.await.unwrap_or_else(|e| Err(RunError::Task(e.to_string())));
            result = result.and(ended);
        }
        result
    }
}
