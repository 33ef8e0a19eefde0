//! A timestamp plus or minus a fixed interval. Arrow computes it by the calendar for each row, which costs more than
//! reading the row, and fails for all rows where one leaves the calendar.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampNanosecondType};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// Rewrites `time ± interval` throughout an expression where it is plain addition: nanoseconds without a zone, an interval
/// without months.
pub(crate) fn with_timestamp_offsets(
    expression: Arc<dyn PhysicalExpr>,
    input: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    expression
        .transform_up(|e| {
            Ok(match offset_of(&e, input) {
                Some(offset) => Transformed::yes(Arc::new(offset) as Arc<dyn PhysicalExpr>),
                None => Transformed::no(e),
            })
        })
        .data()
}

fn offset_of(expression: &Arc<dyn PhysicalExpr>, input: &Schema) -> Option<TimestampOffset> {
    let binary = expression.as_any().downcast_ref::<BinaryExpr>()?;
    let interval = binary.right().as_any().downcast_ref::<Literal>()?;
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = interval.value() else { return None };
    let whole = i64::from(interval.days).checked_mul(NANOS_PER_DAY)?.checked_add(interval.nanoseconds)?;
    let nanos = match binary.op() {
        Operator::Plus => whole,
        Operator::Minus => whole.checked_neg()?,
        _ => return None,
    };
    let is_time = binary.left().data_type(input).ok()? == DataType::Timestamp(TimeUnit::Nanosecond, None);
    let is_nullable = binary.left().nullable(input).ok()?;
    (is_time && interval.months == 0).then(|| TimestampOffset {
        time: Arc::clone(binary.left()),
        nanos,
        is_nullable,
        original: Arc::clone(expression),
    })
}

/// `time` moved by `nanos`. A time that would leave the calendar (years 1677 to 2262) is NULL, or stays at its end
/// where the time cannot be NULL: a record's time ends no program.
#[derive(Debug, Clone)]
struct TimestampOffset {
    time: Arc<dyn PhysicalExpr>,
    nanos: i64,
    is_nullable: bool,
    original: Arc<dyn PhysicalExpr>,
}

impl PhysicalExpr for TimestampOffset {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.original.data_type(input)
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.original.nullable(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let ColumnarValue::Array(times) = self.time.evaluate(batch)? else { return self.original.evaluate(batch) };
        let Some(times) = times.as_primitive_opt::<TimestampNanosecondType>() else {
            return self.original.evaluate(batch);
        };
        let (least, most) = match self.nanos {
            ..0 => (i64::MIN - self.nanos, i64::MAX),
            _ => (i64::MIN, i64::MAX - self.nanos),
        };
        // Under a null may be anything: it is judged all the same, and does not matter.
        let fit = times.values().iter().all(|t| (least..=most).contains(t));
        let moved: PrimitiveArray<TimestampNanosecondType> = match (fit, self.is_nullable) {
            (true, _) => times.unary(|t| t.wrapping_add(self.nanos)),
            (false, true) => times.unary_opt(|t| t.checked_add(self.nanos)),
            (false, false) => times.unary(|t| t.saturating_add(self.nanos)),
        };
        Ok(ColumnarValue::Array(Arc::new(moved)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.time]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [time] = children.as_slice() else { return internal_err!("an offset has one child") };
        let mut parts: Vec<Arc<dyn PhysicalExpr>> = self.original.children().into_iter().map(Arc::clone).collect();
        if let Some(first) = parts.first_mut() {
            *first = Arc::clone(time);
        }
        let original = Arc::clone(&self.original).with_new_children(parts)?;
        Ok(Arc::new(Self { time: Arc::clone(time), nanos: self.nanos, is_nullable: self.is_nullable, original }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt_sql(f)
    }
}

impl fmt::Display for TimestampOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.original, f)
    }
}

impl PartialEq for TimestampOffset {
    fn eq(&self, other: &Self) -> bool {
        self.original.eq(&other.original)
    }
}

impl Eq for TimestampOffset {}

impl Hash for TimestampOffset {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.original.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, TimestampNanosecondArray};
    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{binary, col, lit};
    use proptest::prelude::*;

    use super::*;

    /// What the plain expression gives, and what the quick one does; and whether there is a quick one.
    fn evaluated(
        times: &[Option<i64>],
        nullable: bool,
        op: Operator,
        (months, days, nanos): (i32, i32, i64),
    ) -> (Option<ArrayRef>, ArrayRef, bool) {
        let schema = Schema::new(vec![Field::new("t", DataType::Timestamp(TimeUnit::Nanosecond, None), nullable)]);
        let interval = lit(ScalarValue::new_interval_mdn(months, days, nanos));
        let plain = binary(col("t", &schema).unwrap(), op, interval, &schema).unwrap();
        let quick = with_timestamp_offsets(Arc::clone(&plain), &schema).unwrap();
        let times = TimestampNanosecondArray::from(times.to_vec());
        let batch = RecordBatch::try_new(schema.into(), vec![Arc::new(times)]).unwrap();
        let array = |e: &Arc<dyn PhysicalExpr>| e.evaluate(&batch).and_then(|v| v.into_array(batch.num_rows()));
        (array(&plain).ok(), array(&quick).unwrap(), quick.as_any().is::<TimestampOffset>())
    }

    #[test]
    fn a_moved_time_is_what_arrow_says() {
        let times = [Some(1_795_410_000_123_456_789), None, Some(-1), Some(0)];
        for (op, days, nanos) in [
            (Operator::Minus, 0, 2_000_000_000),
            (Operator::Plus, 3, 1),
            (Operator::Minus, -2, 7),
            (Operator::Plus, 0, -60_000_000_000),
        ] {
            let (plain, quick, is_quick) = evaluated(&times, true, op, (0, days, nanos));
            assert_eq!((plain.unwrap().to_data(), is_quick), (quick.to_data(), true), "{op} {days} {nanos}");
        }
        let months = evaluated(&times, true, Operator::Minus, (1, 0, 0));
        assert!(!months.2 && months.0.is_some_and(|plain| *plain == *months.1), "months are left to the calendar");
    }

    proptest! {
        #[test]
        fn no_time_fails(
            times in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()], 1..6),
            nanos in prop_oneof![Just(i64::MIN + 1), Just(i64::MAX), -1_000_000_000i64..1_000_000_000, any::<i64>()],
            minus in any::<bool>(),
        ) {
            prop_assume!(nanos != i64::MIN);
            let op = if minus { Operator::Minus } else { Operator::Plus };
            let by = if minus { -i128::from(nanos) } else { i128::from(nanos) };
            let given: Vec<_> = times.iter().map(|t| Some(*t)).collect();
            let exact: Vec<i128> = times.iter().map(|t| i128::from(*t) + by).collect();
            let (_, quick, _) = evaluated(&given, true, op, (0, 0, nanos));
            let wanted: Vec<Option<i64>> = exact.iter().map(|t| i64::try_from(*t).ok()).collect();
            prop_assert_eq!(quick.as_primitive::<TimestampNanosecondType>().iter().collect::<Vec<_>>(), wanted);
            let (_, quick, _) = evaluated(&given, false, op, (0, 0, nanos));
            let wanted: Vec<i64> = exact
                .iter()
                .map(|t| i64::try_from(*t).unwrap_or(if *t < 0 { i64::MIN } else { i64::MAX }))
                .collect();
            prop_assert_eq!(quick.as_primitive::<TimestampNanosecondType>().values().to_vec(), wanted);
        }
    }
}
