//! Aggregates by group: DataFusion's accumulators over the groups of one bin, and their partial states.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalExpr};

use super::keys::{KeyEncoder, KeyTable, Picked};
use super::rows::Rows;
use crate::plan::Window;

/// One aggregate of a window operator.
#[derive(Debug, Clone)]
pub(crate) struct AggregateSpec {
    function: Arc<AggregateFunctionExpr>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    states: usize,
}

impl AggregateSpec {
    pub(crate) fn new(function: Arc<AggregateFunctionExpr>, filter: Option<Arc<dyn PhysicalExpr>>) -> Result<Self> {
        let mut arguments = function.expressions();
        arguments.extend(function.order_bys().into_iter().flat_map(|o| o.iter().map(|s| Arc::clone(&s.expr))));
        let states = function.state_fields()?.len();
        Ok(Self { function, arguments, filter, states })
    }

    pub(super) fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    pub(super) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        if self.function.groups_accumulator_supported() {
            return self.function.create_groups_accumulator();
        }
        let function = Arc::clone(&self.function);
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
    }
}

/// An aggregate in a time window.
#[derive(Debug, Clone)]
pub(crate) struct WindowSpec {
    pub(crate) rows: Rows,
    pub(crate) keys: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) time: Arc<dyn PhysicalExpr>,
    pub(crate) row: Arc<dyn PhysicalExpr>,
    pub(crate) aggregates: Vec<AggregateSpec>,
    pub(crate) window: Window,
    /// Where the window stands among the output's columns.
    pub(crate) window_index: usize,
    pub(crate) schema: SchemaRef,
}

impl WindowSpec {
    #[allow(clippy::too_many_arguments, reason = "the parts of one specification, passed once")]
    pub(crate) fn new(
        rows: Rows,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        time: Arc<dyn PhysicalExpr>,
        row: Arc<dyn PhysicalExpr>,
        aggregates: Vec<AggregateSpec>,
        window: Window,
        window_index: usize,
        schema: SchemaRef,
    ) -> Result<Self> {
        if keys.len() + aggregates.len() + 2 != schema.fields().len() {
            return internal_err!("window of {} keys and {} aggregates gives {}", keys.len(), aggregates.len(), schema);
        }
        Ok(Self { rows, keys, time, row, aggregates, window, window_index, schema })
    }

    pub(super) fn key_encoder(&self) -> Result<KeyEncoder> {
        let types = self.keys.iter().map(|k| k.data_type(&self.rows.schema)).collect::<Result<Vec<_>>>()?;
        KeyEncoder::new(&types)
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

/// The groups of one bin and their accumulators.
pub(super) struct Groups {
    keys: KeyTable,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Groups").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Groups {
    pub(super) fn new(spec: &WindowSpec, encoder: &KeyEncoder) -> Result<Self> {
        let accumulators = spec.aggregates.iter().map(AggregateSpec::accumulator).collect::<Result<_>>()?;
        Ok(Self { keys: KeyTable::new(encoder), accumulators })
    }

    /// Adds some rows of a batch.
    pub(super) fn update(
        &mut self,
        encoder: &KeyEncoder,
        encoded: Option<&arrow::row::Rows>,
        inputs: &Inputs,
        picked: Picked<'_>,
        groups: &mut Vec<usize>,
    ) -> Result<()> {
        self.keys.intern(encoder, encoded, picked, groups);
        let total = self.keys.len();
        let indices = match picked {
            Picked::All(_) => None,
            Picked::Some(rows) => Some(UInt32Array::from(rows.to_vec())),
        };
        for (accumulator, arguments) in self.accumulators.iter_mut().zip(&inputs.arguments) {
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

    /// Adds partial states.
    pub(super) fn merge(&mut self, encoder: &KeyEncoder, partial: &Partial, groups: &mut Vec<usize>) -> Result<()> {
        let encoded = encoder.encode(&partial.keys)?;
        self.keys.intern(encoder, encoded.as_ref(), Picked::All(partial.rows), groups);
        let total = self.keys.len();
        for (accumulator, states) in self.accumulators.iter_mut().zip(&partial.states) {
            accumulator.merge_batch(states, groups, None, total)?;
        }
        Ok(())
    }

    /// The groups' keys and results; the accumulators are spent.
    pub(super) fn finish(mut self, encoder: &KeyEncoder) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>, usize)> {
        let values = self.accumulators.iter_mut().map(|a| a.evaluate(EmitTo::All)).collect::<Result<_>>()?;
        Ok((self.keys.columns(encoder)?, values, self.keys.len()))
    }

    /// The groups' keys and partial states; the accumulators are spent.
    pub(super) fn into_partial(mut self, encoder: &KeyEncoder) -> Result<Partial> {
        let states = self.accumulators.iter_mut().map(|a| a.state(EmitTo::All)).collect::<Result<_>>()?;
        Ok(Partial { rows: self.keys.len(), keys: self.keys.columns(encoder)?, states })
    }

    pub(super) fn size(&self) -> usize {
        self.keys.size() + self.accumulators.iter().map(|a| a.size()).sum::<usize>()
    }
}

/// Keys and partial states of groups.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    pub(super) rows: usize,
    pub(super) keys: Vec<ArrayRef>,
    /// By aggregate.
    pub(super) states: Vec<Vec<ArrayRef>>,
}

impl Partial {
    /// Joins partials end to end, in order.
    pub(super) fn concat(partials: &[&Self]) -> Result<Self> {
        if let [one] = partials {
            return Ok((*one).clone());
        }
        let Some(first) = partials.first() else { return internal_err!("no partials") };
        let join = |pick: &dyn Fn(&Self) -> Option<&ArrayRef>| -> Result<ArrayRef> {
            let parts: Vec<&dyn Array> = partials.iter().filter_map(|p| pick(p)).map(AsRef::as_ref).collect();
            Ok(arrow::compute::concat(&parts)?)
        };
        let keys = (0..first.keys.len()).map(|k| join(&|p| p.keys.get(k))).collect::<Result<_>>()?;
        let mut states = Vec::with_capacity(first.states.len());
        for (nth, state) in first.states.iter().enumerate() {
            states.push((0..state.len()).map(|s| join(&|p| p.states.get(nth)?.get(s))).collect::<Result<_>>()?);
        }
        Ok(Self { rows: partials.iter().map(|p| p.rows).sum(), keys, states })
    }

    pub(super) fn size(&self) -> usize {
        self.keys.iter().chain(self.states.iter().flatten()).map(|a| a.get_array_memory_size()).sum()
    }

    /// As one batch, for a checkpoint.
    pub(super) fn to_batch(&self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.keys.iter().chain(self.states.iter().flatten()).cloned().collect();
        let fields: Vec<arrow::datatypes::Field> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| arrow::datatypes::Field::new(format!("c{i}"), c.data_type().clone(), true))
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(arrow::datatypes::Schema::new(fields).into(), columns, &options)?)
    }

    /// Back from a checkpoint.
    pub(super) fn from_batch(spec: &WindowSpec, batch: &RecordBatch) -> Result<Self> {
        let mut columns = batch.columns().iter().cloned();
        let keys: Vec<ArrayRef> = columns.by_ref().take(spec.keys.len()).collect();
        let states: Vec<Vec<ArrayRef>> =
            spec.aggregates.iter().map(|a| columns.by_ref().take(a.states).collect()).collect();
        if states.iter().zip(&spec.aggregates).any(|(s, a)| s.len() != a.states) || columns.next().is_some() {
            return internal_err!("the state of a window has {} columns", batch.num_columns());
        }
        Ok(Self { rows: batch.num_rows(), keys, states })
    }
}
