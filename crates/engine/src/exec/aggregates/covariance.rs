//! Covariance and linear regression by group. DataFusion's own take a state that was written down into an empty group by
//! arithmetic that does not always give the same mean back: the last digit of a result would depend on when a checkpoint
//! was written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::functions_aggregate::covariance::{CovariancePopulation, CovarianceSample};
use datafusion::functions_aggregate::regr::Regr;
use datafusion::logical_expr::{AggregateUDF, EmitTo, GroupsAccumulator};

/// What is computed of the pairs of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Divided by the count less this: 1 for a sample, 0 for a population.
    Covariance(u64),
    Slope,
    Intercept,
    Count,
    R2,
    AverageX,
    AverageY,
    Sxx,
    Syy,
    Sxy,
}

/// The pairs of a group so far.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    count: u64,
    mean_x: f64,
    mean_y: f64,
    /// Sums of squared distances from the means, and of the products of distances.
    m2_x: f64,
    m2_y: f64,
    c: f64,
}

/// Covariances of pairs of values by group; added one by one and joined by the formulas of Chan, Golub and LeVeque (1983).
#[derive(Debug)]
pub(crate) struct CovarianceGroupsAccumulator {
    kind: Kind,
    groups: Vec<Group>,
}

impl CovarianceGroupsAccumulator {
    /// What computes this function, where it is one of those.
    pub(crate) fn of(function: &AggregateUDF) -> Option<Self> {
        let own = function.inner().as_any();
        let kind = if own.is::<CovarianceSample>() {
            Kind::Covariance(1)
        } else if own.is::<CovariancePopulation>() {
            Kind::Covariance(0)
        } else if own.is::<Regr>() {
            match function.name() {
                "regr_slope" => Kind::Slope,
                "regr_intercept" => Kind::Intercept,
                "regr_count" => Kind::Count,
                "regr_r2" => Kind::R2,
                "regr_avgx" => Kind::AverageX,
                "regr_avgy" => Kind::AverageY,
                "regr_sxx" => Kind::Sxx,
                "regr_syy" => Kind::Syy,
                "regr_sxy" => Kind::Sxy,
                _ => return None,
            }
        } else {
            return None;
        };
        Some(Self { kind, groups: Vec::new() })
    }

    fn is_covariance(&self) -> bool {
        matches!(self.kind, Kind::Covariance(_))
    }
}

impl Group {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1;
        let (from_x, from_y) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += from_x / self.count as f64;
        self.mean_y += from_y / self.count as f64;
        self.m2_x += from_x * (x - self.mean_x);
        self.m2_y += from_y * (y - self.mean_y);
        self.c += from_x * (y - self.mean_y);
    }

    /// The two kinds of functions join means by different formulas, and so do theirs in DataFusion.
    fn join(&mut self, other: &Self, is_covariance: bool) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let total = self.count + other.count;
        let (own, others, all) = (self.count as f64, other.count as f64, total as f64);
        let (apart_x, apart_y) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        if is_covariance {
            self.mean_x = self.mean_x * own / all + other.mean_x * others / all;
            self.mean_y = self.mean_y * own / all + other.mean_y * others / all;
        } else {
            self.mean_x += apart_x * others / all;
            self.mean_y += apart_y * others / all;
        }
        self.m2_x = self.m2_x + other.m2_x + apart_x * apart_x * own * others / all;
        self.m2_y = self.m2_y + other.m2_y + apart_y * apart_y * own * others / all;
        self.c = self.c + other.c + apart_x * apart_y * own * others / all;
        self.count = total;
    }

    fn result(&self, kind: Kind) -> Option<f64> {
        let count = self.count as f64;
        let (covariance, variance_x, variance_y) = (self.c / count, self.m2_x / count, self.m2_y / count);
        let line = (self.count > 1 && variance_x != 0.0).then(|| covariance / variance_x);
        let known = |value: f64| (self.count > 0).then_some(value);
        match kind {
            Kind::Covariance(correction) => {
                (self.count > correction).then(|| self.c / (self.count - correction) as f64)
            }
            Kind::Slope => line,
            Kind::Intercept => line.map(|slope| self.mean_y - slope * self.mean_x),
            Kind::R2 => {
                line.filter(|_| variance_y != 0.0).map(|_| (covariance * covariance) / (variance_x * variance_y))
            }
            Kind::AverageX => known(self.mean_x),
            Kind::AverageY => known(self.mean_y),
            Kind::Sxx => known(self.m2_x),
            Kind::Syy => known(self.m2_y),
            Kind::Sxy => known(self.c),
            Kind::Count => known(count),
        }
    }
}

