use std::collections::HashMap;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::Int64Type;

use super::*;
use crate::formats::json::{DecodeOptions, EXTENSION_KEY, JSON_EXTENSION, JsonDecoder};

fn rows(columns: Vec<(Field, ArrayRef)>, options: EncodeOptions) -> Vec<String> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let encoder = JsonEncoder::new(&batch.schema(), options);
    encoder.encode(&batch).unwrap().iter().map(|row| String::from_utf8(row.to_vec()).unwrap()).collect()
}

fn column(name: &str, array: impl Array + 'static) -> (Field, ArrayRef) {
    (Field::new(name, array.data_type().clone(), true), Arc::new(array))
}

fn json_column(name: &str, values: Vec<Option<&str>>) -> (Field, ArrayRef) {
    let (field, array) = column(name, StringArray::from(values));
    (field.with_metadata(HashMap::from([(EXTENSION_KEY.into(), JSON_EXTENSION.into())])), array)
}

/// One row of one column `x`, without the object around the value.
fn value(array: impl Array + 'static) -> String {
    rows(vec![column("x", array)], EncodeOptions::default()).remove(0)
}

#[test]
fn columns_come_in_schema_order_without_the_engines_timestamp_and_with_nulls() {
    let written = rows(
        vec![
            column("b", Int64Array::from(vec![Some(1), None])),
            column("_timestamp", TimestampNanosecondArray::from(vec![1, 2])),
            column("a", StringArray::from(vec![None, Some("é\"\n")])),
            column("ok", BooleanArray::from(vec![Some(true), None])),
        ],
        EncodeOptions::default(),
    );
    assert_eq!(written, [r#"{"b":1,"a":null,"ok":true}"#, r#"{"b":null,"a":"é\"\n","ok":null}"#]);
}

#[test]
fn numbers_are_written_as_arroyo_writes_them() {
    assert_eq!(value(Float64Array::from(vec![1.0])), r#"{"x":1.0}"#);
    assert_eq!(value(Float64Array::from(vec![0.1])), r#"{"x":0.1}"#);
    assert_eq!(value(Float64Array::from(vec![1e300])), r#"{"x":1.0e300}"#);
    assert_eq!(value(Float64Array::from(vec![-1.5e-9])), r#"{"x":-1.5e-9}"#);
    assert_eq!(value(Float64Array::from(vec![f64::NAN])), r#"{"x":null}"#);
    assert_eq!(value(Float64Array::from(vec![f64::NEG_INFINITY])), r#"{"x":null}"#);
    assert_eq!(value(Float32Array::from(vec![0.1])), r#"{"x":0.1}"#);
    assert_eq!(value(UInt64Array::from(vec![u64::MAX])), r#"{"x":18446744073709551615}"#);
    assert_eq!(value(Decimal128Array::from(vec![-1205]).with_precision_and_scale(10, 2).unwrap()), r#"{"x":-12.05}"#);
}

#[test]
fn timestamps_have_no_zone_and_as_much_fraction_as_they_need() {
    assert_eq!(
        value(TimestampNanosecondArray::from(vec![1_763_874_000_000_000_000])),
        r#"{"x":"2025-11-23T05:00:00"}"#
    );
    assert_eq!(
        value(TimestampNanosecondArray::from(vec![1_763_874_000_250_000_000])),
        r#"{"x":"2025-11-23T05:00:00.250"}"#
    );
    assert_eq!(
        value(TimestampNanosecondArray::from(vec![1_763_874_000_250_001_000])),
        r#"{"x":"2025-11-23T05:00:00.250001"}"#
    );
    assert_eq!(value(TimestampNanosecondArray::from(vec![-1])), r#"{"x":"1969-12-31T23:59:59.999999999"}"#);
    assert_eq!(value(TimestampMillisecondArray::from(vec![1])), r#"{"x":"1970-01-01T00:00:00.001"}"#);
}

#[test]
fn timestamps_can_be_epoch_milliseconds() {
    let written = rows(
        vec![
            column("s", TimestampSecondArray::from(vec![2])),
            column("ms", TimestampMillisecondArray::from(vec![2_001])),
            column("us", TimestampMicrosecondArray::from(vec![2_001_900])),
            column("ns", TimestampNanosecondArray::from(vec![-1_500_000])),
        ],
        EncodeOptions { timestamp_format: TimestampFormat::UnixMillis },
    );
    assert_eq!(written, [r#"{"s":2000,"ms":2001,"us":2001,"ns":-1}"#]);
}

#[test]
fn nested_columns_are_nested_json() {
    let window = StructArray::from(vec![
        (
            Arc::new(Field::new("start", DataType::Timestamp(TimeUnit::Nanosecond, None), true)),
            Arc::new(TimestampNanosecondArray::from(vec![0])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("end", DataType::Timestamp(TimeUnit::Nanosecond, None), true)),
            Arc::new(TimestampNanosecondArray::from(vec![10_000_000_000])) as ArrayRef,
        ),
    ]);
    let written = rows(
        vec![
            column("window", window),
            column("list", ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])])),
            column("raw", BinaryArray::from(vec![b"\x00\xff".as_slice()])),
        ],
        EncodeOptions::default(),
    );
    assert_eq!(
        written,
        [r#"{"window":{"start":"1970-01-01T00:00:00","end":"1970-01-01T00:00:10"},"list":[1,null],"raw":"AP8="}"#]
    );
}

#[test]
fn json_columns_are_written_as_json_and_broken_ones_as_text() {
    let written = rows(
        vec![json_column(
            "j",
            vec![Some(r#"{ "b": [1, 2.50], "a": "\u00e9" }"#), None, Some("7"), Some("{broken"), Some("1 2"), Some("")],
        )],
        EncodeOptions::default(),
    );
    assert_eq!(
        written,
        [
            r#"{"j":{"b":[1,2.5],"a":"é"}}"#,
            r#"{"j":null}"#,
            r#"{"j":7}"#,
            r#"{"j":"{broken"}"#,
            r#"{"j":"1 2"}"#,
            r#"{"j":""}"#
        ]
    );
}

#[test]
fn what_is_written_reads_back() {
    let (fields, arrays): (Vec<_>, Vec<_>) = [
        column("n", Int64Array::from(vec![Some(i64::MIN), None])),
        column("f", Float64Array::from(vec![Some(0.1 + 0.2), None])),
        column("t", TimestampNanosecondArray::from(vec![Some(1_763_874_000_250_001_003), None])),
        column("s", StringArray::from(vec![Some("\u{1}\\\"/é😀"), None])),
        column("d", Decimal128Array::from(vec![Some(-1205), None]).with_precision_and_scale(10, 2).unwrap()),
        json_column("j", vec![Some(r#"{"a":[1,"\""]}"#), None]),
    ]
    .into_iter()
    .unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut decoder = JsonDecoder::new(&batch.schema(), DecodeOptions::default()).unwrap();
    for row in JsonEncoder::new(&batch.schema(), EncodeOptions::default()).encode(&batch).unwrap() {
        decoder.push(&row).unwrap();
    }
    assert_eq!(decoder.finish().unwrap(), batch);
}
