//! Variance and standard deviation by group. DataFusion's own take a state that was written down into an empty group as
//! `mean × n ÷ n`, which is not always `mean`: the last digit of a result would depend on when a checkpoint was written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::functions_aggregate::stddev::{Stddev, StddevPop};
use datafusion::functions_aggregate::variance::{VariancePopulation, VarianceSample};
use datafusion::logical_expr::{AggregateUDF, EmitTo, GroupsAccumulator};

/// Variances of groups, by the method of Welford (1962, "Note on a method for calculating corrected sums of squares and
/// products", Technometrics 4) and, where two groups become one, of Chan, Golub and LeVeque (1983).
#[derive(Debug)]
pub(crate) struct VarianceGroupsAccumulator {
    counts: Vec<u64>,
    means: Vec<f64>,
    /// Sums of squared distances from the mean.
    m2s: Vec<f64>,
    /// Taken from the count before the sum is divided by it: 1 for a sample, 0 for a population.
    correction: u64,
    root: bool,
}

impl VarianceGroupsAccumulator {
    /// What computes this function, where it is one of those.
    pub(crate) fn of(function: &AggregateUDF) -> Option<Self> {
        let function = function.inner().as_any();
        let (correction, root) = if function.is::<VarianceSample>() {
            (1, false)
        } else if function.is::<VariancePopulation>() {
            (0, false)
        } else if function.is::<Stddev>() {
            (1, true)
        } else if function.is::<StddevPop>() {
            (0, true)
        } else {
            return None;
        };
        Some(Self { counts: Vec::new(), means: Vec::new(), m2s: Vec::new(), correction, root })
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.means.resize(groups, 0.0);
        self.m2s.resize(groups, 0.0);
    }

    #[inline]
    fn group(&mut self, group: usize) -> Option<(&mut u64, &mut f64, &mut f64)> {
        Some((self.counts.get_mut(group)?, self.means.get_mut(group)?, self.m2s.get_mut(group)?))
    }

    #[inline]
    fn add(&mut self, group: usize, value: f64) {
        let Some((count, mean, m2)) = self.group(group) else { return };
        *count += 1;
        let before = value - *mean;
        *mean += before / *count as f64;
        *m2 += before * (value - *mean);
    }

    fn join(&mut self, group: usize, (count, mean, m2): (u64, f64, f64)) {
        let Some((own_count, own_mean, own_m2)) = self.group(group) else { return };
        if count == 0 {
            return;
        }
        if *own_count == 0 {
            (*own_count, *own_mean, *own_m2) = (count, mean, m2);
            return;
        }
        let total = *own_count + count;
        let (own, other, all) = (*own_count as f64, count as f64, total as f64);
        let apart = *own_mean - mean;
        *own_m2 += m2 + apart * apart * own * other / all;
        *own_mean = *own_mean * own / all + mean * other / all;
        *own_count = total;
    }
}

impl GroupsAccumulator for VarianceGroupsAccumulator {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let [values] = values else { return internal_err!("a deviation has one argument") };
        let values = cast(values, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        self.resize(total);
        if filter.is_none() && values.null_count() == 0 {
            for (group, value) in groups.iter().zip(values.values()) {
                self.add(*group, *value);
            }
            return Ok(());
        }
        for (row, (group, value)) in groups.iter().zip(values).enumerate() {
            let picked = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if let Some(value) = value.filter(|_| picked) {
                self.add(*group, value);
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        _: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let [counts, means, m2s] = states else { return internal_err!("the state of a deviation has three columns") };
        let counts = counts.as_primitive::<UInt64Type>().values();
        let means = means.as_primitive::<Float64Type>().values();
        let m2s = m2s.as_primitive::<Float64Type>().values();
        self.resize(total);
        for (group, ((count, mean), m2)) in groups.iter().zip(counts.iter().zip(means).zip(m2s)) {
            self.join(*group, (*count, *mean, *m2));
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.counts);
        emit_to.take_needed(&mut self.means);
        let m2s = emit_to.take_needed(&mut self.m2s);
        let divisors: Vec<u64> = counts.iter().map(|c| c.saturating_sub(self.correction)).collect();
        let known: NullBuffer = divisors.iter().map(|d| *d > 0).collect();
        let variance = m2s.iter().zip(&divisors).map(|(m2, divisor)| m2 / *divisor as f64);
        let results: Vec<f64> = if self.root { variance.map(f64::sqrt).collect() } else { variance.collect() };
        Ok(Arc::new(Float64Array::new(results.into(), Some(known))))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            Arc::new(UInt64Array::from(emit_to.take_needed(&mut self.counts))),
            Arc::new(Float64Array::from(emit_to.take_needed(&mut self.means))),
            Arc::new(Float64Array::from(emit_to.take_needed(&mut self.m2s))),
        ])
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + (self.means.capacity() + self.m2s.capacity()) * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions_aggregate::stddev::stddev_udaf;
    use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};

    use super::*;

    fn values(values: &[Option<f64>]) -> Vec<ArrayRef> {
        vec![Arc::new(Float64Array::from(values.to_vec()))]
    }

    fn result(deviations: &mut VarianceGroupsAccumulator) -> Vec<Option<f64>> {
        deviations.evaluate(EmitTo::All).unwrap().as_primitive::<Float64Type>().iter().collect()
    }

    #[test]
    fn groups_of_too_few_values_have_no_deviation() {
        let rows = values(&[Some(1.0), Some(3.0), None, Some(5.0), Some(8.0)]);
        let filter = BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), None]);
        for (function, expected) in [
            (var_samp_udaf(), [Some(2.0), None, None]),
            (var_pop_udaf(), [Some(1.0), Some(0.0), None]),
            (stddev_udaf(), [Some(2f64.sqrt()), None, None]),
        ] {
            let mut own = VarianceGroupsAccumulator::of(&function).unwrap();
            own.update_batch(&rows, &[0, 0, 0, 1, 2], Some(&filter), 3).unwrap();
            assert_eq!(result(&mut own), expected, "{}", function.name());
        }
    }

    #[test]
    fn a_state_that_was_written_down_goes_on_as_if_it_had_not_been() {
        let series: Vec<Option<f64>> = (0..97).map(|n| Some(f64::from(n * 31 % 17) / 7.0 + 0.1)).collect();
        let mut whole = VarianceGroupsAccumulator::of(&stddev_udaf()).unwrap();
        whole.update_batch(&values(&series), &vec![0; series.len()], None, 1).unwrap();
        let mut parts = VarianceGroupsAccumulator::of(&stddev_udaf()).unwrap();
        for value in &series {
            parts.update_batch(&values(&[*value]), &[0], None, 1).unwrap();
            let state = parts.state(EmitTo::All).unwrap();
            parts = VarianceGroupsAccumulator::of(&stddev_udaf()).unwrap();
            parts.merge_batch(&state, &[0], None, 1).unwrap();
        }
        assert_eq!(result(&mut parts), result(&mut whole));
    }

    #[test]
    fn two_groups_become_one() {
        let mut joined = VarianceGroupsAccumulator::of(&var_samp_udaf()).unwrap();
        for part in [&[Some(2.0), Some(4.0)][..], &[], &[Some(9.0)]] {
            let mut own = VarianceGroupsAccumulator::of(&var_samp_udaf()).unwrap();
            own.update_batch(&values(part), &vec![0; part.len()], None, 1).unwrap();
            joined.merge_batch(&own.state(EmitTo::All).unwrap(), &[0], None, 1).unwrap();
        }
        assert_eq!(result(&mut joined), [Some(13.0)]);
    }
}
