//! What a record is: an event, a control record or poison. Weir's own tables on the embedded engine, with records as people and
//! devices send them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod clocks;
mod common;
mod numbers;

use proptest::prelude::*;
use serde_json::Value;
use weir_anomaly::{
    PoisonReason, Timestamp,
    event::{END_OF_TIMES, LEAST_TIME, is_event_time},
};
use weir_engine::RunOptions;

use common::{ALL, BELOW, Found, NOON, PER_MINUTE, program, record, run_on};

fn found(settings: &str, payloads: &[&[u8]]) -> Found {
    let program = program(settings, &[("all", ALL), ("below", BELOW)]);
    run_on(&program, payloads.iter().map(|p| record(p, NOON)).collect(), RunOptions::default())
}

const MODES: [&str; 2] = ["time = \"arrival\"", "time = \"event\""];

/// An event with this JSON as its time.
fn at(time: &str) -> String {
    format!(r#"{{"timestamp":{time},"value":1,"source":"s"}}"#)
}

#[test]
fn a_record_is_one_object_or_poison_byte_for_byte() {
    let event = r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"source":"a"}"#;
    let cases: [(&str, &str); 28] = [
        (event, "event"),
        (" \r\n\t{\"timestamp\":\"2026-01-01T12:00:00Z\",\"value\":95}\r\n", "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"tags":{"a":{"b":[1,null,true]}}}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"tags":{"a":1,"a":2}}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":"95"}"#, "event"),
        (&format!("{event}{event}"), "several_values"),
        (&format!("{event}\n{event}\n{event}"), "several_values"),
        (&format!("{event} {{}}"), "several_values"),
        (&format!("{event}[]"), "not_json"),
        (&format!("{event} oops"), "not_json"),
        (&format!("{event},"), "not_json"),
        (&format!("{event}\0"), "not_json"),
        (&format!("\u{feff}{event}"), "not_json"),
        (event.trim_end_matches('}'), "not_json"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,}"#, "not_json"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"x":"\ud800"}"#, "not_json"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"x":1e400}"#, "not_json"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":NaN}"#, "not_json"),
        ("", "not_json"),
        ("oops", "not_json"),
        (&format!("[{event}]"), "not_an_object"),
        (" []", "not_an_object"),
        ("\"text\"", "not_an_object"),
        ("95", "not_an_object"),
        ("null", "not_an_object"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"value":1}"#, "repeated_field"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"x":1,"\u0078":1}"#, "repeated_field"),
        ("{}", "bad_timestamp"),
    ];
    for mode in MODES {
        for (payload, kind) in cases {
            let found = found(mode, &[payload.as_bytes()]);
            assert_eq!(found.kinds(), [(kind, 1)].into(), "{mode}: {payload}");
            if kind == "event" {
                assert_eq!(found.of_rule("all").len(), 1, "{mode}: {payload}");
                continue;
            }
            let [poison] = found.poison.as_slice() else { panic!("{mode}: {payload}: {:?}", found.poison) };
            assert_eq!((poison.reason.as_str(), poison.raw_bytes().unwrap()), (kind, payload.as_bytes().to_vec()));
            assert!(poison.error.as_ref().is_some_and(|e| e.len() > 10), "{poison:?}");
            assert!(found.anomalies.is_empty());
        }
    }
    let found = found(MODES[0], &[b"\xff\xfe", &[0x1f, 0x8b, 8, 0]]);
    assert_eq!(found.kinds(), [("not_utf8", 2)].into());
    assert_eq!(found.poison[0].reason, PoisonReason::NotUtf8.as_str());
}