impl GroupsAccumulator for CovarianceGroupsAccumulator {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let [first, second] = values else { return internal_err!("pairs are of two arguments") };
        // Regression takes the dependent variable first.
        let (xs, ys) = if self.is_covariance() { (first, second) } else { (second, first) };
        let (xs, ys) = (cast(xs, &DataType::Float64)?, cast(ys, &DataType::Float64)?);
        let (xs, ys) = (xs.as_primitive::<Float64Type>(), ys.as_primitive::<Float64Type>());
        self.groups.resize(total, Group::default());
        for (row, (group, pair)) in groups.iter().zip(xs.iter().zip(ys)).enumerate() {
            let picked = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if let ((Some(x), Some(y)), true) = (pair, picked)
                && let Some(group) = self.groups.get_mut(*group)
            {
                group.add(x, y);
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
        let Some((counts, numbers)) = states.split_first() else { return internal_err!("pairs without a state") };
        let counts = counts.as_primitive::<UInt64Type>().values();
        let numbers: Vec<&[f64]> = numbers.iter().map(|n| n.as_primitive::<Float64Type>().values().as_ref()).collect();
        let (means_x, means_y, m2s, cs) = match numbers.as_slice() {
            [x, y, c] if self.is_covariance() => (*x, *y, None, *c),
            [x, y, m2_x, m2_y, c] => (*x, *y, Some((*m2_x, *m2_y)), *c),
            _ => return internal_err!("the state of pairs has {} columns", states.len()),
        };
        self.groups.resize(total, Group::default());
        let is_covariance = self.is_covariance();
        let at = |column: &[f64], row: usize| column.get(row).copied().unwrap_or_default();
        for (row, (group, count)) in groups.iter().zip(counts).enumerate() {
            let other = Group {
                count: *count,
                mean_x: at(means_x, row),
                mean_y: at(means_y, row),
                m2_x: m2s.map_or(0.0, |(x, _)| at(x, row)),
                m2_y: m2s.map_or(0.0, |(_, y)| at(y, row)),
                c: at(cs, row),
            };
            if let Some(group) = self.groups.get_mut(*group) {
                group.join(&other, is_covariance);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        if self.kind == Kind::Count {
            return Ok(Arc::new(UInt64Array::from_iter_values(groups.iter().map(|g| g.count))));
        }
        Ok(Arc::new(Float64Array::from_iter(groups.iter().map(|g| g.result(self.kind)))))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        let column =
            |of: fn(&Group) -> f64| Arc::new(Float64Array::from_iter_values(groups.iter().map(of))) as ArrayRef;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from_iter_values(groups.iter().map(|g| g.count)))];
        columns.extend([column(|g| g.mean_x), column(|g| g.mean_y)]);
        if !self.is_covariance() {
            columns.extend([column(|g| g.m2_x), column(|g| g.m2_y)]);
        }
        columns.push(column(|g| g.c));
        Ok(columns)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions_aggregate::covariance::{covar_pop_udaf, covar_samp_udaf};
    use datafusion::functions_aggregate::regr::{
        regr_avgx_udaf, regr_avgy_udaf, regr_count_udaf, regr_intercept_udaf, regr_r2_udaf, regr_slope_udaf,
        regr_sxx_udaf, regr_sxy_udaf, regr_syy_udaf,
    };
    use datafusion::logical_expr::function::AccumulatorArgs;
    use datafusion::physical_expr::LexOrdering;

    use super::*;

    fn functions() -> Vec<Arc<AggregateUDF>> {
        vec![
            covar_samp_udaf(),
            covar_pop_udaf(),
            regr_slope_udaf(),
            regr_intercept_udaf(),
            regr_count_udaf(),
            regr_r2_udaf(),
            regr_avgx_udaf(),
            regr_avgy_udaf(),
            regr_sxx_udaf(),
            regr_syy_udaf(),
            regr_sxy_udaf(),
        ]
    }

    fn series() -> [ArrayRef; 2] {
        let y = (0..97).map(|n| (n % 13 != 0).then(|| f64::from(n * 31 % 17) / 7.0 + 0.1));
        let x = (0..97).map(|n| (n % 11 != 0).then(|| f64::from(n * 7 % 23) / 3.0));
        [Arc::new(Float64Array::from_iter(y)), Arc::new(Float64Array::from_iter(x))]
    }

    fn whole(function: &AggregateUDF) -> ArrayRef {
        let mut own = CovarianceGroupsAccumulator::of(function).unwrap();
        own.update_batch(&series(), &[0; 97], None, 1).unwrap();
        own.evaluate(EmitTo::All).unwrap()
    }

    #[test]
    fn each_function_gives_what_datafusions_own_gives() {
        let schema = arrow::datatypes::Schema::empty();
        for function in functions() {
            let return_field = arrow::datatypes::Field::new("r", DataType::Float64, true).into();
            let args = AccumulatorArgs {
                return_field,
                schema: &schema,
                ignore_nulls: false,
                ordering_req: LexOrdering::empty(),
                is_reversed: false,
                name: "r",
                is_distinct: false,
                exprs: &[],
            };
            let mut theirs = function.accumulator(args).unwrap();
            theirs.update_batch(&series()).unwrap();
            let expected = theirs.evaluate().unwrap().to_array().unwrap();
            assert_eq!(&whole(&function), &expected, "{}", function.name());
        }
    }

    #[test]
    fn a_state_that_was_written_down_goes_on_as_if_it_had_not_been() {
        for function in functions() {
            let mut parts = CovarianceGroupsAccumulator::of(&function).unwrap();
            for row in 0..97 {
                parts.update_batch(&series().map(|s| s.slice(row, 1)), &[0], None, 1).unwrap();
                let state = parts.state(EmitTo::All).unwrap();
                parts = CovarianceGroupsAccumulator::of(&function).unwrap();
                parts.merge_batch(&state, &[0], None, 1).unwrap();
            }
            assert_eq!(&parts.evaluate(EmitTo::All).unwrap(), &whole(&function), "{}", function.name());
        }
    }

    #[test]
    fn groups_of_too_few_pairs_have_no_result_and_filtered_rows_do_not_count() {
        let filter = BooleanArray::from(vec![Some(false); 97]);
        for function in functions() {
            let mut own = CovarianceGroupsAccumulator::of(&function).unwrap();
            own.update_batch(&series(), &[0; 97], Some(&filter), 1).unwrap();
            let result = own.evaluate(EmitTo::All).unwrap();
            assert_eq!(result.null_count(), usize::from(function.name() != "regr_count"), "{}", function.name());
        }
    }
}
