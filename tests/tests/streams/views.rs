//! What rules see of declared streams.

use serde_json::json;
use weir_engine::RunOptions;

use crate::common::{CLIMATE, START, pack, planned, records, run_on};

const WARM: &str = "SELECT device AS key, event_time, temperature AS value, 25.0 AS expected, 0.8 AS score, humidity, battery, timestamp FROM climate WHERE temperature > 25.0 AND humidity > 40.0";
const HIGHEST: &str = "SELECT series AS key, window, highest AS value, 1.0 AS score FROM (SELECT series, tumble(INTERVAL '1 minute') AS window, max(value) AS highest FROM events GROUP BY series, window) AS m";

fn climate() -> Vec<weir_engine::RawRecord> {
    records([
        r#"{"device":"cellar","last_seen":"2026-01-01T00:00:01Z","temperature":12.1,"humidity":49.6,"battery":100}"#,
        r#"{"device":"cellar","last_seen":"2026-01-01T00:00:02Z","temperature":"26.5","humidity":49,"battery":99.0}"#,
        r#"{"device":"attic","last_seen":"2026-01-01T00:00:03+00:00","temperature":30}"#,
        r#"{"device":"cellar","last_seen":1767225600,"temperature":30}"#,
        r#"{"device":"cellar","last_seen":"2026-01-01T00:00:04Z","temperature":"n/a"}"#,
        r#"{"last_seen":"2026-01-01T00:00:04Z","temperature":1}"#,
        r#"{"device":"a","last_seen":"2026-01-01T00:00:05Z"}{"device":"b","last_seen":"2026-01-01T00:00:05Z"}"#,
    ])
}

#[test]
fn rules_read_typed_columns_by_either_clock_and_poison_goes_out_byte_for_byte() {
    let pack = pack(&[("climate", CLIMATE)], &[("warm", WARM)]);
    for (time, at) in [("event", "2026-01-01T00:00:02"), ("arrival", "2026-01-01T00:00:01")] {
        let program = planned(&pack, &format!("time = \"{time}\"")).unwrap();
        let found = run_on(&program, &[("climate_raw", climate())], RunOptions::default());
        let [warm] = found.anomalies.as_slice() else { panic!("{:?}", found.anomalies) };
        assert_eq!((&warm["key"], &warm["value"], &warm["timestamp"]), (&json!("cellar"), &json!(26.5), &json!(at)));
        assert_eq!(warm["details"], json!({ "humidity": 49.0, "battery": 99, "timestamp": "2026-01-01T00:00:02" }));
        let refused: Vec<(&str, &str)> =
            found.poison.iter().map(|poison| (poison.reason.as_str(), poison.stream.as_str())).collect();
        let expected = ["bad_time:last_seen", "bad_field:temperature", "missing:device", "several_values"]
            .map(|r| (r, "iot-climate"));
        assert_eq!(refused, expected);
        let bytes: Vec<Vec<u8>> =
            found.poison.iter().map(|poison| weir_anomaly::base64_bytes(&poison.raw).unwrap()).collect();
        assert_eq!(bytes, climate()[3..].iter().map(|record| record.payload.to_vec()).collect::<Vec<_>>());
        assert_eq!(found.poison.iter().all(|poison| poison.arrival_time.is_some()), time == "arrival");
    }
}

#[test]
fn metrics_are_events_for_rules_of_the_library() {
    let pack = pack(&[("climate", CLIMATE)], &[("highest", HIGHEST)]);
    let program = planned(&pack, "time = \"event\"\nrules.highest.stream = \"climate\"").unwrap();
    let found = run_on(&program, &[("climate_raw", climate())], RunOptions::default());
    let shown: Vec<_> =
        found.anomalies.iter().map(|a| (a["key"].as_str().unwrap(), a["value"].as_f64().unwrap())).collect();
    assert_eq!(shown, [("attic/temperature", 30.0), ("cellar/humidity", 49.6), ("cellar/temperature", 26.5)]);
}

