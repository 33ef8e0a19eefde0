//! Aggregates by group: DataFusion's accumulators over the groups of one bin, and their partial states.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, UInt32Array};
use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::concat;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::GroupsAccumulatorAdapter;

use super::arguments::EvaluatedBatch;
use super::covariance::CovarianceGroupsAccumulator;
use super::keys::{GroupMap, Keys, RowSelection, renewed};
use super::variance::VarianceGroupsAccumulator;
use crate::exec::rows::failures::{Failures, attempt};
use crate::program::{AggregateSpec, Window, WindowSpec};

/// Arroyo runs the aggregates of a session one session at a time, those of other windows many groups at a time.
fn new_accumulator(spec: &AggregateSpec, in_session: bool) -> Result<Box<dyn GroupsAccumulator>> {
    if !spec.function.is_distinct() {
        if let Some(deviations) = VarianceGroupsAccumulator::of(spec.function.fun()) {
            return Ok(Box::new(deviations));
        }
        if let Some(pairs) = CovarianceGroupsAccumulator::of(spec.function.fun()) {
            return Ok(Box::new(pairs));
        }
    }
    // DataFusion's accumulator of many groups takes the first of equal rows for the last.
    let by_row = in_session && spec.function.fun().name() == "last_value";
    if spec.function.groups_accumulator_supported() && !by_row {
        return spec.function.create_groups_accumulator();
    }
    let function = Arc::clone(&spec.function);
    Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
}

/// The running results of all aggregates, group by group.
pub(crate) struct Accumulators(Vec<Box<dyn GroupsAccumulator>>);

impl std::fmt::Debug for Accumulators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Accumulators").field(&self.0.len()).finish()
    }
}

impl Accumulators {
    pub(crate) fn new(spec: &WindowSpec) -> Result<Self> {
        let in_session = matches!(spec.window, Window::Session { .. });
        Ok(Self(spec.aggregates.iter().map(|a| new_accumulator(a, in_session)).collect::<Result<_>>()?))
    }

    /// Adds the picked rows, each to its group of `total`.
    pub(crate) fn update(
        &mut self,
        inputs: &EvaluatedBatch,
        picked: RowSelection<'_>,
        groups: &[usize],
        total: usize,
    ) -> Result<()> {
        let indices = match picked {
            RowSelection::All => None,
            RowSelection::Some(rows) => Some(UInt32Array::from(rows.to_vec())),
        };
        for (accumulator, arguments) in self.0.iter_mut().zip(&inputs.arguments) {
            match &indices {
                None => accumulator.update_batch(&arguments.values, groups, arguments.filter.as_ref(), total)?,
                Some(indices) => {
                    let part = arguments.take(indices)?;
                    accumulator.update_batch(&part.values, groups, part.filter.as_ref(), total)?;
                }
            }
        }
        Ok(())
    }

    /// Adds partial states, each to its group of `total`.
    fn merge(&mut self, states: &[Vec<ArrayRef>], groups: &[usize], total: usize) -> Result<()> {
        for (accumulator, states) in self.0.iter_mut().zip(states) {
            accumulator.merge_batch(states, groups, None, total)?;
        }
        Ok(())
    }

    /// The results; the accumulators are spent.
    pub(crate) fn finish(mut self) -> Result<Vec<ArrayRef>> {
        self.0.iter_mut().map(|a| a.evaluate(EmitTo::All)).collect()
    }

    /// The results of so many groups, and which groups have one. Where a result may fail, the states are kept until it is
    /// known that none does: else each group's are finished alone.
    fn finish_groups(
        self,
        spec: &WindowSpec,
        groups: usize,
        failures: &Failures,
    ) -> Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        if !spec.aggregates.iter().any(|a| a.may_fail) {
            return Ok((self.finish()?, None));
        }
        let states = self.into_states()?;
        let mut finish = |rows: Range<usize>| {
            let part = |column: &ArrayRef| column.slice(rows.start, rows.len());
            let states: Vec<Vec<ArrayRef>> = states.iter().map(|s| s.iter().map(part).collect()).collect();
            let mut accumulators = Self::new(spec)?;
            accumulators.merge(&states, &(0..rows.len()).collect::<Vec<_>>(), rows.len())?;
            accumulators.finish().map(|values| (rows, values))
        };
        let parts = failures.over(0..groups, &mut finish);
        if let [(rows, values)] = parts.as_slice()
            && rows.len() == groups
        {
            return Ok((values.clone(), None));
        }
        let mut kept = vec![false; groups];
        for (rows, _) in &parts {
            kept.get_mut(rows.clone()).unwrap_or_default().fill(true);
        }
        let column = |nth: usize| {
            let column: Vec<&dyn Array> = parts.iter().filter_map(|(_, v)| v.get(nth)).map(AsRef::as_ref).collect();
            if column.is_empty() { Ok(None) } else { concat(&column).map(Some) }
        };
        let columns = (0..parts.first().map_or(0, |(_, values)| values.len()))
            .map(column)
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok((columns.into_iter().flatten().collect(), Some(kept.into())))
    }

    /// The partial states; the accumulators are spent.
    fn into_states(mut self) -> Result<Vec<Vec<ArrayRef>>> {
        self.0.iter_mut().map(|a| a.state(EmitTo::All)).collect()
    }

    fn size(&self) -> usize {
        self.0.iter().map(|a| a.size()).sum()
    }
}

