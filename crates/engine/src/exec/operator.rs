//! What flows between operators, and the operators that keep state.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::Result;

use super::bins::BinOperator;
use super::instant::InstantOperator;
use super::join::JoinOperator;
use super::session::SessionOperator;
use super::stats::Stats;
use super::{Operator, OperatorKind};
use crate::plan::{NodeId, Program, TIMESTAMP, Window};

/// Rows on their way, with what their source knew of time when each of them came.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) batch: RecordBatch,
    /// `None` for results of windows and of their joins.
    pub(super) origin: Option<Arc<Origin>>,
}

/// What a source knew of time while it read one batch.
#[derive(Debug)]
pub(super) struct Origin {
    /// `None` for pairs of a join.
    pub(super) source: Option<usize>,
    /// The watermark before each row of the batch; `None` when no row of the batch is behind it.
    pub(super) before: Option<Vec<i64>>,
    /// Rows that have no usable time, in ascending order: they are counted as such and not as late.
    pub(super) without_time: Vec<u32>,
    /// Rows that some window has dropped, and the rules that missed them.
    pub(super) dropped: Mutex<HashSet<(u32, Option<usize>)>>,
}

impl Origin {
    /// Of the pairs of a join, with the watermark before each.
    pub(super) fn of_pairs(before: Vec<i64>) -> Self {
        Self { source: None, before: Some(before), without_time: Vec::new(), dropped: Mutex::default() }
    }
}

/// The watermarks by which a chunk's rows are judged late.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judge<'a> {
    AllOnTime,
    Rows(&'a [i64]),
    Fixed(i64),
}

impl Chunk {
    /// Rows of a source are judged by what the source had said before them, whatever batch they came in; rows that have
    /// no such history by what the operator has emitted.
    pub(super) fn judge(&self, emitted: i64) -> Judge<'_> {
        match self.origin.as_deref() {
            Some(Origin { before: None, .. }) => Judge::AllOnTime,
            Some(Origin { before: Some(before), .. }) => Judge::Rows(before),
            None => Judge::Fixed(emitted),
        }
    }
}

impl Judge<'_> {
    pub(super) fn all_on_time(self) -> bool {
        matches!(self, Self::AllOnTime | Self::Fixed(i64::MIN))
    }

    pub(super) fn watermark_at(self, row: u32) -> i64 {
        match self {
            Self::AllOnTime => i64::MIN,
            Self::Rows(before) => before.get(row as usize).copied().unwrap_or(i64::MIN),
            Self::Fixed(watermark) => watermark,
        }
    }
}

/// Counts the source rows that an operator drops, each once for its source and once for every rule that misses it, however
/// many windows drop it.
#[derive(Debug, Clone)]
pub(super) struct Late {
    stats: Arc<Stats>,
    /// The rules that the operator's rows reach.
    rules: Vec<usize>,
}

impl Late {
    pub(super) fn new(stats: Arc<Stats>, program: &Program, operator: NodeId) -> Self {
        let rules = program.rules.iter().enumerate().filter(|(_, rule)| rule.reads(operator)).map(|(n, _)| n).collect();
        Self { stats, rules }
    }

    pub(super) fn add(&mut self, chunk: &Chunk, row: u32) {
        let Some(origin) = &chunk.origin else { return };
        let without_time = origin.without_time.binary_search(&row).is_ok();
        let mut dropped = origin.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        // The source itself has counted rows without time when it read them.
        if dropped.insert((row, None))
            && let Some(counters) = origin.source.and_then(|s| self.stats.sources.get(s)).filter(|_| !without_time)
        {
            counters.late.fetch_add(1, Ordering::Relaxed);
        }
        for rule in &self.rules {
            if dropped.insert((row, Some(*rule)))
                && let Some(counters) = self.stats.rules.get(*rule)
            {
                let counter = if without_time { &counters.without_time } else { &counters.late };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The state of an operator that has one.
#[derive(Debug)]
pub(super) enum State {
    Bins(Box<BinOperator>),
    Session(Box<SessionOperator>),
    Instant(InstantOperator),
    Join(Box<JoinOperator>),
}

impl State {
    /// The state that an operator starts with.
    pub(super) fn new(operators: &[Operator], operator: &Operator) -> Result<Option<Self>> {
        let schema =
            |id: NodeId| operators.get(id).map_or_else(|| Arc::new(Schema::empty()), |o| Arc::clone(&o.schema));
        let time_column = |id: NodeId| schema(id).index_of(TIMESTAMP).unwrap_or(0);
        Ok(match &operator.kind {
            OperatorKind::Window(spec) => Some(match spec.window {
                Window::Tumble { width } => Self::Bins(Box::new(BinOperator::new(spec, width, width)?)),
                Window::Hop { slide, width } => Self::Bins(Box::new(BinOperator::new(spec, slide, width)?)),
                Window::Session { gap } => Self::Session(Box::new(SessionOperator::new(spec, gap)?)),
            }),
            OperatorKind::Instant(spec) => Some(Self::Instant(InstantOperator::new(spec, time_column))),
            OperatorKind::Join(spec) => Some(Self::Join(Box::new(JoinOperator::new(
                spec,
                &schema(spec.left),
                &schema(spec.right),
                &operator.schema,
            )?))),
            _ => None,
        })
    }

    /// Takes rows of an input; a join answers at once.
    pub(super) fn push(&mut self, input: NodeId, chunk: &Chunk, late: &mut Late) -> Result<Vec<Chunk>> {
        match self {
            Self::Bins(bins) => bins.push(chunk, late)?,
            Self::Session(session) => session.push(chunk, late)?,
            Self::Instant(instant) => instant.push(input, chunk.batch.clone()),
            Self::Join(join) => return join.push(input, chunk, late),
        }
        Ok(Vec::new())
    }

    /// Emits what the watermark completes, and says how far that went: it stops early when there is much.
    pub(super) fn advance(&mut self, watermark: i64) -> Result<(Vec<RecordBatch>, i64)> {
        let output = match self {
            Self::Bins(bins) => return bins.advance(watermark),
            Self::Session(session) => session.advance(watermark)?,
            Self::Instant(instant) => instant.advance(watermark)?,
            Self::Join(join) => {
                join.advance(watermark);
                Vec::new()
            }
        };
        Ok((output, watermark))
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Bins(bins) => bins.size(),
            Self::Session(session) => session.size(),
            Self::Instant(instant) => instant.size(),
            Self::Join(join) => join.size(),
        }
    }

    /// The state as named tables.
    pub(super) fn snapshot(&mut self) -> Result<Vec<(String, RecordBatch)>> {
        match self {
            Self::Bins(bins) => bins.snapshot(),
            Self::Session(session) => session.snapshot(),
            Self::Instant(instant) => instant.snapshot(),
            Self::Join(join) => join.snapshot(),
        }
    }

    /// Takes the tables of a checkpoint back.
    pub(super) fn restore(&mut self, tables: Vec<(String, RecordBatch)>) -> Result<()> {
        match self {
            Self::Bins(bins) => bins.restore(tables),
            Self::Session(session) => session.restore(tables),
            Self::Instant(instant) => {
                instant.restore(tables);
                Ok(())
            }
            Self::Join(join) => join.restore(tables),
        }
    }
}