#[test]
fn a_program_reads_several_streams_each_by_its_own_time() {
    let doors = "time = { path = \"at\", format = \"unix_ms\" }\n[fields]\nroom = \"text\"\nopen = \"boolean\"";
    let body = "SELECT room AS key, window, opened AS value, 1.0 AS score, temperature FROM (
        SELECT d.room, d.window, d.opened, c.temperature FROM
          (SELECT room, tumble(INTERVAL '1 minute') AS window, count(*) AS opened FROM doors WHERE open GROUP BY room, window) AS d
          JOIN (SELECT device, tumble(INTERVAL '1 minute') AS window, avg(temperature) AS temperature FROM climate GROUP BY device, window) AS c
          ON d.window = c.window AND d.room = c.device) AS both";
    let pack = pack(&[("climate", CLIMATE), ("doors", doors)], &[("both", body), ("warm", WARM)]);
    let program = planned(&pack, "time = \"event\"").unwrap();
    let opened: Vec<String> = (0..3)
        .map(|n| format!("{{\"room\":\"attic\",\"open\":{},\"at\":{}}}", n % 2 == 0, START / 1_000_000 + n))
        .collect();
    let feeds = [("climate_raw", climate()), ("doors_raw", records(opened))];
    let found = run_on(&program, &feeds, RunOptions::default());
    let of = |rule: &str| found.anomalies.iter().filter(|a| a["rule"] == rule).collect::<Vec<_>>();
    let [both] = of("both")[..] else { panic!("{:?}", found.anomalies) };
    assert_eq!(
        (&both["key"], &both["value"], &both["details"]),
        (&json!("attic"), &json!(2.0), &json!({"temperature": 30.0}))
    );
    assert_eq!(of("warm").len(), 1);
    for batch_size in [1, 2] {
        let again = run_on(&program, &feeds, RunOptions { batch_size, ..RunOptions::default() });
        assert_eq!(again.anomalies, found.anomalies);
    }
}

#[test]
fn a_misspelt_column_is_an_error_at_its_place() {
    let body =
        "SELECT device AS key, event_time, temperature AS value, 1.0 AS score FROM climate\nWHERE temprature > 1.0";
    let pack = pack(&[("climate", CLIMATE)], &[("warm", body)]);
    let error = planned(&pack, "").unwrap_err();
    assert!(error.to_string().contains("temprature") && error.to_string().contains("climate.temperature"), "{error}");
}

#[test]
fn control_records_of_weir_s_own_streams_move_time_and_probe_the_path() {
    let own = CLIMATE.replace("metrics", "heartbeat = true\nmetrics");
    let body = "SELECT key, window, n AS value, 1.0 AS score FROM (SELECT coalesce(series, 'time') AS key, tumble(INTERVAL '1 minute') AS window, count(*) AS n FROM activity GROUP BY series, window) AS m";
    let pack = pack(&[("climate", &own)], &[("seen", body)]);
    let program = planned(&pack, "time = \"event\"\nrules.seen.stream = \"climate\"").unwrap();
    let mut all = climate();
    all.extend(records([
        r#"{"weir":"heartbeat","timestamp":"2026-01-01T00:01:30Z"}"#,
        r#"{"weir":"probe","probe_id":"p-1","sent_at":"2026-01-01T00:01:30Z"}"#,
    ]));
    let found = run_on(&program, &[("climate_raw", all)], RunOptions::default());
    let shown: Vec<_> = found.anomalies.iter().map(|a| (a["key"].as_str().unwrap(), a["value"].as_f64())).collect();
    let expected = [
        ("attic/temperature", Some(1.0)),
        ("cellar/humidity", Some(2.0)),
        ("cellar/temperature", Some(2.0)),
        ("time", Some(1.0)),
        ("weir_probe", None),
    ];
    let mut sorted = shown.clone();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(sorted, expected);
    let probe = found.anomalies.iter().find(|a| a["rule"] == "weir_probe").unwrap();
    assert_eq!(
        (&probe["id"], &probe["details"]["probe_id"]),
        (&json!("2985de34ca880a6554cbaf2098bc5697"), &json!("p-1"))
    );
}
