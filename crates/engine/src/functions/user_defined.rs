//! User-defined functions as DataFusion calls them, with Arroyo's rules: exact argument types (DataFusion coerces to them),
//! volatile, and an aggregate that first collects its arguments and then calls the function once.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use super::registry::FUNCTIONS;
use super::udf::{Udf, UdfKind};
use crate::error::PlanError;

/// The user-defined functions of one program.
#[derive(Debug, Default)]
pub(crate) struct Udfs {
    pub(crate) scalar: HashMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregate: HashMap<String, Arc<AggregateUDF>>,
}

impl Udfs {
    pub(crate) fn new(udfs: &[Udf]) -> Result<Self, PlanError> {
        let mut all = Self::default();
        for udf in udfs {
            let name = udf.name.to_owned();
            if FUNCTIONS.scalar.contains_key(&name) || FUNCTIONS.aggregate.contains_key(&name) {
                return Err(PlanError::refused(format!(
                    "the user-defined function {name} has the name of a built-in one"
                ))
                .hint("give it another name"));
            }
            let function = UserFunction {
                signature: Signature::exact(udf.arguments.clone(), Volatility::Volatile),
                udf: udf.clone(),
            };
            let known = match udf.kind {
                UdfKind::Scalar => all.scalar.insert(name, Arc::new(ScalarUDF::new_from_impl(function))).is_some(),
                UdfKind::Aggregate => {
                    all.aggregate.insert(name, Arc::new(AggregateUDF::new_from_impl(function))).is_some()
                }
            };
            if known {
                return Err(PlanError::refused(format!("the user-defined function {} is there twice", udf.name)));
            }
        }
        Ok(all)
    }
}

#[derive(Debug)]
struct UserFunction {
    udf: Udf,
    signature: Signature,
}

/// Calls the function; its panic is an error of the run, not the end of the process.
fn call(udf: &Udf, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let result = catch_unwind(AssertUnwindSafe(|| (udf.call)(arguments))).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        exec_datafusion_err!("the user-defined function {} panicked: {said}", udf.name)
    })??;
    if result.len() != rows {
        return internal_err!("{} gave {} results for {rows}", udf.name, result.len());
    }
    Ok(result)
}

impl ScalarUDFImpl for UserFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.udf.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.udf.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.into_iter().map(|a| a.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let result = call(&self.udf, &columns, rows)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

impl AggregateUDFImpl for UserFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.udf.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.udf.returns.clone())
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if args.is_distinct || !args.ordering_fields.is_empty() {
            return plan_err!(
                "the user-defined aggregate {} takes no DISTINCT and no ORDER BY: pass it what it is to sort by",
                self.udf.name
            );
        }
        let list = |(nth, item): (usize, &DataType)| {
            let name = format_state_name(args.name, &format!("argument {nth}"));
            Field::new(name, DataType::List(item_field(item)), true).into()
        };
        Ok(self.udf.arguments.iter().enumerate().map(list).collect())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(CollectedArguments {
            udf: self.udf.clone(),
            rows: 0,
            pieces: vec![Vec::new(); self.udf.arguments.len()],
        }))
    }
}

fn item_field(item: &DataType) -> FieldRef {
    Field::new("item", item.clone(), true).into()
}

/// The arguments of one group so far, in pieces as they came.
#[derive(Debug)]
struct CollectedArguments {
    udf: Udf,
    rows: usize,
    /// By argument.
    pieces: Vec<Vec<ArrayRef>>,
}

impl CollectedArguments {
    fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(rows) = columns.first().map(|c| c.len()).filter(|rows| *rows > 0) else { return Ok(()) };
        if columns.len() < self.pieces.len() || columns.iter().any(|c| c.len() != rows) {
            return exec_err!("the arguments of {} are of different lengths", self.udf.name);
        }
        self.rows += rows;
        for (pieces, column) in self.pieces.iter_mut().zip(columns) {
            pieces.push(Arc::clone(column));
        }
        Ok(())
    }

    /// One column an argument.
    fn columns(&self) -> Result<Vec<ArrayRef>> {
        let joined = |(pieces, item): (&Vec<ArrayRef>, &DataType)| -> Result<ArrayRef> {
            match pieces.as_slice() {
                [] => Ok(new_empty_array(item)),
                [one] => Ok(Arc::clone(one)),
                many => Ok(arrow::compute::concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
            }
        };
        self.pieces.iter().zip(&self.udf.arguments).map(joined).collect()
    }
}

impl Accumulator for CollectedArguments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values)
    }

    /// NULL where no row came; a group of NULLs only is the function's to judge.
    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.rows == 0 {
            return ScalarValue::try_from(&self.udf.returns);
        }
        ScalarValue::try_from_array(&call(&self.udf, &self.columns()?, 1)?, 0)
    }

    fn size(&self) -> usize {
        let bytes = |a: &ArrayRef| a.to_data().get_slice_memory_size().unwrap_or(0) + size_of::<ArrayRef>();
        size_of_val(self) + self.pieces.iter().flatten().map(bytes).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |(values, item): (ArrayRef, &DataType)| {
            let lengths = OffsetBuffer::from_lengths([values.len()]);
            Ok(ScalarValue::List(Arc::new(ListArray::try_new(item_field(item), lengths, values, None)?)))
        };
        self.columns()?.into_iter().zip(&self.udf.arguments).map(list).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states
            .iter()
            .map(|s| {
                s.as_list_opt::<i32>().ok_or_else(|| exec_datafusion_err!("the state of {} is no list", self.udf.name))
            })
            .collect::<Result<Vec<_>>>()?;
        for group in 0..lists.first().map_or(0, |l| l.len()) {
            let columns: Vec<ArrayRef> = lists.iter().map(|l| l.value(group)).collect();
            self.add(&columns)?;
        }
        Ok(())
    }
}
