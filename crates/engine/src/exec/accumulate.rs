//! Aggregates by group: DataFusion's accumulators over the groups of one bin, and their partial states.

use std::sync::Arc;

use arrow::array::{Array, UInt32Array};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalExpr};

use super::keys::{GroupMap, Keys, Picked, renewed};
use super::pairs::Pairs;
use super::variance::Deviations;
use crate::program::{AggregateSpec, Window, WindowSpec};

impl AggregateSpec {
    pub(super) fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    pub(super) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Arroyo runs the aggregates of a session one session at a time, those of other windows many groups at a time.
    fn accumulator(&self, in_session: bool) -> Result<Box<dyn GroupsAccumulator>> {
        if !self.function.is_distinct() {
            if let Some(deviations) = Deviations::of(self.function.fun()) {
                return Ok(Box::new(deviations));
            }
            if let Some(pairs) = Pairs::of(self.function.fun()) {
                return Ok(Box::new(pairs));
            }
        }
        // DataFusion's accumulator of many groups takes the first of equal rows for the last.
        let by_row = in_session && self.function.fun().name() == "last_value";
        if self.function.groups_accumulator_supported() && !by_row {
            return self.function.create_groups_accumulator();
        }
        let function = Arc::clone(&self.function);
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
    }
}

impl WindowSpec {
    pub(super) fn key_table(&self) -> Result<Keys> {
        Ok(Keys::new(self.key_converter()?))
    }

    /// Encodes keys as comparable bytes; `None` where there are no keys.
    pub(super) fn key_converter(&self) -> Result<Option<RowConverter>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let field = |k: &Arc<dyn PhysicalExpr>| Ok(SortField::new(k.data_type(&self.rows.schema)?));
        Ok(Some(RowConverter::new(self.keys.iter().map(field).collect::<Result<_>>()?)?))
    }

    /// Evaluates keys, arguments and filters over a batch.
    pub(super) fn evaluate(&self, batch: &RecordBatch) -> Result<Inputs> {
        let rows = batch.num_rows();
        let array = |e: &Arc<dyn PhysicalExpr>| e.evaluate(batch)?.into_array(rows);
        let keys = self.keys.iter().map(array).collect::<Result<_>>()?;
        let mut arguments = Vec::with_capacity(self.aggregates.len());
        for aggregate in &self.aggregates {
            let values = aggregate.arguments.iter().map(array).collect::<Result<_>>()?;
            let filter = match &aggregate.filter {
                Some(filter) => {
                    let array = array(filter)?;
                    let filter = array.as_boolean_opt().ok_or_else(|| exec_datafusion_err!("FILTER is not boolean"))?;
                    Some(filter.clone())
                }
                None => None,
            };
            arguments.push(Arguments { values, filter });
        }
        Ok(Inputs { rows, keys, arguments })
    }

    /// Puts keys, window, aggregates and time in the output's order.
    pub(super) fn output(
        &self,
        keys: Vec<ArrayRef>,
        window: ArrayRef,
        values: Vec<ArrayRef>,
        time: ArrayRef,
    ) -> Result<RecordBatch> {
        let mut columns = keys;
        columns.insert(self.window_index.min(columns.len()), window);
        columns.extend(values);
        columns.push(time);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// A batch as a window operator needs it.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) rows: usize,
    pub(super) keys: Vec<ArrayRef>,
    pub(super) arguments: Vec<Arguments>,
}

/// One aggregate's inputs.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) values: Vec<ArrayRef>,
    pub(super) filter: Option<BooleanArray>,
}

impl Arguments {
    fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let values = self.values.iter().map(|v| Ok(take(v, indices, None)?)).collect::<Result<_>>()?;
        let filter = match &self.filter {
            Some(filter) => take(filter, indices, None)?.as_boolean_opt().cloned(),
            None => None,
        };
        Ok(Self { values, filter })
    }
}

/// The running results of all aggregates, group by group.
pub(super) struct Accumulators(Vec<Box<dyn GroupsAccumulator>>);

impl std::fmt::Debug for Accumulators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Accumulators").field(&self.0.len()).finish()
    }
}

impl Accumulators {
    pub(super) fn new(spec: &WindowSpec) -> Result<Self> {
        let in_session = matches!(spec.window, Window::Session { .. });
        Ok(Self(spec.aggregates.iter().map(|a| a.accumulator(in_session)).collect::<Result<_>>()?))
    }

