//! What flows between operators, and how late rows are told and counted.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use crate::exec::stats::Stats;
use crate::program::{NodeId, Program};

/// Rows on their way, with what their source knew of time when each of them came.
#[derive(Debug, Clone)]
pub(crate) struct TracedBatch {
    pub(crate) batch: RecordBatch,
    /// `None` for results of windows and of their joins.
    pub(crate) provenance: Option<Arc<Provenance>>,
}

/// What a source knew of time while it read one batch.
#[derive(Debug)]
pub(crate) struct Provenance {
    /// `None` for pairs of a join.
    pub(crate) source: Option<usize>,
    /// The watermark before each row of the batch; `None` when no row of the batch is behind it.
    pub(crate) before: Option<Vec<i64>>,
    /// Rows that have no usable time, in ascending order: they are counted as such and not as late.
    pub(crate) without_time: Vec<u32>,
    /// Rows that some window has dropped, and the rules that missed them.
    pub(crate) dropped: Mutex<HashSet<(u32, Option<usize>)>>,
}

impl Provenance {
    /// Of the pairs of a join, with the watermark before each.
    pub(crate) fn of_pairs(before: Vec<i64>) -> Self {
        Self { source: None, before: Some(before), without_time: Vec::new(), dropped: Mutex::default() }
    }
}

/// The watermarks by which a batch's rows are judged late.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LatenessRule<'a> {
    AllOnTime,
    Rows(&'a [i64]),
    Fixed(i64),
}

impl TracedBatch {
    /// Rows of a source are judged by what the source had said before them. Batches do not matter. Rows that have
    /// no such history by what the operator has emitted.
    pub(crate) fn lateness(&self, emitted: i64) -> LatenessRule<'_> {
        match self.provenance.as_deref() {
            Some(Provenance { before: None, .. }) => LatenessRule::AllOnTime,
            Some(Provenance { before: Some(before), .. }) => LatenessRule::Rows(before),
            None => LatenessRule::Fixed(emitted),
        }
    }
}

impl LatenessRule<'_> {
    pub(crate) fn all_on_time(self) -> bool {
        matches!(self, Self::AllOnTime | Self::Fixed(i64::MIN))
    }

    pub(crate) fn watermark_at(self, row: u32) -> i64 {
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
pub(crate) struct LateRowCounter {
    stats: Arc<Stats>,
    /// The rules that the operator's rows reach.
    rules: Vec<usize>,
}

impl LateRowCounter {
    pub(crate) fn new(stats: Arc<Stats>, program: &Program, operator: NodeId) -> Self {
        let rules = program.rules.iter().enumerate().filter(|(_, rule)| rule.reads(operator)).map(|(n, _)| n).collect();
        Self { stats, rules }
    }

    pub(crate) fn add(&mut self, traced: &TracedBatch, row: u32) {
        let Some(provenance) = &traced.provenance else { return };
        let without_time = provenance.without_time.binary_search(&row).is_ok();
        let mut dropped = provenance.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        // The source itself has counted rows without time when it read them.
        if dropped.insert((row, None))
            && let Some(counters) = provenance.source.and_then(|s| self.stats.sources.get(s)).filter(|_| !without_time)
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
