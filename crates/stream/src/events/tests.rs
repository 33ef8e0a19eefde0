//! The contract, as docs/contracts.md has it.

use crate::{Decoded, Decoder, Record, Rows, Value};

fn verdict(record: &str) -> String {
    let mut rows = Rows::default();
    Decoder::new(&super::declaration()).decode(Record::new(record.as_bytes()), &mut rows);
    match &rows.decoded[0] {
        Decoded::Row(row) => row.to_json(&super::declaration().columns()),
        Decoded::Refused(_, poison) => poison.reason.to_string(),
        Decoded::Control(control) => format!("{:?} {:?}", control.kind, control.probe_id),
    }
}

#[test]
fn an_event_and_its_defaults() {
    assert_eq!(
        verdict(r#"{"timestamp":1767225600000,"value":"1.5","id":7,"tags":{"a":1},"x":2}"#),
        r#"{"event_time":"2026-01-01T00:00:00Z","timestamp":"2026-01-01T00:00:00Z","value":1.5,"source":"unknown","metric":"value","id":"7","tags":{"a":1},"event":{"timestamp":1767225600000,"value":"1.5","id":7,"tags":{"a":1},"x":2}}"#
    );
    assert!(
        verdict(r#"{"timestamp":"2026-01-01","value":-0.0,"source":17,"metric":{"a":1}}"#)
            .contains(r#""value":0.0,"source":"17","metric":"{\"a\":1}""#)
    );
}

#[test]
fn every_form_of_time() {
    for (time, micros) in [
        ("1767225600000", 0),
        ("1767225600000.0", 0),
        ("1.7672256e12", 0),
        ("1767225600000.25", 250),
        ("\"1767225600000\"", 0),
        ("\"1.7672256e12\"", 0),
        ("\"2026-01-01\"", 0),
        ("\"2026-01-01 00:00:00.25\"", 250_000),
        ("\"2026-01-01T000000\"", 0),
        ("\"2026-01-01T01:00:00+01:00\"", 0),
        ("\"2026-01-01 01:00:00 Europe/Berlin\"", 0),
    ] {
        let mut rows = Rows::default();
        let record = format!(r#"{{"timestamp":{time},"value":1}}"#);
        Decoder::new(&super::declaration()).decode(Record::new(record.as_bytes()), &mut rows);
        let row = rows.rows().next().unwrap_or_else(|| panic!("{time}: {rows:?}"));
        assert_eq!(row.time, Some(1_767_225_600_000_000_000 + micros * 1_000), "{time}");
        assert_eq!(row.values[0], Value::Timestamp(row.time.unwrap()));
    }
}

#[test]
fn what_is_no_event_has_one_reason() {
    for (record, reason) in [
        ("x", "not_json"),
        ("{}x", "not_json"),
        (r#"{"a":1}{"b":2}"#, "several_values"),
        ("[]", "not_an_object"),
        ("7", "not_an_object"),
        (r#"{"timestamp":1767225600000,"value":1,"x":1,"x":1}"#, "repeated_field"),
        (r#"{"timestamp":1767225600000,"value":1,"value":1}"#, "repeated_field"),
        (r#"{"timestamp":1767225600000,"value":1,"\u0076alue":1}"#, "repeated_field"),
        ("{}", "bad_timestamp"),
        (r#"{"timestamp":1767225600,"value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":1767225600000000,"value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":"20260101","value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":" 1767225600000","value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":"2200-01-01","value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":"1973-03-03T09:46:39Z","value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":true,"value":1}"#, "bad_timestamp"),
        (r#"{"timestamp":1767225600000}"#, "bad_value"),
        (r#"{"timestamp":1767225600000,"value":null}"#, "bad_value"),
        (r#"{"timestamp":1767225600000,"value":true}"#, "bad_value"),
        (r#"{"timestamp":1767225600000,"value":"NaN"}"#, "bad_value"),
        (r#"{"timestamp":1767225600000,"value":1.7976931348623157e308}"#, "bad_value"),
        (r#"{"timestamp":1767225600000,"value":1e400}"#, "not_json"),
    ] {
        assert_eq!(verdict(record), reason, "{record}");
    }
    assert!(verdict(r#"{"timestamp":"1973-03-03T09:46:40Z","value":1.7976931348623156e308}"#).starts_with('{'));
    assert!(
        verdict(&format!(
            r#"{{"timestamp":1767225600000,"value":1,{}"z":0}}"#,
            (0..300).map(|n| format!("\"k{n}\":{n},")).collect::<String>()
        ))
        .starts_with('{')
    );
    let many: String = (0..300).map(|n| format!("\"k{n}\":{n},")).collect();
    assert_eq!(verdict(&format!(r#"{{{many}"k299":1,"timestamp":1767225600000,"value":1}}"#)), "repeated_field");
}

#[test]
fn control_records_are_known_by_all_their_fields() {
    assert_eq!(verdict(r#"{"weir":"heartbeat"}"#), "Heartbeat None");
    assert_eq!(verdict(r#"{"timestamp":"2026-01-01T00:00:00Z","weir":"heartbeat"}"#), "Heartbeat None");
    assert_eq!(verdict(r#"{"weir":"probe","probe_id":"p","sent_at":"s","timestamp":null}"#), "Probe Some(\"p\")");
    for record in [
        r#"{"weir":"north"}"#,
        r#"{"weir":"heartbeat","x":1}"#,
        r#"{"weir":"probe","probe_id":"p"}"#,
        r#"{"weir":"probe","probe_id":"p","x":1}"#,
        r#"{"weir":["heartbeat"]}"#,
    ] {
        assert_eq!(verdict(record), "bad_timestamp", "{record}");
    }
    let event =
        r#"{"timestamp":"2026-01-01T00:00:00Z","value":95,"source":"dam-3","metric":"temperature","weir":"north"}"#;
    assert!(verdict(event).contains(r#""source":"dam-3""#));
}

/// The built-in stream against the reader of history files, which follows `sql/tables.sql`.
mod differential {
    use proptest::prelude::*;
    use weir_decode::Decoded as Other;

    use super::*;
    use crate::json::tests::any_json;

    /// The reason, or the columns of an event, as both say them.
    fn ours(record: &[u8]) -> String {
        let mut rows = Rows::default();
        Decoder::new(&crate::events::declaration()).decode(Record::new(record), &mut rows);
        match &rows.decoded[0] {
            Decoded::Row(row) => format!("{:?} {:?}", row.time, row.values.get(1..5).unwrap()),
            Decoded::Refused(_, poison) => poison.reason.to_string(),
            Decoded::Control(_) => "control".to_owned(),
        }
    }

    fn others(record: &[u8]) -> String {
        match weir_decode::decode(record) {
            Other::Event(reading) => {
                let id = reading.id.map_or(Value::Null, Value::Text);
                let values =
                    [Value::Double(reading.value), Value::Text(reading.source), Value::Text(reading.metric), id];
                format!("{:?} {:?}", Some(reading.time.nanos()), values)
            }
            Other::Control => "control".to_owned(),
            Other::Poison(fault) => fault.reason.as_str().to_owned(),
        }
    }

    fn any_time() -> impl Strategy<Value = String> {
        let numbers = prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            (1_600_000_000_000_i64..1_900_000_000_000).prop_map(|n| n.to_string()),
            (99_999_999_990_i64..100_000_000_010).prop_map(|n| n.to_string()),
            "17672256[0-9]{5}(\\.[0-9]{1,8})?([eE][+-]?[0-3])?",
        ];
        let texts = "(1973-03-03|2026-0[1-4]-[0-3][0-9]|2199-12-31|2200-01-01|[0-9]{4}-[01][0-9]-[0-3][0-9])([Tt ][0-2][0-9](:[0-5][0-9]:[0-6][0-9]|[0-5][0-9][0-6][0-9])([.,][0-9]{0,14})? {0,2}(Z|z|[+-][0-2][0-9]|[+-][01][0-9]:?[0-9]{2}|UTC|Europe/Berlin|Nowhere)?)?";
        prop_oneof![
            numbers.clone(),
            numbers.prop_map(|n| format!("\"{n}\"")),
            texts.prop_map(|text| format!("\"{text}\"")),
            any_json().prop_map(|value| value.to_string()),
        ]
    }

    fn any_record() -> impl Strategy<Value = String> {
        let member = prop_oneof![
            4 => any_time().prop_map(|time| format!("\"timestamp\":{time}")),
            4 => prop_oneof![any::<f64>().prop_map(|v| v.to_string()), any_json().prop_map(|v| v.to_string()), "\"[-+0-9.eE ]{1,8}\""].prop_map(|v| format!("\"value\":{v}")),
            3 => ("source|metric|id|tags|x|weir|probe_id|sent_at|v\\\\u0061lue", any_json()).prop_map(|(name, value)| format!("\"{name}\":{value}")),
            1 => "\"weir\":\"(heartbeat|probe|north)\"",
        ];
        let object = proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")));
        let good = (any_time(), any::<f64>())
            .prop_map(|(time, value)| format!("{{\"timestamp\":{time},\"value\":{value:e}}}"));
        let one = prop_oneof![3 => object, 2 => good, 1 => any_json().prop_map(|value| value.to_string())];
        (
            one.clone(),
            proptest::option::weighted(0.1, one),
            prop_oneof![8 => Just(""), 1 => Just("\n"), 1 => Just(" x"), 1 => Just("\0")],
        )
            .prop_map(|(first, second, end)| first + &second.unwrap_or_default() + end)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6_000))]

        #[test]
        fn both_readers_of_the_contract_say_the_same(record in any_record()) {
            prop_assert_eq!(ours(record.as_bytes()), others(record.as_bytes()), "{}", record);
        }
    }
}
