//! One partition of a window operator: the bins of some of its keys, or of all.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use datafusion::common::Result;

use super::hop::ClosedBins;
use crate::exec::aggregates::accumulate::{GroupResults, Groups, PartialStates};
use crate::exec::aggregates::arguments::EvaluatedBatch;
use crate::exec::aggregates::keys::{EncodedKeys, Keys, RowSelection};
use crate::exec::rows::failures::{Failures, attempt};
use crate::exec::time::{Bins, before};
use crate::program::WindowSpec;

/// The bins of a partition. All partitions of an operator have the same bins, also where one has no group in a bin:
/// what they do next is then the same for all, and each key's states are merged as they would be with one partition.
#[derive(Debug)]
pub(crate) struct KeyPartition {
    spec: Arc<WindowSpec>,
    failures: Failures,
    pub(crate) keys: Keys,
    grid: Bins,
    /// How many bins make a window: one of a tumbling window.
    length: i128,
    /// Whether there are other partitions.
    ordered: bool,
    /// By the bin's number.
    pub(crate) open: BTreeMap<i64, Groups>,
    pub(crate) closed: ClosedBins,
    /// Room for the numbers of a batch's keys, and for their groups.
    numbers: Vec<u32>,
    groups: Vec<usize>,
}

/// What a partition did.
#[derive(Debug)]
pub(crate) enum PartitionStep {
    /// It ended a window; with the number of the bin behind it.
    Window(i128, GroupResults),
    /// It closed the bin of a number; with what came before what.
    Closed(i64, Vec<u64>),
    /// There is no more to do.
    Nothing,
}

impl KeyPartition {
    pub(crate) fn new(
        spec: &Arc<WindowSpec>,
        failures: &Failures,
        keys: Keys,
        (grid, length): (Bins, i128),
        ordered: bool,
    ) -> Self {
        Self {
            spec: Arc::clone(spec),
            failures: failures.clone(),
            keys,
            grid,
            length,
            ordered,
            open: BTreeMap::new(),
            closed: ClosedBins::new(grid, length, ordered),
            numbers: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Adds rows of a batch to a bin. The batch's first row is the operator's row `base`.
    pub(crate) fn add(
        &mut self,
        bin: i64,
        inputs: &EvaluatedBatch,
        keys: &EncodedKeys,
        picked: RowSelection<'_>,
        base: u64,
    ) -> Result<()> {
        let bin = match self.open.entry(bin) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Groups::new(&self.spec, self.ordered)?),
        };
        if matches!(picked, RowSelection::Some([])) {
            return Ok(());
        }
        self.keys.number(keys, inputs.rows, picked, &mut self.numbers);
        let known = self.keys.len();
        let update = || bin.update(&self.numbers, known, inputs, picked, base, &mut self.groups);
        if let Err(error) = attempt(update) {
            // Nobody knows which aggregates have taken the rows and which have not: the bin begins anew.
            self.failures.add(picked.count(inputs.rows), &error);
            *bin = Groups::new(&self.spec, self.ordered)?;
        }
        Ok(())
    }

    /// Closes the next bin that ends at or before the watermark, or ends the next window, whichever is first.
    pub(crate) fn step(&mut self, watermark: i64) -> Result<PartitionStep> {
        let grid = self.grid;
        let over = |number: &i64| grid.end(*number) <= watermark;
        let next = self.open.first_key_value().map(|(number, _)| *number).filter(over);
        if self.length > 1 {
            // Windows that end before this bin does not reach see only what closed earlier.
            let bound = next.map_or(watermark, |number| before(grid.end(number), 1));
            let (spec, known) = (Arc::clone(&self.spec), self.keys.len());
            let window = self.closed.next_window(bound, (&spec, &self.failures), known, &mut self.groups);
            if let Some((end, finished)) = window {
                return Ok(PartitionStep::Window(end, finished));
            }
        }
        let Some((number, groups)) = next.and_then(|number| self.open.remove_entry(&number)) else {
            return Ok(PartitionStep::Nothing);
        };
        if self.length == 1 {
            return Ok(PartitionStep::Window(i128::from(number) + 1, groups.finish(&self.spec, &self.failures)));
        }
        let (firsts, rows) = (groups.firsts().to_vec(), groups.numbers().len());
        match attempt(|| groups.into_partial()) {
            Ok(partial) => {
                self.closed.insert(number, partial);
                Ok(PartitionStep::Closed(number, firsts))
            }
            Err(error) => {
                self.failures.add(rows, &error);
                self.closed.insert(number, Groups::new(&self.spec, self.ordered)?.into_partial()?);
                Ok(PartitionStep::Closed(number, Vec::new()))
            }
        }
    }

    /// Forgets keys that no bin holds any more.
    pub(crate) fn collect_keys(&mut self) {
        let held = self.open.values().map(|g| g.numbers().len()).sum::<usize>() + self.closed.held();
        let renumbered = self.keys.collect(held, |mark| {
            self.open.values().for_each(|groups| mark(groups.numbers()));
            self.closed.partials().for_each(|partial| mark(&partial.numbers));
        });
        if let Some(renumbered) = renumbered {
            let known = self.keys.len();
            self.open.values_mut().for_each(|groups| groups.renumber(&renumbered, known));
            self.closed.renumber(&renumbered);
        }
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.keys.size() + self.open.values().map(Groups::size).sum::<usize>() + self.closed.size()
    }

    /// An open bin's states, and what came before what. Accumulators give their state only by giving it up, so the bin is
    /// built anew from it.
    pub(crate) fn state_of_open(&mut self, number: i64) -> Result<Option<(PartialStates, Vec<u64>)>> {
        let Some(groups) = self.open.remove(&number) else { return Ok(None) };
        let firsts = groups.firsts().to_vec();
        let partial = groups.into_partial()?;
        self.reopen(number, &partial)?;
        if let Some(groups) = self.open.get_mut(&number) {
            groups.set_firsts(&firsts);
        }
        Ok(Some((partial, firsts)))
    }

    /// Builds an open bin from states.
    pub(crate) fn reopen(&mut self, number: i64, partial: &PartialStates) -> Result<()> {
        let groups = Groups::merged(&self.spec, self.ordered, [partial], self.keys.len(), &mut self.groups)?;
        self.open.insert(number, groups);
        Ok(())
    }

    /// Numbers the keys of some rows, for states that are handed in.
    pub(crate) fn number(&mut self, keys: &EncodedKeys, rows: usize, picked: RowSelection<'_>) -> Vec<u32> {
        self.keys.number(keys, rows, picked, &mut self.numbers);
        self.numbers.clone()
    }
}