/// The groups of one bin and their accumulators.
#[derive(Debug)]
pub(crate) struct Groups {
    map: GroupMap,
    accumulators: Accumulators,
    /// Where the operator has several partitions: what came before what, group by group, in the order of all partitions.
    firsts: Option<Vec<u64>>,
    /// No group of the partitions came later than this.
    span: u64,
}

impl Groups {
    /// None yet; `ordered` where other partitions have groups of the same bin.
    pub(crate) fn new(spec: &WindowSpec, ordered: bool) -> Result<Self> {
        let firsts = ordered.then(Vec::new);
        Ok(Self { map: GroupMap::default(), accumulators: Accumulators::new(spec)?, firsts, span: 0 })
    }

    /// Adds some rows of a batch, whose keys have these numbers; `known` keys have one. The batch's first row is the
    /// operator's row `base`.
    pub(crate) fn update(
        &mut self,
        numbers: &[u32],
        known: usize,
        inputs: &EvaluatedBatch,
        picked: RowSelection<'_>,
        base: u64,
        groups: &mut Vec<usize>,
    ) -> Result<()> {
        let before = self.map.len();
        self.map.groups(numbers.iter().copied(), known, groups);
        self.note_firsts(before, groups, |nth| base + picked.row(nth) as u64);
        self.accumulators.update(inputs, picked, groups, self.map.len())
    }

    /// The groups of partial states, one part after the other.
    pub(crate) fn merged<'a>(
        spec: &WindowSpec,
        ordered: bool,
        parts: impl IntoIterator<Item = &'a PartialStates>,
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Result<Self> {
        let mut merged = Self::new(spec, ordered)?;
        for part in parts {
            if !part.numbers.is_empty() {
                let (before, base) = (merged.map.len(), merged.span);
                merged.map.groups(part.numbers.iter().copied(), known, groups);
                let first = |nth| part.firsts.as_ref().and_then(|f| f.get(nth)).copied().map_or(0, u64::from);
                merged.note_firsts(before, groups, |nth| base + first(nth));
                merged.accumulators.merge(&part.states, groups, merged.map.len())?;
            }
            merged.span += u64::from(part.span);
        }
        Ok(merged)
    }

    /// Notes when the groups from `before` on first came, as their rows say.
    fn note_firsts(&mut self, before: usize, groups: &[usize], first: impl Fn(usize) -> u64) {
        let Some(firsts) = self.firsts.as_mut().filter(|_| self.map.len() > before) else { return };
        for (nth, group) in groups.iter().enumerate() {
            // Groups are numbered as they come.
            if *group == firsts.len() {
                firsts.push(first(nth));
            }
        }
    }

    /// The groups' keys and results; groups whose results cannot be computed are left out and counted.
    pub(crate) fn finish(self, spec: &WindowSpec, failures: &Failures) -> GroupResults {
        let groups = self.map.len();
        attempt(|| self.results(spec, failures)).unwrap_or_else(|error| {
            failures.add(groups, &error);
            GroupResults::default()
        })
    }

    fn results(self, spec: &WindowSpec, failures: &Failures) -> Result<GroupResults> {
        let mut numbers = self.map.into_numbers();
        let mut firsts = self.firsts.unwrap_or_default();
        // Some accumulators cannot give the results of no group.
        if numbers.is_empty() {
            return Ok(GroupResults { numbers, values: Vec::new(), firsts });
        }
        let (values, kept) = self.accumulators.finish_groups(spec, numbers.len(), failures)?;
        if let Some(kept) = kept {
            let mut of_numbers = kept.values().iter();
            numbers.retain(|_| of_numbers.next().unwrap_or(false));
            let mut of_firsts = kept.values().iter();
            firsts.retain(|_| of_firsts.next().unwrap_or(false));
        }
        Ok(GroupResults { numbers, values, firsts })
    }

