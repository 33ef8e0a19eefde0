//! Aggregates of DataFusion 48 whose accumulators do not keep the contract: the result would be wrong, or an error, in an
//! `OVER` or above one.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::correlation::CorrelationGroupsAccumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, Signature,
};

/// What is wrong with an aggregate.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `evaluate` takes the values away; an `OVER` calls it for each row.
    SpentByEvaluate,
    /// The groups that were given out are kept, so that the next ones are counted from the wrong place.
    KeepsWhatItGave,
}

/// The aggregate with its fault mended, where it has one.
pub(super) fn corrected(function: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    let fault = match function.name() {
        "median" => Fault::SpentByEvaluate,
        "corr" => Fault::KeepsWhatItGave,
        _ => return function,
    };
    Arc::new(AggregateUDF::new_from_impl(Corrected { function, fault }))
}

#[derive(Debug)]
struct Corrected {
    function: Arc<AggregateUDF>,
    fault: Fault,
}

impl AggregateUDFImpl for Corrected {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.function.return_type(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let inner = self.function.accumulator(args)?;
        Ok(match self.fault {
            Fault::SpentByEvaluate => Box::new(Kept { inner, result: None }),
            Fault::KeepsWhatItGave => inner,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.function.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.function.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        match self.fault {
            Fault::SpentByEvaluate => self.function.create_groups_accumulator(args),
            Fault::KeepsWhatItGave => Ok(Box::new(Correlations(CorrelationGroupsAccumulator::new()))),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

/// An accumulator that has its values after `evaluate` as before.
#[derive(Debug)]
struct Kept {
    inner: Box<dyn Accumulator>,
    /// Of the values so far: an `OVER` without `ORDER BY` asks for each row of the partition.
    result: Option<ScalarValue>,
}

impl Accumulator for Kept {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.result = None;
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(result) = &self.result {
            return Ok(result.clone());
        }
        // To ask for the state takes the values away as well.
        let state = self.inner.state()?;
        let state = state.iter().map(ScalarValue::to_array).collect::<Result<Vec<_>>>()?;
        self.inner.merge_batch(&state)?;
        let result = self.inner.evaluate()?;
        self.inner.merge_batch(&state)?;
        self.result = Some(result.clone());
        Ok(result)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.result = None;
        self.inner.merge_batch(states)
    }
}

/// Correlations by group, without the groups that were given out.
struct Correlations(CorrelationGroupsAccumulator);

impl Correlations {
    fn forget(&mut self, given: EmitTo) -> Result<()> {
        let mut old = std::mem::take(&mut self.0);
        let EmitTo::First(given) = given else { return Ok(()) };
        let states: Vec<ArrayRef> =
            old.state(EmitTo::All)?.iter().map(|s| s.slice(given, s.len().saturating_sub(given))).collect();
        let left = states.first().map_or(0, |s| s.len());
        self.0.merge_batch(&states, &(0..left).collect::<Vec<_>>(), None, left)
    }
}

impl GroupsAccumulator for Correlations {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.0.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let results = self.0.evaluate(emit_to)?;
        self.forget(emit_to)?;
        Ok(results)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.0.state(emit_to)?;
        self.forget(emit_to)?;
        Ok(states)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.0.merge_batch(states, groups, filter, total)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
