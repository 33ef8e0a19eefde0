//! The contract, as ARCHITECTURE.md has it.

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
