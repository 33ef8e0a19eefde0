//! Keeps long integers from `json_get` (`->`), which panics at them; it gets them as floating-point numbers.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion_functions_json::udfs::json_get_json_udf;

/// An integer of so many digits is more than `json_get`'s reader takes for 64 bits, even where it would fit.
const DIGITS: usize = 19;

const NAME: &str = "__weir_json_numbers";

static FITTING: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::new(TypeSignature::VariadicAny, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Fitting { signature, leaf: json_get_json_udf() }))
});

/// A call of `json_get` on a text, which then only sees numbers that it can read.
pub(crate) fn guard(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expression else { return Transformed::no(expression) };
    let Some((text, path)) = args.split_first().filter(|_| func.name() == "json_get") else {
        return Transformed::no(expression);
    };
    let is_guarded = matches!(text, Expr::ScalarFunction(inner) if inner.func.name() == NAME);
    if is_guarded || text.get_type(schema).ok() != Some(DataType::Utf8) {
        return Transformed::no(expression);
    }
    let mut guarded = vec![FITTING.call(args.clone())];
    guarded.extend(path.iter().cloned());
    Transformed::yes(func.call(guarded))
}

/// A JSON text as it is; where the path leads to a long integer, with such integers as floating-point numbers.
#[derive(Debug)]
struct Fitting {
    signature: Signature,
    /// The text of what the path leads to.
    leaf: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Fitting {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = args.arg_fields.first().is_none_or(|f| f.is_nullable());
        Ok(Field::new(NAME, DataType::Utf8, nullable).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(given) = args.args.first().cloned() else { return exec_err!("{NAME} takes a text") };
        let rows = args.number_rows;
        let texts = given.to_array(rows)?;
        let texts = texts.as_string::<i32>();
        if !texts.iter().flatten().any(has_long_number) {
            return Ok(given);
        }
        let return_field = Field::new("leaf", DataType::Utf8, true).into();
        let leaves = self.leaf.invoke_with_args(ScalarFunctionArgs { return_field, ..args })?.to_array(rows)?;
        let Some(leaves) = leaves.as_string_opt::<i32>().filter(|l| l.len() == texts.len()) else { return Ok(given) };
        let fitting = |(text, leaf): (Option<&str>, Option<&str>)| match (text, leaf) {
            (Some(text), Some(leaf)) if is_long_integer(leaf.trim()) => Some(with_floats(text)),
            (text, _) => text.map(str::to_owned),
        };
        let fitting: StringArray = texts.iter().zip(leaves).map(fitting).collect();
        Ok(ColumnarValue::Array(Arc::new(fitting) as ArrayRef))
    }
}

fn has_long_number(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|b| {
        digits = if b.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= DIGITS
    })
}

fn is_long_integer(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    digits.len() >= DIGITS && digits.bytes().all(|b| b.is_ascii_digit())
}

/// JSON in which every long integer is a floating-point number.
fn with_floats(json: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut text = String::with_capacity(json.len() + 2);
    let mut rest = json;
    while let Some(at) = rest.find(|c| c == '"' || is_digit(c)) {
        let (before, token) = rest.split_at(at);
        text.push_str(before);
        let digits = token.find(|c| !is_digit(c)).unwrap_or(token.len());
        let goes_on = token.get(digits..).is_some_and(|after| after.starts_with(['.', 'e', 'E']));
        let length = match token.strip_prefix('"') {
            Some(inner) => end_of_string(inner).map_or(token.len(), |end| end + 1),
            // A fraction or an exponent: the digits there are no integer of their own.
            None if goes_on => token.find(|c| !is_digit(c) && !"+-.eE".contains(c)).unwrap_or(token.len()),
            None => digits,
        };
        let (token, after) = token.split_at(length);
        text.push_str(token);
        if is_long_integer(token) {
            text.push_str(".0");
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Behind the quote that ends a string.
fn end_of_string(inner: &str) -> Option<usize> {
    let mut escaped = false;
    let mut bytes = inner.bytes();
    let quote = bytes.position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    Some(quote + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_integers_become_floats_and_nothing_else_changes() {
        for (json, floats) in [
            (r#"{"n":999999999999999999,"m":-999999999999999999}"#, None),
            (r#"{"n":1700000000000000000}"#, Some(r#"{"n":1700000000000000000.0}"#)),
            (r#"[-99999999999999999999, 1]"#, Some(r#"[-99999999999999999999.0, 1]"#)),
            (r#"{"a\\":"\"99999999999999999999","b":99999999999999999999.5,"c":99999999999999999999e1}"#, None),
            (r#"{"é":"99999999999999999999"#, None),
            (
                "[0.12345678901234567890, 99999999999999999999-1]",
                Some("[0.12345678901234567890, 99999999999999999999.0-1]"),
            ),
            ("99999999999999999999", Some("99999999999999999999.0")),
        ] {
            assert_eq!(with_floats(json), floats.unwrap_or(json));
        }
    }
}