#[test]
fn times_are_told_in_every_form_that_the_contract_lists_and_in_no_other() {
    let noon = "2026-01-01T12:00:00.000000000";
    let quarter = "2026-01-01T12:00:00.000250000";
    let forms = [
        ("1767268800000", Some(noon)),
        ("1767268800000.0", Some(noon)),
        ("1767268800000.25", Some(quarter)),
        ("1767268800000.2501", Some(quarter)),
        ("1.7672688e12", Some(noon)),
        ("17672688E+5", Some(noon)),
        ("176726880000000e-2", Some(noon)),
        ("\"1767268800000\"", Some(noon)),
        ("\"1.7672688e12\"", Some(noon)),
        ("\"2026-01-01T12:00:00Z\"", Some(noon)),
        ("\"2026-01-01t12:00:00z\"", Some(noon)),
        ("\"2026-01-01 12:00:00\"", Some(noon)),
        ("\"2026-01-01T120000\"", Some(noon)),
        ("\"2026-01-01T12:00:00.00025\"", Some(quarter)),
        ("\"2026-01-01T12:00:00.0002500009\"", Some(quarter)),
        ("\"2026-01-01T13:00:00+01:00\"", Some(noon)),
        ("\"2026-01-01T13:00:00+0100\"", Some(noon)),
        ("\"2026-01-01T13:00:00 +01\"", Some(noon)),
        ("\"2026-01-01 13:00:00 Europe/Berlin\"", Some(noon)),
        ("\"2026\\u002d01-01T12:00:00Z\"", Some(noon)),
        ("\"2026-01-01\"", Some("2026-01-01T00:00:00.000000000")),
        ("\"2025-12-31T23:59:60Z\"", Some("2026-01-01T00:00:00.000000000")),
        ("\"1973-03-03T09:46:40Z\"", Some("1973-03-03T09:46:40.000000000")),
        ("100000000000", Some("1973-03-03T09:46:40.000000000")),
        ("\"2199-12-31T23:59:59.999999999Z\"", Some("2199-12-31T23:59:59.999999999")),
        ("7258118399999", Some("2199-12-31T23:59:59.999000000")),
        // Nobody's time.
        ("\"1973-03-03T09:46:39.999999999Z\"", None),
        ("99999999999", None),
        ("\"2200-01-01T00:00:00Z\"", None),
        ("7258118400000", None),
        ("1767268800", None),
        ("1767268800000000", None),
        ("1767268800000000000", None),
        ("20260101", None),
        ("\"20260101\"", None),
        ("0", None),
        ("-1", None),
        ("-1767268800000", None),
        ("-9223372036854775808", None),
        ("9223372036854775807", None),
        ("18446744073709551616", None),
        ("1e308", None),
        ("\"inf\"", None),
        ("\"NaN\"", None),
        ("\"0001-01-01T00:00:00Z\"", None),
        ("\"9999-12-31T23:59:59Z\"", None),
        ("\"1677-09-21T00:12:43Z\"", None),
        ("\"2262-04-11T23:47:16.854775807Z\"", None),
        ("\"1970-01-01T00:00:00Z\"", None),
        ("\"2026-01-01T12:00Z\"", None),
        ("\"2026-01-01T12:00:00Q\"", None),
        ("\"2026-13-01T12:00:00Z\"", None),
        ("\" 1767268800000\"", None),
        ("\"yesterday\"", None),
        ("\"\"", None),
        ("true", None),
        ("null", None),
        ("{}", None),
        ("[1767268800000]", None),
    ];
    for mode in MODES {
        for (time, expected) in forms {
            let found = found(mode, &[at(time).as_bytes()]);
            let kind = if expected.is_some() { "event" } else { "bad_timestamp" };
            assert_eq!(found.kinds(), [(kind, 1)].into(), "{mode}: {time}");
            match expected {
                Some(expected) => {
                    let details: Value = serde_json::from_str(&found.of_rule("all")[0]["details"].to_string()).unwrap();
                    let said: Timestamp = details["timestamp"].as_str().unwrap().parse().unwrap();
                    assert_eq!(said, expected.parse().unwrap(), "{mode}: {time}");
                }
                None => assert_eq!(found.poison[0].raw_bytes().unwrap(), at(time).as_bytes(), "{mode}: {time}"),
            }
        }
    }
}

