//! A time moved by a fixed interval: Arrow goes by way of the calendar for each row, which costs more than reading the row.

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

use crate::program::{Rows, Step, Steps};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;
/// Nine years: longer intervals, and times closer than twice this to the end of 64 bits, are left to Arrow and its errors.
const MARGIN: i64 = i64::MAX / 32;

impl Rows {
    /// Adds a step, in the form that is quickest to evaluate; `input` is what the step reads.
    pub(super) fn push(&mut self, step: Step, input: &Schema) -> Result<()> {
        let quick = |e: Vec<Arc<dyn PhysicalExpr>>| {
            e.into_iter().map(|e| with_quick_times(e, input)).collect::<Result<Vec<_>>>()
        };
        let step = match step {
            Step::Filter(conditions) => Step::Filter(quick(conditions)?),
            Step::Project { expressions, schema } => Step::Project { expressions: quick(expressions)?, schema },
        };
        if let Steps::Chain(steps) = &mut self.steps {
            steps.push(step);
        }
        Ok(())
    }
}

/// Rewrites `time ± interval` throughout an expression where it is plain addition: nanoseconds without a zone, an interval
/// without months.
fn with_quick_times(expression: Arc<dyn PhysicalExpr>, input: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    expression
        .transform_up(|e| {
            Ok(match shift_of(&e, input) {
                Some(shift) => Transformed::yes(Arc::new(shift) as Arc<dyn PhysicalExpr>),
                None => Transformed::no(e),
            })
        })
        .data()
}

fn shift_of(expression: &Arc<dyn PhysicalExpr>, input: &Schema) -> Option<ShiftTime> {
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
    (is_time && interval.months == 0 && nanos.abs() < MARGIN).then(|| ShiftTime {
        time: Arc::clone(binary.left()),
        nanos,
        original: Arc::clone(expression),
    })
}

/// `time` moved by `nanos`; what Arrow says where that may leave its calendar.
#[derive(Debug, Clone)]
struct ShiftTime {
    time: Arc<dyn PhysicalExpr>,
    nanos: i64,
    original: Arc<dyn PhysicalExpr>,
}

impl PhysicalExpr for ShiftTime {
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
        // Under a null may be anything: it is judged all the same, and does not matter.
        if times.values().iter().any(|t| t.unsigned_abs() > (i64::MAX - 2 * MARGIN).unsigned_abs()) {
            return self.original.evaluate(batch);
        }
        let moved: PrimitiveArray<TimestampNanosecondType> = times.unary(|t| t.wrapping_add(self.nanos));
        Ok(ColumnarValue::Array(Arc::new(moved)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.time]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [time] = children.as_slice() else { return internal_err!("a shift has one child") };
        let mut parts: Vec<Arc<dyn PhysicalExpr>> = self.original.children().into_iter().map(Arc::clone).collect();
        if let Some(first) = parts.first_mut() {
            *first = Arc::clone(time);
        }
        let original = Arc::clone(&self.original).with_new_children(parts)?;
        Ok(Arc::new(Self { time: Arc::clone(time), nanos: self.nanos, original }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt_sql(f)
    }
}

impl fmt::Display for ShiftTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.original, f)
    }
}

impl PartialEq for ShiftTime {
    fn eq(&self, other: &Self) -> bool {
        self.original.eq(&other.original)
    }
}

impl Eq for ShiftTime {}

impl Hash for ShiftTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.original.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, TimestampNanosecondArray};
    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{binary, col, lit};

    use super::*;

    fn evaluated(times: Vec<Option<i64>>, op: Operator, months: i32, days: i32, nanos: i64) -> (bool, bool) {
        let schema = Schema::new(vec![Field::new("t", DataType::Timestamp(TimeUnit::Nanosecond, None), true)]);
        let interval = lit(ScalarValue::new_interval_mdn(months, days, nanos));
        let plain = binary(col("t", &schema).unwrap(), op, interval, &schema).unwrap();
        let quick = with_quick_times(Arc::clone(&plain), &schema).unwrap();
        let batch = RecordBatch::try_new(schema.into(), vec![Arc::new(TimestampNanosecondArray::from(times))]).unwrap();
        let array = |e: &Arc<dyn PhysicalExpr>| e.evaluate(&batch).and_then(|v| v.into_array(batch.num_rows()));
        let same = match (array(&plain), array(&quick)) {
            (Ok(plain), Ok(quick)) => plain.as_ref() == quick.as_ref() && plain.data_type() == quick.data_type(),
            (Err(plain), Err(quick)) => plain.strip_backtrace() == quick.strip_backtrace(),
            _ => false,
        };
        (quick.as_any().is::<ShiftTime>(), same)
    }

    #[test]
    fn a_moved_time_is_what_arrow_says() {
        let times = vec![Some(1_795_410_000_123_456_789), None, Some(-1), Some(0)];
        for (op, days, nanos) in [
            (Operator::Minus, 0, 2_000_000_000),
            (Operator::Plus, 3, 1),
            (Operator::Minus, -2, 7),
            (Operator::Plus, 0, -60_000_000_000),
        ] {
            assert_eq!(evaluated(times.clone(), op, 0, days, nanos), (true, true), "{op} {days} {nanos}");
        }
        assert_eq!(evaluated(times, Operator::Minus, 1, 0, 0), (false, true), "months are left to the calendar");
    }

    #[test]
    fn the_ends_of_the_calendar_are_left_to_arrow() {
        for end in [i64::MAX, i64::MIN + 1, i64::MAX - 5] {
            assert!(evaluated(vec![Some(end)], Operator::Plus, 0, 1, 0).1, "{end} forward");
            assert!(evaluated(vec![Some(end)], Operator::Minus, 0, 1, 0).1, "{end} back");
        }
    }
}
