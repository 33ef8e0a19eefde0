//! Functions whose result is as large as an argument says: a record must not ask for all memory, or for hours.
//!
//! A row that asks for more than its limit is an error of that row, which costs its rule that row and nothing else. (Memory
//! that is not there would end the process: no panic that could be caught.)

use std::any::Any;
use std::sync::Arc;

use arrow::array::types::{Date32Type, Int64Type, IntervalMonthDayNanoType, TimestampNanosecondType};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::compute::kernels::length::length;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyInfo};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The most bytes that a text made to a length may have: a batch of 8192 such rows is half a gigabyte.
const MOST_BYTES: i128 = 64 << 10;
/// The most items that a list made to a length may have.
const MOST_ITEMS: i128 = 10_000;
/// The most bytes that a text may have in which each place may be replaced by another text, or each item of a list be
/// followed by it: what a record of 1 MiB comes to with a replacement of 64 bytes at every place.
const MOST_REPLACED: i128 = 64 << 20;
/// The most steps of a comparison of each character with each: some milliseconds.
const MOST_COMPARED: i128 = 4 << 20;

/// The shortest month, in days: a range over months has at most so many items.
const DAYS_OF_A_MONTH: i128 = 28;
const NANOS_OF_A_DAY: i128 = 86_400_000_000_000;

/// What a row asks for, from the columns of its arguments; `None` where it is null.
type Asks = fn(&[ArrayRef]) -> Result<Vec<Option<i128>>>;

/// The function with its limit, where it needs one.
pub(crate) fn bounded(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let (asks, most, unit): (Asks, i128, &'static str) = match function.name() {
        "repeat" => (length_times_count, MOST_BYTES, "bytes"),
        "lpad" | "rpad" => (second, MOST_BYTES, "characters"),
        "array_repeat" | "array_resize" => (second, MOST_ITEMS, "items"),
        "generate_series" | "range" => (range_items, MOST_ITEMS, "items"),
        "regexp_replace" | "replace" => (first_times_third, MOST_REPLACED, "bytes"),
        "array_to_string" => (first_times_second, MOST_REPLACED, "bytes"),
        "levenshtein" => (first_times_second, MOST_COMPARED, "comparisons"),
        _ => return function,
    };
    Arc::new(ScalarUDF::new_from_impl(Bounded { function, asks, most, unit }))
}

#[derive(Debug)]
struct Bounded {
    function: Arc<ScalarUDF>,
    asks: Asks,
    most: i128,
    unit: &'static str,
}

impl Bounded {
    /// Without an argument, `range` of DataFusion 48 panics.
    fn refuse_nothing(&self, arguments: &[DataType]) -> Result<()> {
        if arguments.is_empty() { plan_err!("{} needs arguments", self.name()) } else { Ok(()) }
    }

    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|a| a.clone().into_array(rows)).collect::<Result<Vec<_>>>()?;
        for asked in (self.asks)(&columns)?.into_iter().flatten() {
            if asked > self.most {
                return exec_err!("{} would take {asked} {}; at most {} are made", self.name(), self.unit, self.most);
            }
        }
        Ok(())
    }
}

