use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float32Type, Float64Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampNanosecondType, UInt32Type, UInt64Type,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::formats::json::{EXTENSION_KEY, JSON_EXTENSION};

fn json_field(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true).with_metadata(HashMap::from([(EXTENSION_KEY.into(), JSON_EXTENSION.into())]))
}

fn decoder(fields: Vec<Field>) -> JsonDecoder {
    JsonDecoder::new(&Schema::new(fields), DecodeOptions::default()).unwrap()
}

/// A decoder of one nullable column `x`.
fn one(data_type: DataType) -> JsonDecoder {
    decoder(vec![Field::new("x", data_type, true)])
}

fn read(data_type: DataType, payload: &str) -> Result<RecordBatch, DecodeError> {
    let mut decoder = one(data_type);
    decoder.push(payload.as_bytes())?;
    decoder.finish()
}

fn nanos() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, None)
}

#[test]
fn fields_are_found_by_name_in_any_order_and_unknown_ones_are_skipped() {
    let mut decoder = decoder(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
    for row in [r#"{"a":1,"b":"x"}"#, r#"{"b":"y","z":[{"q":[]}],"a":2}"#, r#" { "b" : "\u00e9\n" } "#, "{}"] {
        decoder.push(row.as_bytes()).unwrap();
    }
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), Some(2), None, None]);
    assert_eq!(
        batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("x"), Some("y"), Some("é\n"), None]
    );
}

