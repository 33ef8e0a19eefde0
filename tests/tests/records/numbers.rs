//! Minus zero, infinity and what is no number, in the fields and sums of rules: compiled, and run.

use serde_json::{Value, json};
use weir_engine::RunOptions;

use crate::common::{NOON, program, record, run_on};

/// The anomalies of one rule over events that carry `x` in a field of their own, by event id.
fn anomalies(rule: &str, xs: &[&str]) -> Vec<Value> {
    let event = |(nth, x): (usize, &&str)| {
        let line = format!(r#"{{"timestamp":"2026-01-01T12:00:00Z","value":{nth},"source":"s","id":"{nth}","x":{x}}}"#);
        record(line, NOON)
    };
    let records = xs.iter().enumerate().map(event).collect();
    let mut found = run_on(&program("time = \"event\"", &[("rule", rule)]), records, RunOptions::default()).anomalies;
    found.sort_by_key(|a| a["details"].to_string());
    found
}

#[test]
fn minus_zero_is_not_below_zero_however_a_rule_casts_it() {
    let zeros = ["-0.0", "0.0", "\"-0.0\"", "\"-0\"", "-0.0e5", "-1.5", "\"-1.5\""];
    for (cast, below) in [
        ("CAST(event ->> 'x' AS DOUBLE)", 2),
        ("TRY_CAST(event ->> 'x' AS DOUBLE)", 2),
        ("(event ->> 'x')::double precision", 2),
        ("CAST(event ->> 'x' AS REAL)", 2),
        ("(event ->> 'x')::float", 2),
        ("CAST(event -> 'x' AS DOUBLE)", 2),
        // To this no text is a number, and no number below zero either: NULL, on both engines (datafusion-functions-json).
        ("json_get_float(event, 'x')", 0),
    ] {
        let rule = format!(
            "SELECT series AS key, event_time, id AS event_id, {cast} AS value, 1.0 AS score FROM events WHERE {cast} < 0.0"
        );
        let found = anomalies(&rule, &zeros);
        assert_eq!(found.len(), below, "{cast}: {found:#?}");
        assert!(found.iter().all(|a| a["value"] == -1.5), "{cast}: {found:#?}");
    }
}

#[test]
fn a_text_that_is_no_time_in_a_format_costs_a_rule_nothing_but_that_value() {
    for (format, texts) in [
        (
            "%d/%b/%Y:%H:%M:%S %z",
            ["05/Jan/2026:12:00:00 +0200", "5/JAN/2026:10:0:00 +0000", "31/Feb/2026:10:00:00 +0000"],
        ),
        ("%d.%m.%Y %H:%M", ["05.01.2026 10:00", "5.1.2026 10:0", "31.02.2026 10:00"]),
        ("%Y-%m-%dT%T", ["2026-01-05T10:00:00", "2026-1-5T10:0:0", "2026-13-05T10:00:00"]),
    ] {
        let texts = [texts[0], texts[1], texts[2], "n/a", "", "2026-01-05"].map(|text| format!("\"{text}\""));
        let texts: Vec<&str> = texts.iter().map(String::as_str).chain(["null", "7", "{}"]).collect();
        let rule = format!(
            "SELECT series AS key, event_time, id AS event_id, value, 1.0 AS score FROM events
             WHERE to_timestamp(event ->> 'x', '{format}') = TIMESTAMP '2026-01-05T10:00:00'"
        );
        let found = anomalies(&rule, &texts);
        let values: Vec<&Value> = found.iter().map(|a| &a["value"]).collect();
        assert_eq!(values, [&json!(0.0), &json!(1.0)], "{format}: {found:#?}");
    }
}

#[test]
fn minus_zero_and_zero_are_one_group() {
    let rule = "SELECT 'all' AS key, window, CAST(count(*) AS DOUBLE) AS value, 1.0 AS score FROM (
        SELECT x, window, count(*) AS n FROM (
          SELECT CAST(event ->> 'x' AS DOUBLE) AS x, tumble(INTERVAL '1 minute') AS window, count(*) AS c FROM events
          GROUP BY CAST(event ->> 'x' AS DOUBLE), window, id) AS e
        GROUP BY x, window) AS groups GROUP BY window";
    let found = anomalies(rule, &["-0.0", "0.0", "\"-0\"", "0"]);
    assert_eq!(found.iter().map(|a| &a["value"]).collect::<Vec<_>>(), [&json!(1.0)], "{found:#?}");
}

/// A rule that divides: 0 / 0 is no number, 1 / 0 is infinity.
fn ratio(value: &str, expected: &str, score: &str) -> String {
    format!(
        "SELECT series AS key, event_time, id AS event_id, {value} AS value, {expected} AS expected, {score} AS score
         FROM (SELECT *, CAST(event ->> 'x' AS DOUBLE) / CAST(event ->> 'x' AS DOUBLE) AS z,
                 1.0 / CAST(event ->> 'x' AS DOUBLE) AS i FROM events) AS e WHERE z > 0.5"
    )
}

#[test]
fn what_is_no_number_is_no_anomaly() {
    let value_of = |found: &[Value]| found.iter().map(|a| a["value"].clone()).collect::<Vec<_>>();
    // NaN > 0.5 holds for SQL, so that every one of these rules gives a row for both events.
    for rule in [ratio("z", "1.0", "1.0"), ratio("1.0", "z", "1.0"), ratio("1.0", "1.0", "z"), ratio("z", "z", "z")] {
        let found = anomalies(&rule, &["0", "4"]);
        assert_eq!(value_of(&found), [json!(1.0)], "{rule}: {found:#?}");
        assert_eq!(found[0]["score"], 1.0);
    }
}

#[test]
fn infinity_is_an_anomaly_without_a_number() {
    // It is beyond every limit: the score says so, and JSON has no word for the value.
    let found = anomalies(&ratio("i", "i", "i").replace("z > 0.5", "i > 0.5"), &["0", "100"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    let of = |name: &str| found[0][name].clone();
    assert_eq!((of("value"), of("expected"), of("score")), (Value::Null, Value::Null, json!(1.0)));
    let found = anomalies(&ratio("-i", "-i", "-i").replace("z > 0.5", "i > 0.5"), &["0", "100"]);
    assert_eq!((found.len(), found[0]["value"].clone(), found[0]["score"].clone()), (1, Value::Null, json!(0.0)));
}

#[test]
fn an_unknown_score_is_the_highest() {
    let rule =
        "SELECT series AS key, event_time, id AS event_id, value, CAST(event ->> 'no' AS DOUBLE) AS score FROM events";
    let found = anomalies(rule, &["1"]);
    assert_eq!(found[0]["score"], 1.0, "{found:#?}");
}