impl ScalarUDFImpl for Bounded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.function.name()
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        self.function.inner().display_name(args)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.function.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.refuse_nothing(arguments)?;
        self.function.return_type(arguments)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.function.invoke_with_args(args)
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn simplify(&self, args: Vec<Expr>, info: &dyn SimplifyInfo) -> Result<ExprSimplifyResult> {
        self.function.simplify(args, info)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.refuse_nothing(arguments)?;
        self.function.coerce_types(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

/// An argument as whole numbers: what is no number asks for nothing, and the function itself refuses it.
fn numbers(columns: &[ArrayRef], nth: usize) -> Result<Option<Int64Array>> {
    let Some(column) = columns.get(nth).filter(|c| c.data_type().is_integer()) else { return Ok(None) };
    Ok(cast(column, &DataType::Int64)?.as_primitive_opt::<Int64Type>().cloned())
}

/// How long each text or list is; 1 where an argument is neither.
fn lengths(columns: &[ArrayRef], nth: usize) -> Result<Vec<Option<i128>>> {
    let Some(column) = columns.get(nth) else { return Ok(Vec::new()) };
    let Ok(lengths) = length(column) else { return Ok(vec![Some(1); column.len()]) };
    let lengths = cast(&lengths, &DataType::Int64)?;
    Ok(lengths.as_primitive::<Int64Type>().iter().map(|n| n.map(i128::from)).collect())
}

fn second(columns: &[ArrayRef]) -> Result<Vec<Option<i128>>> {
    Ok(numbers(columns, 1)?.map(|n| n.iter().map(|n| n.map(i128::from)).collect()).unwrap_or_default())
}

fn length_times_count(columns: &[ArrayRef]) -> Result<Vec<Option<i128>>> {
    Ok(product(lengths(columns, 0)?, second(columns)?))
}

fn first_times_second(columns: &[ArrayRef]) -> Result<Vec<Option<i128>>> {
    Ok(product(lengths(columns, 0)?, lengths(columns, 1)?))
}

/// Of a text, each place between two bytes may be replaced, and the ends.
fn first_times_third(columns: &[ArrayRef]) -> Result<Vec<Option<i128>>> {
    let places = lengths(columns, 0)?.into_iter().map(|n| n.map(|n| n + 1)).collect();
    Ok(product(places, lengths(columns, 2)?))
}

fn product(left: Vec<Option<i128>>, right: Vec<Option<i128>>) -> Vec<Option<i128>> {
    left.into_iter().zip(right).map(|(l, r)| Some(l?.saturating_mul(r?))).collect()
}

/// The items from the first argument to the second by steps of the third.
fn range_items(columns: &[ArrayRef]) -> Result<Vec<Option<i128>>> {
    let Some(last) = columns.get(1).or(columns.first()) else { return Ok(Vec::new()) };
    let rows = last.len();
    let place = |nth: usize, row: usize| -> Option<i128> {
        let column = columns.get(nth).filter(|c| c.is_valid(row))?;
        match column.data_type() {
            DataType::Int64 => Some(i128::from(column.as_primitive::<Int64Type>().value(row))),
            DataType::Date32 => Some(i128::from(column.as_primitive::<Date32Type>().value(row)) * NANOS_OF_A_DAY),
            DataType::Timestamp(..) => {
                column.as_primitive_opt::<TimestampNanosecondType>().map(|c| i128::from(c.value(row)))
            }
            _ => None,
        }
    };
    let items = |row: usize| {
        let (start, stop) = if columns.len() == 1 { (0, place(0, row)?) } else { (place(0, row)?, place(1, row)?) };
        let span = stop.abs_diff(start);
        let step = match columns.get(2) {
            None => 1,
            Some(column) => match column.as_primitive_opt::<IntervalMonthDayNanoType>().filter(|c| c.is_valid(row)) {
                Some(steps) => interval_step(steps.value(row))?,
                None => place(2, row)?.unsigned_abs(),
            },
        };
        // A step of nothing is refused by the function.
        Some(i128::try_from(span.checked_div(step)?).unwrap_or(i128::MAX))
    };
    Ok((0..rows).map(items).collect())
}

/// The least that an interval moves a time, in nanoseconds. One whose parts point to both sides may stand still: then a range
/// has no end, and counts as one of single nanoseconds.
fn interval_step(step: arrow::datatypes::IntervalMonthDayNano) -> Option<u128> {
    let parts = [i64::from(step.months), i64::from(step.days), step.nanoseconds];
    if parts.iter().any(|p| *p < 0) && parts.iter().any(|p| *p > 0) {
        return Some(1);
    }
    let [months, days, nanos] = parts.map(i128::from);
    Some(((months * DAYS_OF_A_MONTH + days) * NANOS_OF_A_DAY + nanos).unsigned_abs())
}