    /// Adds the picked rows, each to its group of `total`.
    pub(super) fn update(&mut self, inputs: &Inputs, picked: Picked<'_>, groups: &[usize], total: usize) -> Result<()> {
        let indices = match picked {
            Picked::All => None,
            Picked::Some(rows) => Some(UInt32Array::from(rows.to_vec())),
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
    pub(super) fn finish(mut self) -> Result<Vec<ArrayRef>> {
        self.0.iter_mut().map(|a| a.evaluate(EmitTo::All)).collect()
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
pub(super) struct Groups {
    map: GroupMap,
    accumulators: Accumulators,
}

impl Groups {
    pub(super) fn new(spec: &WindowSpec) -> Result<Self> {
        Ok(Self { map: GroupMap::default(), accumulators: Accumulators::new(spec)? })
    }

    /// Adds some rows of a batch, whose keys have these numbers; `known` keys have one.
    pub(super) fn update(
        &mut self,
        numbers: &[u32],
        known: usize,
        inputs: &Inputs,
        picked: Picked<'_>,
        groups: &mut Vec<usize>,
    ) -> Result<()> {
        match picked {
            Picked::All => self.map.groups(numbers.iter().copied(), known, groups),
            Picked::Some(rows) => {
                let number = |row: &u32| numbers.get(*row as usize).copied().unwrap_or_default();
                self.map.groups(rows.iter().map(number), known, groups);
            }
        }
        self.accumulators.update(inputs, picked, groups, self.map.len())
    }

    /// The groups of partial states, one part after the other.
    pub(super) fn merged<'a>(
        spec: &WindowSpec,
        parts: impl IntoIterator<Item = &'a Partial>,
        known: usize,
        groups: &mut Vec<usize>,
    ) -> Result<Self> {
        let mut merged = Self::new(spec)?;
        for part in parts {
            merged.map.groups(part.numbers.iter().copied(), known, groups);
            merged.accumulators.merge(&part.states, groups, merged.map.len())?;
        }
        Ok(merged)
    }

    /// The groups' keys and results.
    pub(super) fn finish(self) -> Result<Finished> {
        Ok(Finished { numbers: self.map.into_numbers(), values: self.accumulators.finish()? })
    }

    /// The groups' keys and partial states.
    pub(super) fn into_partial(self) -> Result<Partial> {
        let (mut numbers, mut states) = (self.map.into_numbers(), self.accumulators.into_states()?);
        // They may be held for long: room to grow is given back.
        numbers.shrink_to_fit();
        states.iter_mut().flatten().for_each(Array::shrink_to_fit);
        Ok(Partial { numbers, states })
    }

    /// The numbers of the groups' keys.
    pub(super) fn numbers(&self) -> &[u32] {
        self.map.numbers()
    }

    pub(super) fn renumber(&mut self, renumbered: &[u32], known: usize) {
        self.map.renumber(renumbered, known);
    }

    pub(super) fn size(&self) -> usize {
        self.map.size() + self.accumulators.size()
    }
}

/// Keys, by number, and results of groups.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) numbers: Vec<u32>,
    /// By aggregate.
    pub(super) values: Vec<ArrayRef>,
}

/// Keys, by number, and partial states of groups.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    pub(super) numbers: Vec<u32>,
    /// By aggregate.
    states: Vec<Vec<ArrayRef>>,
}

impl Partial {
    /// The same states under new numbers.
    pub(super) fn renumbered(&self, renumbered: &[u32]) -> Self {
        let numbers = self.numbers.iter().map(|n| renewed(*n, renumbered)).collect();
        Self { numbers, states: self.states.clone() }
    }

    pub(super) fn size(&self) -> usize {
        self.numbers.capacity() * size_of::<u32>()
            + self.states.iter().flatten().map(|a| a.get_array_memory_size()).sum::<usize>()
    }

    /// As one batch, keys first, for a checkpoint.
    pub(super) fn to_batch(&self, keys: &mut Keys) -> Result<RecordBatch> {
        let keys = keys.columns(&self.numbers)?;
        let columns: Vec<ArrayRef> = keys.into_iter().chain(self.states.iter().flatten().cloned()).collect();
        let fields: Vec<arrow::datatypes::Field> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| arrow::datatypes::Field::new(format!("c{i}"), c.data_type().clone(), true))
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.numbers.len()));
        Ok(RecordBatch::try_new_with_options(arrow::datatypes::Schema::new(fields).into(), columns, &options)?)
    }

    /// Back from a checkpoint.
    pub(super) fn from_batch(spec: &WindowSpec, keys: &mut Keys, batch: &RecordBatch) -> Result<Self> {
        let mut columns = batch.columns().iter().cloned();
        let key_columns: Vec<ArrayRef> = columns.by_ref().take(spec.keys.len()).collect();
        let states: Vec<Vec<ArrayRef>> =
            spec.aggregates.iter().map(|a| columns.by_ref().take(a.states).collect()).collect();
        if states.iter().zip(&spec.aggregates).any(|(s, a)| s.len() != a.states) || columns.next().is_some() {
            return internal_err!("the state of a window has {} columns", batch.num_columns());
        }
        let mut numbers = Vec::new();
        keys.number(&key_columns, batch.num_rows(), &mut numbers)?;
        Ok(Self { numbers, states })
    }
}
