//! The closed bins of a hopping window, merged window by window.
//!
//! A window of `n` bins is not merged from `n` partial states: bins are combined in pairs, pairs in fours and so on, as
//! windows need them, and each window is made of at most two such blocks a level. Only the blocks that windows are made of
//! are kept: what a block was made of is made again when windows come to start inside the block, so that each is made at
//! most twice and the state is little more than the bins themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use datafusion::common::Result;

use crate::exec::aggregates::accumulate::{GroupResults, Groups, PartialStates};
use crate::exec::rows::failures::{Failures, attempt};
use crate::exec::time::Bins;
use crate::program::WindowSpec;

/// Closed bins, and the blocks made of them.
#[derive(Debug)]
pub(crate) struct ClosedBins {
    grid: Bins,
    /// How many bins make a window.
    length: i128,
    /// Whether other partitions hold groups of the same bins.
    ordered: bool,
    /// By the bin's number.
    bins: BTreeMap<i64, Arc<PartialStates>>,
    /// By level and number; `None` where a block has no rows.
    blocks: HashMap<(u32, i64), Option<Arc<PartialStates>>>,
    /// The number of the bin behind the next window: all windows that end earlier were emitted.
    next_end: i128,
    /// The newest window, if it is small.
    newest: Option<Window>,
}

/// What a window was made of, and what came of it. Where bins are few, windows that follow each other hold the same.
#[derive(Debug)]
struct Window {
    parts: Vec<Weak<PartialStates>>,
    finished: GroupResults,
}

/// A window of more rows is not kept: it is expensive to hold, and the next one seldom has the same bins.
const KEPT_ROWS: usize = 64;

impl ClosedBins {
    pub(crate) fn new(grid: Bins, length: i128, ordered: bool) -> Self {
        let next_end = i128::from(i64::MIN);
        Self { grid, length, ordered, bins: BTreeMap::new(), blocks: HashMap::new(), next_end, newest: None }
    }

    pub(crate) fn insert(&mut self, number: i64, partial: PartialStates) {
        self.bins.insert(number, Arc::new(partial));
    }

    /// Sets the order of a bin's groups among those of all partitions.
    pub(crate) fn set_order(&mut self, number: i64, firsts: Vec<u32>, span: usize) {
        if let Some(partial) = self.bins.get_mut(&number) {
            Arc::make_mut(partial).set_order(firsts, span);
        }
    }

    /// Keys of all partial states, each as often as it is held.
    pub(crate) fn held(&self) -> usize {
        self.partials().map(|p| p.numbers.len()).sum()
    }

    pub(crate) fn partials(&self) -> impl Iterator<Item = &PartialStates> {
        self.bins.values().chain(self.blocks.values().flatten()).map(AsRef::as_ref)
    }

    pub(crate) fn renumber(&mut self, renumbered: &[u32]) {
        for partial in self.bins.values_mut().chain(self.blocks.values_mut().flatten()) {
            *partial = Arc::new(partial.renumbered(renumbered));
        }
    }

    /// The bins' numbers.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i64> {
        self.bins.keys().copied()
    }

    /// The bin of a number.
    pub(crate) fn bin(&self, number: i64) -> Option<&PartialStates> {
        self.bins.get(&number).map(AsRef::as_ref)
    }

    pub(crate) fn next_end(&self) -> i128 {
        self.next_end
    }

    pub(crate) fn set_next_end(&mut self, next_end: i128) {
        self.next_end = next_end;
    }

    /// The next window with rows that ends at or before the watermark: the number of the bin behind it, and its results.
    pub(crate) fn next_window(
        &mut self,
        watermark: i64,
        (spec, failures): (&WindowSpec, &Failures),
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Option<(i128, GroupResults)> {
        let first = self.bins.first_key_value().map(|(first, _)| i128::from(*first))?;
        let end = self.next_end.max(first + 1);
        if self.grid.start(end) > watermark {
            return None;
        }
        let start = (end - self.length).max(first);
        let window = attempt(|| self.window(start, end, (spec, failures), known, groups));
        let finished = window.unwrap_or_else(|error| {
            failures.add(1, &error);
            GroupResults::default()
        });
        self.next_end = end + 1;
        self.forget_before(self.next_end - self.length);
        Some((end, finished))
    }

    /// The results of the bins from one number up to another.
    fn window(
        &mut self,
        start: i128,
        end: i128,
        (spec, failures): (&WindowSpec, &Failures),
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Result<GroupResults> {
        let mut parts = Vec::new();
        let mut at = start;
        while at < end {
            let mut level = at.trailing_zeros().min(62);
            while level > 0 && (1i128 << level) > end - at {
                level -= 1;
            }
            // No bin is behind the last one that there can be.
            if let Ok(number) = i64::try_from(at >> level) {
                parts.extend(self.block(level, number, spec, known, groups)?);
            }
            at += 1i128 << level;
        }
        self.finished(&parts, (spec, failures), known, groups)
    }

    /// The results of merged parts; those of the window before where it had the same parts.
    fn finished(
        &mut self,
        parts: &[Arc<PartialStates>],
        (spec, failures): (&WindowSpec, &Failures),
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Result<GroupResults> {
        let same = |newest: &&Window| {
            let pairs = newest.parts.iter().zip(parts);
            newest.parts.len() == parts.len()
                && pairs.into_iter().all(|(a, b)| std::ptr::eq(a.as_ptr(), Arc::as_ptr(b)))
        };
        if let Some(newest) = self.newest.as_ref().filter(same) {
            return Ok(newest.finished.clone());
        }
        let merged = Groups::merged(spec, self.ordered, parts.iter().map(AsRef::as_ref), known, groups)?;
        let finished = merged.finish(spec, failures);
        self.newest = (finished.numbers.len() <= KEPT_ROWS)
            .then(|| Window { parts: parts.iter().map(Arc::downgrade).collect(), finished: finished.clone() });
        Ok(finished)
    }

    fn block(
        &mut self,
        level: u32,
        number: i64,
        spec: &WindowSpec,
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Result<Option<Arc<PartialStates>>> {
        if level == 0 {
            return Ok(self.bins.get(&number).cloned());
        }
        if let Some(block) = self.blocks.get(&(level, number)) {
            return Ok(block.clone());
        }
        let left = self.block(level - 1, number * 2, spec, known, groups)?;
        let right = self.block(level - 1, number * 2 + 1, spec, known, groups)?;
        let block = match (left, right) {
            (Some(left), Some(right)) => {
                let parts = [left.as_ref(), right.as_ref()];
                Some(Arc::new(Groups::merged(spec, self.ordered, parts, known, groups)?.into_partial()?))
            }
            (one, other) => one.or(other),
        };
        self.blocks.remove(&(level - 1, number * 2));
        self.blocks.remove(&(level - 1, number * 2 + 1));
        self.blocks.insert((level, number), block.clone());
        Ok(block)
    }

    /// Drops what no later window covers.
    fn forget_before(&mut self, first: i128) {
        let kept = match i64::try_from(first) {
            Ok(first) => self.bins.split_off(&first),
            Err(_) if first < 0 => return,
            Err(_) => BTreeMap::new(),
        };
        let dropped = std::mem::replace(&mut self.bins, kept);
        if !dropped.is_empty() {
            self.blocks.retain(|(level, number), _| i128::from(*number) << level >= first);
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.partials().map(PartialStates::size).sum()
    }
}