#[test]
fn a_time_in_the_wrong_unit_says_which() {
    for (time, word) in [
        ("1767268800", "seconds"),
        ("1767268800.5", "seconds"),
        ("\"1767268800\"", "seconds"),
        ("1767268800000000", "microseconds"),
        ("1767268800000000000", "nanoseconds"),
        ("20260101", "outside"),
        ("\"1969-12-31T23:59:59Z\"", "outside"),
        ("\"yesterday\"", "neither"),
        ("null", "no field"),
    ] {
        let found = found(MODES[0], &[at(time).as_bytes()]);
        let error = found.poison[0].error.clone().unwrap();
        assert!(error.contains(word), "{time}: {error}");
    }
}

#[test]
fn minus_zero_is_zero() {
    for decode in ["", "\ndecode = \"typed\""] {
        for zero in ["-0.0", "-0", "-0e5", "0.0"] {
            let payload = format!(r#"{{"timestamp":"2026-01-01T12:00:00Z","value":{zero},"source":"s"}}"#);
            let found = found(&format!("{}{decode}", MODES[0]), &[payload.as_bytes()]);
            assert!(found.of_rule("below").is_empty(), "{zero}: {:?}", found.anomalies);
            assert_eq!(found.of_rule("all")[0]["value"].to_string(), "0.0", "{zero}");
        }
    }
}

#[test]
fn control_records_are_known_by_all_of_their_fields() {
    let cases: [(&str, &str); 16] = [
        (r#"{"weir":"heartbeat"}"#, "heartbeat"),
        (r#"{"weir":"heartbeat","timestamp":"2026-01-01T12:00:00.000Z"}"#, "heartbeat"),
        (r#"{"timestamp":1767268800000,"weir":"heartbeat"}"#, "heartbeat"),
        (r#"{"weir":"probe","probe_id":"p","sent_at":"2026-01-01T12:00:00Z"}"#, "probe"),
        (r#"{"weir":"probe","probe_id":"p","sent_at":"x","timestamp":"2026-01-01T12:00:00Z"}"#, "probe"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"source":"dam-3","weir":"north"}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"source":"dam-3","weir":"heartbeat"}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"weir":"probe","probe_id":"p","sent_at":"x"}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"weir":7}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","value":95,"weir":null}"#, "event"),
        (r#"{"timestamp":"2026-01-01T12:00:00Z","source":"dam-3","weir":"heartbeat"}"#, "bad_value"),
        (r#"{"weir":"heartbeat","value":1}"#, "bad_timestamp"),
        (r#"{"weir":"Heartbeat"}"#, "bad_timestamp"),
        (r#"{"weir":"sweep"}"#, "bad_timestamp"),
        (r#"{"weir":"probe"}"#, "bad_timestamp"),
        (r#"{"weir":"north","timestamp":"2026-01-01T12:00:00Z"}"#, "bad_value"),
    ];
    for mode in MODES {
        for (payload, kind) in cases {
            let found = found(mode, &[payload.as_bytes()]);
            assert_eq!(found.kinds(), [(kind, 1)].into(), "{mode}: {payload}");
            assert_eq!(found.of_rule("weir_probe").len(), usize::from(kind == "probe"), "{mode}: {payload}");
            assert_eq!(found.of_rule("all").len(), usize::from(kind == "event"), "{mode}: {payload}");
        }
        let typed = found(&format!("{mode}\ndecode = \"typed\""), &cases.map(|(payload, _)| payload.as_bytes())[..10]);
        // A `weir` that is no text does not fit the typed column.
        let kinds = typed.kinds();
        assert_eq!(
            (kinds.get("heartbeat"), kinds.get("probe"), kinds.get("event")),
            (Some(&3), Some(&2), Some(&4)),
            "{kinds:?}"
        );
        assert_eq!(typed.report.sources[0].poison, 1);
    }
}

/// A time as a device may send it: a number in any unit, from the least to the greatest, or text of the years 1 to 9999; with what
/// it is in nanoseconds, exactly.
fn any_time() -> impl Strategy<Value = (String, Option<i128>)> {
    let ends = || {
        prop_oneof![
            Just(i64::MIN),
            Just(i64::MAX),
            -5i64..5,
            99_999_999_990i64..100_000_000_010,
            7_258_118_399_990i64..7_258_118_400_010,
            (i64::MIN / 1_000_000 - 5)..(i64::MIN / 1_000_000 + 5),
            (i64::MAX / 1_000_000 - 5)..(i64::MAX / 1_000_000 + 5),
            any::<i64>(),
            1_600_000_000_000i64..1_900_000_000_000,
        ]
    };
    let nanos = |ms: i64| Some(i128::from(ms) * 1_000_000);
    let number = ends().prop_map(move |ms| (ms.to_string(), nanos(ms)));
    let text_number = ends().prop_map(move |ms| (format!("\"{ms}\""), nanos(ms)));
    let date = (1i32..=9999, 1u32..=12, 1u32..=28, 0u32..24, 0u32..60, 0u32..60, 0u32..1_000_000_000);
    let text = date.prop_map(|(y, mo, d, h, mi, s, n)| {
        let time = chrono::NaiveDate::from_ymd_opt(y, mo, d).unwrap().and_hms_nano_opt(h, mi, s, n).unwrap().and_utc();
        let nanos = i128::from(time.timestamp()) * 1_000_000_000 + i128::from(n);
        (format!("\"{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}.{n:09}Z\""), Some(nanos))
    });
    prop_oneof![number, text_number, text]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_time_in_a_record_ends_the_program_and_each_is_an_event_or_poison(times in prop::collection::vec(any_time(), 1..30)) {
        let is_time = |nanos: &Option<i128>| {
            nanos.and_then(|n| i64::try_from(n).ok()).is_some_and(|n| is_event_time(Timestamp::from_nanos(n)))
        };
        let events = times.iter().filter(|(_, nanos)| is_time(nanos)).count();
        for mode in MODES {
            for delay in ["1 second", "366 days"] {
                let settings = format!("{mode}\nwatermark_delay = \"{delay}\"\nfuture_limit = \"none\"");
                let program = program(&settings, &[("all", ALL), ("per_minute", PER_MINUTE)]);
                let records: Vec<_> = times.iter().map(|(time, _)| record(at(time), NOON)).collect();
                let found = run_on(&program, records, RunOptions { batch_size: 3, ..RunOptions::default() });
                prop_assert_eq!(found.of_rule("all").len(), events);
                let mut poison: Vec<_> = found.poison.iter().map(|p| p.raw_bytes().unwrap()).collect();
                let mut expected: Vec<_> =
                    times.iter().filter(|(_, nanos)| !is_time(nanos)).map(|(time, _)| at(time).into_bytes()).collect();
                poison.sort();
                expected.sort();
                prop_assert_eq!(poison, expected);
                if mode == MODES[1] {
                    let watermark = found.report.sources[0].watermark_nanos.unwrap_or(0);
                    prop_assert!(watermark >= 0, "Arroyo's must not lie before 1970");
                }
            }
        }
    }

    #[test]
    fn no_arrival_ends_the_program(arrivals in prop::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()], 1..20)) {
        for mode in MODES {
            let program = program(mode, &[("per_minute", PER_MINUTE)]);
            let records: Vec<_> = arrivals.iter().map(|a| record(at("1767268800000"), *a)).collect();
            let found = run_on(&program, records, RunOptions { batch_size: 2, ..RunOptions::default() });
            prop_assert_eq!(found.kinds(), [("event", arrivals.len() as u64)].into());
        }
    }
}

#[test]
fn the_least_and_the_last_time_are_where_units_part() {
    assert_eq!(LEAST_TIME.millis(), 100_000_000_000);
    // The largest of today's clocks in seconds lies far before, the least in microseconds far behind.
    assert!(LEAST_TIME.millis() > i64::from(u32::MAX) && END_OF_TIMES.millis() < LEAST_TIME.millis() * 1_000);
}
