//! `json_length(get_first_json_object(text, '$'))`: how SQL asks whether a text is one whole JSON value, and how many
//! names it has. Arroyo builds the value and writes it as text for that; here one pass over the text says the same.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

static STRICT_LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::new(TypeSignature::Exact(vec![DataType::Utf8]), Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(StrictLength { signature }))
});

/// A call of `json_length` on the whole of a text that is read strictly, in one pass.
pub(crate) fn guard(expression: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expression else { return Transformed::no(expression) };
    let ("json_length", [Expr::ScalarFunction(ScalarFunction { func, args })]) = (func.name(), args.as_slice()) else {
        return Transformed::no(expression);
    };
    match (func.name(), args.as_slice()) {
        ("get_first_json_object", [text, Expr::Literal(ScalarValue::Utf8(Some(path)), _)]) if path == "$" => {
            Transformed::yes(STRICT_LENGTH.call(vec![text.clone()]))
        }
        _ => Transformed::no(expression),
    }
}

/// How many different names an object has, or items an array; NULL for all that is no whole JSON object or array.
#[derive(Debug)]
struct StrictLength {
    signature: Signature,
}

impl ScalarUDFImpl for StrictLength {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        "__weir_strict_json_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = args.args.as_slice() else { return exec_err!("{} takes a text", self.name()) };
        let texts = text.to_array(args.number_rows)?;
        let Some(texts) = texts.as_string_opt::<i32>() else { return exec_err!("{} takes TEXT", self.name()) };
        let lengths: UInt64Array = texts.iter().map(|text| length(text?)).collect();
        Ok(ColumnarValue::Array(Arc::new(lengths) as ArrayRef))
    }
}

fn length(json: &str) -> Option<u64> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let length = Whole.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    length
}

/// Names that are looked through one by one; more of them are sorted.
const FEW_NAMES: usize = 32;

/// The outermost value.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut names: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if names.len() >= FEW_NAMES || !names.contains(&name) {
                names.push(name);
            }
            map.next_value::<Checked>()?;
        }
        if names.len() > FEW_NAMES {
            names.sort_unstable();
            names.dedup();
        }
        Ok(Some(names.len() as u64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self::Value, A::Error> {
        let mut length = 0;
        while items.next_element::<Checked>()?.is_some() {
            length += 1;
        }
        Ok(Some(length))
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }
}

/// Any value, read as strictly as one that is kept: numbers fit a double, escapes are whole.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self, A::Error> {
        while map.next_key::<Name<'de>>()?.is_some() {
            map.next_value::<Checked>()?;
        }
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Self)
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E: Error>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(Self)
    }
}

/// A field's name.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> std::result::Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> std::result::Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What Arroyo does: read the whole, write it, count.
    fn plain(json: &str) -> Option<u64> {
        match serde_json::from_str(json).ok()? {
            Value::Object(fields) => Some(fields.len() as u64),
            Value::Array(items) => Some(items.len() as u64),
            _ => None,
        }
    }

    #[test]
    fn one_pass_says_what_reading_the_whole_says() {
        let many: String = (0..100).map(|n| format!("\"k{}\":1,", n % 60)).collect();
        let deep = |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (json, names) in [
            ("{}", Some(0)),
            (" {\"a\":1,\"b\":{\"a\":2,\"a\":3}} \n", Some(2)),
            ("{\"a\":1,\"a\":1}", Some(1)),
            ("{\"a\":1,\"\\u0061\":2}", Some(1)),
            ("[1,2]", Some(2)),
            ("{\"a\":1}{\"b\":2}", None),
            ("{\"a\":1}\n{\"b\":2}", None),
            ("{\"a\":1} oops", None),
            ("\u{feff}{}", None),
            ("{\"a\":1e400}", None),
            ("{\"a\":\"\\ud800\"}", None),
            ("{\"a\":NaN}", None),
            ("{\"a\":01}", None),
            ("{\"a\":1,}", None),
            ("{a:1}", None),
            ("\"text\"", None),
            ("5", None),
            ("null", None),
            ("", None),
            (&format!("{{{many}\"z\":0}}"), Some(61)),
            (&deep(126), Some(1)),
            (&deep(128), None),
        ] {
            assert_eq!((length(json), plain(json)), (names, names), "{json}");
        }
    }

    proptest! {
        #[test]
        fn the_same_of_any_text(text in r#"[ \{\}\[\],:"\\a0-9eE.+-]{0,24}"#) {
            prop_assert_eq!(length(&text), plain(&text));
        }

        #[test]
        fn the_same_of_nearly_json(value in "[0-9eE.+-]{1,8}|\"[a-z\\\\u0-9d]{0,8}\"|\\{\\}|\\[1\\]|null", name in "[ab]{1,2}") {
            let text = format!("{{\"a\":1,\"{name}\":{value}}}");
            prop_assert_eq!(length(&text), plain(&text));
        }
    }
}