#[test]
fn the_last_of_several_fields_with_one_name_counts() {
    for payload in [r#"{"x":1,"x":2}"#, r#"{"x":null,"x":2}"#, r#"{"x":1,"\u0078":2}"#] {
        assert_eq!(read(DataType::Int64, payload).unwrap().column(0).as_primitive::<Int64Type>().value(0), 2);
    }
    assert!(read(DataType::Int64, r#"{"x":2,"x":null}"#).unwrap().column(0).is_null(0));
}

#[test]
fn names_that_need_escapes_match_however_they_are_written() {
    let mut decoder = decoder(vec![Field::new("a\"b", DataType::Int64, true)]);
    decoder.push(br#"{"a\"b":1}"#).unwrap();
    decoder.push(br#"{"\u0061\u0022b":2}"#).unwrap();
    assert_eq!(decoder.finish().unwrap().column(0).null_count(), 0);
}

#[test]
fn a_wide_table_finds_its_columns() {
    let names: Vec<String> = (0..40).map(|index| format!("c{index}")).collect();
    let mut decoder = decoder(names.iter().map(|name| Field::new(name, DataType::Int64, true)).collect());
    decoder.push(br#"{"c39":39,"none":0,"c0":0,"c17":17}"#).unwrap();
    let batch = decoder.finish().unwrap();
    for (column, value) in [(39, 39), (0, 0), (17, 17)] {
        assert_eq!(batch.column(column).as_primitive::<Int64Type>().value(0), value);
    }
}

#[test]
fn a_refused_record_leaves_no_trace() {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, false)));
    let inner = DataType::Struct(vec![Field::new("p", DataType::Utf8, true), Field::new("q", list, true)].into());
    let fields = vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("s", inner, true),
        json_field("j"),
        Field::new("n", DataType::Int64, false),
    ];
    let mut decoder = decoder(fields);
    let good: &[u8] = br#"{"a":"x","s":{"p":"y","q":[1,2]},"j":{"k":[1, 2]},"n":1}"#;
    decoder.push(good).unwrap();
    for bad in [
        r#"{"a":"x","s":{"p":"y","q":[1,2]},"j":{"k":1}}"#,
        r#"{"a":"x","s":{"p":"y","q":[1,null]},"n":1}"#,
        r#"{"a":"x","s":{"p":"y","q":[1,2]},"n":1}x"#,
        r#"{"a":"x","s":{"p":"y","q":[1,2"#,
        r#"{"a":"x","a":"y","s":{"p":1},"n":1}"#,
        r#"{"a":"x","n":null}"#,
    ] {
        assert!(decoder.push(bad.as_bytes()).is_err(), "{bad}");
        assert_eq!(decoder.len(), 1);
    }
    decoder.push(good).unwrap();
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(batch.slice(0, 1), batch.slice(1, 1));
    assert_eq!(batch.column(2).as_string::<i32>().value(1), r#"{"k":[1,2]}"#);
    assert_eq!(decoder.len(), 0);
}

#[test]
fn numbers_convert_as_arrow_json_converts_them() {
    let integer =
        |text: &str| read(DataType::Int32, text).map(|batch| batch.column(0).as_primitive::<Int32Type>().value(0)).ok();
    assert_eq!(integer(r#"{"x":1.9}"#), Some(1));
    assert_eq!(integer(r#"{"x":-1.9}"#), Some(-1));
    assert_eq!(integer(r#"{"x":1e3}"#), Some(1000));
    assert_eq!(integer(r#"{"x":"17"}"#), Some(17));
    assert_eq!(integer(r#"{"x":2147483648}"#), None);
    assert_eq!(integer(r#"{"x":"1.5"}"#), None);
    assert_eq!(integer(r#"{"x":true}"#), None);
    let wide =
        |text: &str| read(DataType::Int64, text).map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0)).ok();
    assert_eq!(wide(r#"{"x":9223372036854775807}"#), Some(i64::MAX));
    assert_eq!(wide(r#"{"x":-9223372036854775808}"#), Some(i64::MIN));
    assert_eq!(wide(r#"{"x":9223372036854775808}"#), None);
    let unsigned = |text: &str| {
        read(DataType::UInt64, text).map(|batch| batch.column(0).as_primitive::<UInt64Type>().value(0)).ok()
    };
    assert_eq!(unsigned(r#"{"x":18446744073709551615}"#), Some(u64::MAX));
    assert_eq!(unsigned(r#"{"x":-1}"#), None);
    assert_eq!(read(DataType::UInt32, r#"{"x":7}"#).unwrap().column(0).as_primitive::<UInt32Type>().value(0), 7);
    let double = |text: &str| {
        read(DataType::Float64, text).map(|batch| batch.column(0).as_primitive::<Float64Type>().value(0)).ok()
    };
    assert_eq!(double(r#"{"x":"1.5"}"#), Some(1.5));
    assert_eq!(double(r#"{"x":1e999}"#), Some(f64::INFINITY));
    assert_eq!(double(r#"{"x":0.1}"#), Some(0.1));
    assert_eq!(read(DataType::Float32, r#"{"x":0.1}"#).unwrap().column(0).as_primitive::<Float32Type>().value(0), 0.1);
    let decimal = read(DataType::Decimal128(10, 2), r#"{"x":12.345}"#).unwrap();
    assert_eq!(decimal.column(0).as_primitive::<Decimal128Type>().value(0), 1234);
}

#[test]
fn timestamps_are_text_or_numbers_in_the_columns_unit() {
    let time = |text: &str| {
        read(nanos(), text).map(|batch| batch.column(0).as_primitive::<TimestampNanosecondType>().value(0)).ok()
    };
    assert_eq!(time(r#"{"x":"1970-01-01T00:00:01.5Z"}"#), Some(1_500_000_000));
    assert_eq!(time(r#"{"x":"1970-01-01T02:00:00+02:00"}"#), Some(0));
    assert_eq!(time(r#"{"x":17}"#), Some(17));
    assert_eq!(time(r#"{"x":"soon"}"#), None);
    assert_eq!(time(r#"{"x":true}"#), None);
    let millis = read(DataType::Timestamp(TimeUnit::Millisecond, None), r#"{"x":"1970-01-01 00:00:01.5"}"#).unwrap();
    assert_eq!(millis.column(0).as_primitive::<arrow::datatypes::TimestampMillisecondType>().value(0), 1_500);
}

#[test]
fn text_takes_only_strings_and_booleans_only_booleans() {
    assert!(read(DataType::Utf8, r#"{"x":1}"#).is_err());
    assert!(read(DataType::Boolean, r#"{"x":"true"}"#).is_err());
    assert!(read(DataType::Boolean, r#"{"x":true}"#).unwrap().column(0).as_boolean().value(0));
}

#[test]
fn errors_name_the_column_and_the_value() {
    let inner = DataType::Struct(vec![Field::new("p", DataType::Int64, false)].into());
    let mut decoder = decoder(vec![Field::new("s", inner, true)]);
    let error = |decoder: &mut JsonDecoder, text: &str| decoder.push(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(&mut decoder, r#"{"s":{"p":[1, 2]}}"#), "column s.p: [1, 2] cannot be read as BIGINT");
    assert_eq!(error(&mut decoder, r#"{"s":{}}"#), "column s.p is NOT NULL, but the value is missing or null");
    assert_eq!(error(&mut decoder, r#"{"s":{"p":1}"#), "not valid json at byte 12: the record ends too early");
    assert_eq!(error(&mut decoder, "[1]"), "a row must be a json object");
}

#[test]
fn a_struct_that_is_null_hides_its_fields() {
    let inner = DataType::Struct(vec![Field::new("p", DataType::Int64, false)].into());
    let batch = read(inner, r#"{"x":null}"#).unwrap();
    assert!(batch.column(0).is_null(0));
}

#[test]
fn lines_are_records_and_bad_ones_are_handed_back() {
    let mut decoder = one(DataType::Int64);
    let mut bad = Vec::new();
    let chunk = b"{\"x\":1}\n\n{\"x\":\n2}\r\n \t\n{\"x\":3}\r\nnope\n{\"x\":4}";
    decoder.push_lines(chunk, &mut |line, _| bad.push(String::from_utf8_lossy(line).into_owned()));
    assert_eq!(bad, ["{\"x\":", "2}\r", "nope"]);
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 3, 4]);
}

#[test]
fn unstructured_takes_any_bytes_as_they_are() {
    let mut decoder =
        JsonDecoder::new(&Schema::new(vec![json_field("value")]), DecodeOptions { unstructured: true }).unwrap();
    decoder.push(b"{ \"a\": 1 }").unwrap();
    decoder.push(b"\xff{").unwrap();
    let batch = decoder.finish().unwrap();
    assert_eq!(
        batch.column(0).as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("{ \"a\": 1 }"), Some("\u{fffd}{")]
    );
}

#[test]
fn what_json_cannot_hold_is_refused_before_the_first_record() {
    let error = JsonDecoder::new(&Schema::new(vec![Field::new("b", DataType::Binary, true)]), DecodeOptions::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "column b: Binary cannot be read from json; declare it TEXT and convert it in a query"
    );
}

#[test]
fn depth_is_limited_where_serde_json_limits_it() {
    for depth in [126, 127, 128, 100_000] {
        let text = format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(
            one(DataType::Int64).push(text.replace("\"x\"", "\"y\"").as_bytes()).is_ok(),
            depth <= 127,
            "{depth}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), depth <= 127, "{depth}");
    }
}

/// JSON text with the spellings that generators of values never produce.
fn json_text() -> impl Strategy<Value = String> {
    let string = "\"(\\\\[\"\\\\/bfnrtux]|\\\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\u00[0-9a-f]{2}|[a-z é😀\u{1}]){0,6}\"";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("fals".to_owned()),
        "-?[0-9]{1,22}(\\.[0-9]{0,18})?([eE][+-]?[0-9]{1,2})?",
        string,
    ];
    let space = "[ \t\n\r]{0,2}";
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space)
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},")))),
            prop::collection::vec((string, inner), 0..4).prop_map(|fields| {
                format!(
                    "{{{}}}",
                    fields.into_iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join(",")
                )
            }),
        ]
    })
}

/// A valid record, cut, doubled or with a byte changed.
fn mangled(text: String, at: prop::sample::Index, byte: u8, how: u8) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let at = at.index(bytes.len().max(1));
    match how {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, byte),
        2 => bytes.push(byte),
        3 => {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        _ => {}
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The decoder accepts an object exactly when serde_json does, and a JSON column holds the same value.
    #[test]
    fn accepts_what_serde_json_accepts(
        value in json_text(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..8_u8, known in any::<bool>(),
    ) {
        let name = if known { "x" } else { "unknown" };
        let payload = mangled(format!("{{\"{name}\":{value}}}"), at, byte, how);
        let expected = serde_json::from_slice::<Value>(&payload);
        // Beyond the range of a double a number is infinite here, as on Arroyo.
        prop_assume!(!expected.as_ref().is_err_and(|e| e.to_string().starts_with("number out of range")));
        let expected = expected.ok().filter(Value::is_object);
        let mut decoder = decoder(vec![json_field("x")]);
        let pushed = decoder.push(&payload);
        prop_assert_eq!(pushed.is_ok(), expected.is_some(), "{:?} of {}", pushed, String::from_utf8_lossy(&payload));
        if let Some(expected) = expected {
            let batch = decoder.finish().unwrap();
            let column = batch.column(0).as_string::<i32>();
            let found = if column.is_null(0) { Value::Null } else { serde_json::from_str(column.value(0)).unwrap() };
            prop_assert_eq!(found, expected.get("x").cloned().unwrap_or_default());
        } else {
            prop_assert_eq!(decoder.len(), 0);
        }
    }

    /// With any bytes, nothing panics and a refused record leaves the next one readable.
    #[test]
    fn any_bytes_are_refused_or_read(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut decoder = one(DataType::Int64);
        let read = decoder.push(&payload).is_ok();
        decoder.push(b"{\"x\":1}").unwrap();
        prop_assert_eq!(decoder.finish().unwrap().num_rows(), 1 + usize::from(read));
    }

    #[test]
    fn numbers_are_what_the_standard_library_makes_of_them(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
        let payload = format!("{{\"x\":{text}}}");
        let double = read(DataType::Float64, &payload).unwrap().column(0).as_primitive::<Float64Type>().value(0);
        prop_assert_eq!(double.to_bits(), text.parse::<f64>().unwrap().to_bits());
        let single = read(DataType::Float32, &payload).unwrap().column(0).as_primitive::<Float32Type>().value(0);
        prop_assert_eq!(single.to_bits(), text.parse::<f32>().unwrap().to_bits());
    }

    #[test]
    fn text_is_what_serde_json_makes_of_it(text in any::<String>()) {
        let payload = serde_json::json!({ "x": text }).to_string();
        let batch = read(DataType::Utf8, &payload).unwrap();
        prop_assert_eq!(batch.column(0).as_string::<i32>().value(0), text);
    }

    /// Typed columns hold what arrow-json reads from the same records.
    #[test]
    fn typed_columns_equal_those_of_arrow_json(
        a in prop_oneof![any::<i64>().prop_map(Value::from), Just(Value::Null), any::<i32>().prop_map(|n| Value::from(n.to_string()))],
        b in prop_oneof![any::<f64>().prop_map(Value::from), any::<i32>().prop_map(Value::from)],
        c in any::<Option<String>>(), d in prop::collection::vec(any::<Option<bool>>(), 0..4), e in any::<Option<u32>>(),
    ) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Float64, true),
            Field::new("s", DataType::Struct(vec![
                Field::new("c", DataType::Utf8, true),
                Field::new("d", DataType::List(Arc::new(Field::new("item", DataType::Boolean, true))), true),
            ].into()), true),
            Field::new("e", DataType::Decimal128(20, 3), true),
        ]));
        let payload = serde_json::json!({ "a": a, "b": b, "s": { "c": c, "d": d }, "e": e }).to_string();
        let mut ours = JsonDecoder::new(&schema, DecodeOptions::default()).unwrap();
        ours.push(payload.as_bytes()).unwrap();
        let mut theirs = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
        theirs.decode(payload.as_bytes()).unwrap();
        prop_assert_eq!(ours.finish().unwrap(), theirs.flush().unwrap().unwrap());
    }
}
