//! Arroyo's own scalar functions: JSON paths, the hash of many values, and the JSON union of `->` as text.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility, create_udf,
};
use datafusion_functions_json::{JsonUnionEncoder, JsonUnionValue};
use serde_json_path::JsonPath;

/// What `->` returns: DataFusion's JSON functions keep the type private.
static JSON_UNION: LazyLock<Option<DataType>> = LazyLock::new(|| {
    datafusion_functions_json::udfs::json_get_udf().return_type(&[DataType::Utf8, DataType::Utf8]).ok()
});

/// Whether a type is what `->` returns.
pub(crate) fn is_json_union(data_type: &DataType) -> bool {
    JSON_UNION.as_ref() == Some(data_type)
}

/// The functions that Arroyo adds to DataFusion's.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let texts = || vec![DataType::Utf8, DataType::Utf8];
    let list = DataType::List(Field::new("item", DataType::Utf8, true).into());
    let mut functions = vec![
        create_udf(
            "get_first_json_object",
            texts(),
            DataType::Utf8,
            Volatility::Immutable,
            Arc::new(|a: &[ColumnarValue]| {
                by_path("get_first_json_object", a, |value, path| path.query(value).first().map(ToString::to_string))
            }),
        ),
        create_udf(
            "extract_json_string",
            texts(),
            DataType::Utf8,
            Volatility::Immutable,
            Arc::new(|a: &[ColumnarValue]| {
                by_path("extract_json_string", a, |value, path| path.query(value).first()?.as_str().map(str::to_owned))
            }),
        ),
        create_udf("extract_json", texts(), list, Volatility::Immutable, Arc::new(extract_json)),
        ScalarUDF::new_from_impl(MultiHash {
            signature: Signature::new(TypeSignature::VariadicAny, Volatility::Immutable),
        }),
    ];
    functions.extend(serialize_json_union());
    functions.into_iter().map(Arc::new).collect()
}

/// Turns the union of `->` into JSON text, for sinks.
pub(crate) fn serialize_json_union() -> Option<ScalarUDF> {
    let union = JSON_UNION.clone()?;
    Some(create_udf(
        "serialize_json_union",
        vec![union],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|a: &[ColumnarValue]| {
            let [value] = a else { return exec_err!("serialize_json_union takes one argument") };
            let array = value.to_array(1)?;
            let union = array.as_any().downcast_ref::<arrow::array::UnionArray>().cloned();
            let Some(encoder) = union.and_then(JsonUnionEncoder::from_union) else {
                return exec_err!("serialize_json_union takes a JSON value");
            };
            let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 16);
            let mut text = String::new();
            for row in 0..encoder.len() {
                text.clear();
                match encoder.get_value(row) {
                    JsonUnionValue::JsonNull => text.push_str("null"),
                    JsonUnionValue::Bool(v) => write_display(&mut text, v),
                    JsonUnionValue::Int(v) => write_display(&mut text, v),
                    JsonUnionValue::Float(v) => write_display(&mut text, v),
                    // The text was cut out of valid JSON, so it is escaped already.
                    JsonUnionValue::Str(v) => write_display(&mut text, format_args!("\"{v}\"")),
                    JsonUnionValue::Array(v) | JsonUnionValue::Object(v) => text.push_str(v),
                }
                builder.append_value(&text);
            }
            Ok(ColumnarValue::Array(Arc::new(builder.finish())))
        }),
    ))
}

fn write_display(text: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{value}");
}

fn literal_path(name: &str, argument: &ColumnarValue) -> Result<JsonPath> {
    let ColumnarValue::Scalar(ScalarValue::Utf8(path)) = argument else {
        return exec_err!("The path argument to {name} must be a literal of type TEXT");
    };
    let Some(path) = path else { return exec_err!("The path argument to {name} cannot be null") };
    JsonPath::parse(path).map_err(|e| exec_datafusion_err!("Invalid json path '{path}': {e}"))
}

fn arguments(name: &str, args: &[ColumnarValue]) -> Result<(ArrayRef, bool, JsonPath)> {
    let [value, path] = args else { return exec_err!("{name} takes two arguments") };
    let is_scalar = matches!(value, ColumnarValue::Scalar(_));
    Ok((value.to_array(1)?, is_scalar, literal_path(name, path)?))
}

fn by_path(
    name: &str,
    args: &[ColumnarValue],
    find: impl Fn(&serde_json::Value, &JsonPath) -> Option<String>,
) -> Result<ColumnarValue> {
    let (values, is_scalar, path) = arguments(name, args)?;
    let texts = values.as_string_opt::<i32>().ok_or_else(|| exec_datafusion_err!("{name} takes TEXT"))?;
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
    for text in texts {
        let found = text.and_then(|t| find(&serde_json::from_str(t).ok()?, &path));
        builder.append_option(found);
    }
    scalar_again(Arc::new(builder.finish()), is_scalar)
}

fn extract_json(args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let (values, is_scalar, path) = arguments("extract_json", args)?;
    let texts = values.as_string_opt::<i32>().ok_or_else(|| exec_datafusion_err!("extract_json takes TEXT"))?;
    let mut builder = ListBuilder::with_capacity(StringBuilder::new(), texts.len());
    for text in texts {
        let value = text.and_then(|t| serde_json::from_str::<serde_json::Value>(t).ok());
        builder.append_option(
            value.map(|v| path.query(&v).iter().map(|found| Some(found.to_string())).collect::<Vec<_>>()),
        );
    }
    scalar_again(Arc::new(builder.finish()), is_scalar)
}

fn scalar_again(array: ArrayRef, is_scalar: bool) -> Result<ColumnarValue> {
    Ok(if is_scalar {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
    } else {
        ColumnarValue::Array(array)
    })
}

/// A fast 128-bit hash over the values' row encoding.
#[derive(Debug)]
struct MultiHash {
    signature: Signature,
}

const HASH_BYTES: i32 = 16;

impl ScalarUDFImpl for MultiHash {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn name(&self) -> &'static str {
        "multi_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::FixedSizeBinary(HASH_BYTES))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.is_empty() {
            return Err(DataFusionError::Plan("multi_hash must have at least one argument".to_owned()));
        }
        let is_scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|a| a.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let converter = RowConverter::new(arrays.iter().map(|a| SortField::new(a.data_type().clone())).collect())?;
        let encoded = converter.convert_columns(&arrays)?;
        let mut builder = FixedSizeBinaryBuilder::with_capacity(rows, HASH_BYTES);
        for row in &encoded {
            builder.append_value(xxhash_rust::xxh3::xxh3_128(row.as_ref()).to_be_bytes())?;
        }
        scalar_again(Arc::new(builder.finish()), is_scalar)
    }
}
