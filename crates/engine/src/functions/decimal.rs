//! Keeps texts from arrow that it cannot read as decimals.
//!
//! Arrow reads the digits of a decimal by recursion, 38 at a time: a record of a million digits would overflow the stack, and
//! that ends the process. Such a text is no decimal in any case.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TryCast, Volatility,
};
use datafusion::prelude::cast;

/// The longest text that is read as a decimal: 76 digits are the most there are, the rest can only be zeros and blanks.
const MAX_BYTES: usize = 4096;
/// What an error shows of a longer one.
const SHOWN_CHARS: usize = 40;

static READABLE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Readable { signature }))
});

/// A cast of a text to a decimal, which then only sees texts that can be read.
pub(crate) fn guard(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (Expr::Cast(Cast { expr, data_type }) | Expr::TryCast(TryCast { expr, data_type })) = &expression else {
        return Transformed::no(expression);
    };
    let to_decimal = matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..));
    let from = expr.get_type(schema).unwrap_or(DataType::Null);
    if !to_decimal || !matches!(from, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return Transformed::no(expression);
    }
    let is_try = matches!(expression, Expr::TryCast(_));
    let text = if from == DataType::Utf8 { expr.as_ref().clone() } else { cast(expr.as_ref().clone(), DataType::Utf8) };
    let (expr, data_type) = (Box::new(READABLE.call(vec![text])), data_type.clone());
    Transformed::yes(if is_try {
        Expr::TryCast(TryCast { expr, data_type })
    } else {
        Expr::Cast(Cast { expr, data_type })
    })
}

/// A text as it is, or, when it is too long, its beginning. No decimal is read of that.
#[derive(Debug)]
struct Readable {
    signature: Signature,
}

impl ScalarUDFImpl for Readable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        "__weir_decimal_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Field::new(self.name(), DataType::Utf8, nullable).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = args.args.as_slice() else { return exec_err!("{} takes one text", self.name()) };
        let array = text.to_array(args.number_rows)?;
        let texts = array.as_string::<i32>();
        if texts.iter().flatten().all(|text| text.len() <= MAX_BYTES) {
            return Ok(text.clone());
        }
        let readable = |text: &str| match text.len() {
            0..=MAX_BYTES => text.to_owned(),
            _ => text.chars().take(SHOWN_CHARS).chain(['…']).collect(),
        };
        let texts: StringArray = texts.iter().map(|text| text.map(readable)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}