    /// The groups' keys and partial states.
    pub(crate) fn into_partial(self) -> Result<PartialStates> {
        let mut numbers = self.map.into_numbers();
        let mut states = if numbers.is_empty() { Vec::new() } else { self.accumulators.into_states()? };
        // They may be held for long: room to grow is given back.
        numbers.shrink_to_fit();
        states.iter_mut().flatten().for_each(Array::shrink_to_fit);
        let firsts = self.firsts.map(|firsts| firsts.iter().map(|f| short(*f)).collect());
        Ok(PartialStates { numbers, states, firsts, span: short(self.span) })
    }

    /// When each group first came, in the order of all partitions.
    pub(crate) fn firsts(&self) -> &[u64] {
        self.firsts.as_deref().unwrap_or_default()
    }

    /// Says when each group first came.
    pub(crate) fn set_firsts(&mut self, firsts: &[u64]) {
        self.firsts = self.firsts.take().map(|_| firsts.to_vec());
    }

    /// The numbers of the groups' keys.
    pub(crate) fn numbers(&self) -> &[u32] {
        self.map.numbers()
    }

    pub(crate) fn renumber(&mut self, renumbered: &[u32], known: usize) {
        self.map.renumber(renumbered, known);
    }

    pub(crate) fn size(&self) -> usize {
        self.map.size() + self.accumulators.size() + size_of_val(self.firsts())
    }
}

/// A place among the groups that an operator holds. Each group takes more than a byte of memory.
fn short(place: u64) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Keys, by number, and results of groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupResults {
    pub(crate) numbers: Vec<u32>,
    /// By aggregate; none where there are no groups.
    pub(crate) values: Vec<ArrayRef>,
    /// Where there are several partitions: what came before what.
    pub(crate) firsts: Vec<u64>,
}

/// Keys, by number, and partial states of groups.
#[derive(Debug, Clone)]
pub(crate) struct PartialStates {
    pub(crate) numbers: Vec<u32>,
    /// By aggregate; none where there are no groups.
    states: Vec<Vec<ArrayRef>>,
    /// Where there are several partitions: each group's place among the groups of all, and how many places there are.
    firsts: Option<Vec<u32>>,
    span: u32,
}

impl PartialStates {
    /// Keys by number, with the columns of a checkpoint after the keys' own.
    pub(crate) fn new(spec: &WindowSpec, numbers: Vec<u32>, columns: Vec<ArrayRef>) -> Result<Self> {
        let mut columns = columns.into_iter();
        let states: Vec<Vec<ArrayRef>> =
            spec.aggregates.iter().map(|a| columns.by_ref().take(a.states).collect()).collect();
        if !numbers.is_empty() && states.iter().zip(&spec.aggregates).any(|(s, a)| s.len() != a.states)
            || columns.next().is_some()
        {
            return internal_err!("the state of a window has other columns than its aggregates");
        }
        Ok(Self { numbers, states, firsts: None, span: 0 })
    }

    /// Sets each group's place among the groups of all partitions.
    pub(crate) fn set_order(&mut self, firsts: Vec<u32>, span: usize) {
        (self.firsts, self.span) = (Some(firsts), short(span as u64));
    }

    /// Each group's place among the groups of all partitions; none where there is one partition.
    pub(crate) fn firsts(&self) -> Vec<u64> {
        self.firsts.iter().flatten().map(|f| u64::from(*f)).collect()
    }

    /// The same states under new numbers.
    pub(crate) fn renumbered(&self, renumbered: &[u32]) -> Self {
        let numbers = self.numbers.iter().map(|n| renewed(*n, renumbered)).collect();
        Self { numbers, ..self.clone() }
    }

    pub(crate) fn size(&self) -> usize {
        self.numbers.capacity() * size_of::<u32>()
            + self.firsts.as_ref().map_or(0, |f| f.capacity() * size_of::<u32>())
            + self.states.iter().flatten().map(|a| a.get_array_memory_size()).sum::<usize>()
    }

    /// Keys and states, for a checkpoint; none where there are no groups.
    pub(crate) fn columns(&self, keys: &mut Keys) -> Result<Vec<ArrayRef>> {
        if self.numbers.is_empty() {
            return Ok(Vec::new());
        }
        Ok(keys.columns(&self.numbers)?.into_iter().chain(self.states.iter().flatten().cloned()).collect())
    }
}
