//! What the embedded engine's decoder and Arroyo's SQL make of a record is the same: row, time and reason. The SQL runs on the
//! embedded engine.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use weir_engine::{PlanOptions, Program, RunOptions, plan};
use weir_rules::{Environment, Pack, Target, compile_for, why_gate};
use weir_stream::plain::Unpacker;

use crate::common::{CLIMATE, pack, records, run_on};

const EVERY_TYPE: &str = r#"
time = { path = "t.at", format = ["unix_ms", "rfc3339"] }
key = "k"
null = ["-", "n/a"]
ignore = "k = 'ping' OR (d > 100 AND NOT b)"
[fields]
k = { type = "text", required = true }
d = "double"
i = { type = "integer", path = 'n["x-y"].i' }
b = { type = "boolean", default = true }
w = { type = "timestamp", format = "unix" }
r = "timestamp"
j = "json"
event = "text"
raw = { type = "integer", path = "value" }
value = { type = "double", path = "raw" }
s = { type = "text", default = "it's" }
"#;
const LINES: &str = "envelope = \"lines\"\nheartbeat = true\ntime = { path = \"at\", format = \"unix\" }\n[fields]\nx = \"double\"\nn = { type = \"integer\", required = true }";
const EVENTBRIDGE: &str = "envelope = \"eventbridge\"\ntime = { path = \"time\", of = \"envelope\" }\n[fields]\nx = { type = \"double\", path = \"a.x\" }\nsource = { type = \"text\", of = \"envelope\" }";
const ARRIVAL: &str = "heartbeat = true\n[fields]\nx = \"double\"\nns = { type = \"timestamp\", format = \"unix_ns\" }\nus = { type = \"timestamp\", format = \"unix_us\" }";

/// Fields that are called as words of SQL are, and as signs that one may take for the text of a name.
const WORDS: &str = r#"
null = ["-"]
ignore = """order = 3 OR select LIKE 'a%' OR "not" OR (case BETWEEN 1 AND 2 AND "null" IS NOT NULL)
  OR "like" IN ('1', 'order', '"select"') OR NOT (group <> 0.5) AND "in" IN (NULL, -7, 1.5) OR "end" IN (true)"""
[fields]
order = { type = "integer", default = 3 }
select = "text"
not = "boolean"
case = "integer"
null = "text"
like = { type = "text", path = "IN" }
in = "double"
group = { type = "double", default = 0.25 }
end = { type = "boolean", default = false }
"#;

/// A rule that gives all that the view has.
fn all_columns(pack: &Pack) -> String {
    let declaration = &pack.streams[0].declaration;
    let columns: Vec<String> =
        declaration.columns().iter().map(|column| format!("\"{0}\" AS \"c_{0}\"", column.name)).collect();
    format!(
        "SELECT 'all' AS key, event_time, 1.0 AS value, 1.0 AS score, timestamp, {} FROM {}",
        columns.join(", "),
        declaration.name
    )
}

struct Both {
    embedded: Program,
    arroyo: Program,
}

fn both(text: &str, settings: &str) -> Both {
    let without = pack(&[("s", text)], &[]);
    let with = pack(&[("s", text)], &[("all", &all_columns(&without))]);
    let environment = Environment::parse("test.toml".as_ref(), settings).unwrap();
    assert_eq!(why_gate(&with.streams[0], &environment), None);
    let planned = |target| {
        let sql = compile_for(&with, &environment, target).unwrap_or_else(|errors| panic!("{errors:?}")).sql;
        plan(&sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}\n{sql}"))
    };
    Both { embedded: planned(Target::Embedded), arroyo: planned(Target::Arroyo) }
}

/// What a program makes of records: rows with all their columns, poison by its reason.
fn seen(program: &Program, payloads: &[Vec<u8>]) -> (Vec<Value>, Vec<String>, Vec<String>) {
    let found = run_on(program, &[("s_raw", records(payloads))], RunOptions::default());
    let rule = |anomaly: &&Value| anomaly["rule"] == "all";
    let row = |anomaly: &Value| json!({ "time": anomaly["timestamp"], "row": anomaly["details"] });
    let rows = found.anomalies.iter().filter(rule).map(row).collect();
    let probes = found.anomalies.iter().filter(|a| !rule(a)).map(|a| a["details"].to_string()).collect();
    let reasons = found.poison.iter().map(|poison| poison.reason.clone()).collect();
    (rows, reasons, probes)
}

fn assert_same(both: &Both, payloads: &[Vec<u8>]) {
    let (embedded, arroyo) = (seen(&both.embedded, payloads), seen(&both.arroyo, payloads));
    if embedded == arroyo {
        return;
    }
    // One of them alone says more than all of them together.
    for payload in payloads {
        let one = std::slice::from_ref(payload);
        assert_eq!(seen(&both.embedded, one), seen(&both.arroyo, one), "{}", String::from_utf8_lossy(payload));
    }
    assert_eq!(embedded, arroyo);
}

/// Values as JSON has them, and as it should not.
fn value() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        3 => any::<i64>().prop_map(|n| n.to_string()),
        3 => (-1000_i64..1000).prop_map(|n| n.to_string()),
        2 => any::<f64>().prop_map(|n| format!("{n:e}")),
        2 => (-100.0_f64..300.0).prop_map(|n| n.to_string()),
        2 => "-?[0-9]{1,22}(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        1 => prop::sample::select(vec!["1e999", "-0", "-0.0", "0.0", "5.0", "5e0", "9007199254740993.0", "1.7976931348623157e308", "9223372036854775808", "00", "+1", ".5", "5.", "1e", "NaN"]).prop_map(str::to_owned),
    ];
    let time = prop_oneof![
        (100_000_000_i64..7_000_000_000).prop_map(|s| s.to_string()),
        (100_000_000_000_i64..7_000_000_000_000).prop_map(|s| s.to_string()),
        (1_000_000_000_000_i64..2_000_000_000_000).prop_map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000)),
        (1_000_000_000_000_000_000_i64..2_000_000_000_000_000_000).prop_map(|ns| ns.to_string()),
        Just("1767225600000000".to_owned()),
    ];
    let text = prop_oneof![
        3 => prop::sample::select(vec![
            "", "-", "n/a", "ping", "true", "FALSE", "0", "1", "null", " 1", "1 ", "1.5", "+1.5", ".5", "5.", "1e3", "inf", "NaN", "0x10",
            "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00.123456789+01:00", "2026-01-01T00:00:60Z", "1969-12-31T23:59:59Z",
            "2026-01-01T00:00:00 Europe/Berlin", "2262-05-01T00:00:00Z", "1973-03-03T09:46:40Z", "1973-03-03T09:46:39.999999999Z", "2199-12-31T23:59:59.999999999Z", "2200-01-01",
            "{\\\"a\\\":1}", "[", "{", "é", "\\u0041", "\\ud83d\\ude00", "\\ud800", "a\\\"b", "}{", "a\\u0000b",
        ]).prop_map(str::to_owned),
        1 => "[a-c0-9 ]{0,6}",
        1 => number.clone(),
        1 => time.clone(),
    ]
    .prop_map(|text| format!("\"{text}\""));
    let whole = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "[1,{\"a\":2}]",
        "{\"a\":1,\"a\":2}",
        "{ \"b\" : [ 1 ] }",
        "nul",
        "tru",
        "{",
        "]",
    ])
    .prop_map(str::to_owned);
    prop_oneof![4 => number, 3 => time, 4 => text, 2 => whole]
}

/// A record with some of these members, in any order, perhaps damaged.
fn record(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let member = (prop::sample::select(names.to_vec()), value()).prop_map(|(path, value)| {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match rest {
            None => format!("\"{first}\":{value}"),
            Some(rest) => {
                let (open, close): (String, String) =
                    rest.split('.').fold((String::new(), String::new()), |(open, close), name| {
                        (open + "{\"" + name + "\":", close + "}")
                    });
                format!("\"{first}\":{open}{value}{close}")
            }
        }
    });
    let object = prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))).boxed();
    prop_oneof![
        12 => object.clone(),
        1 => (object.clone(), object.clone()).prop_map(|(a, b)| a + &b),
        1 => (object.clone(), object.clone()).prop_map(|(a, b)| format!("{a}\n{b}\n\n \n")),
        1 => (object.clone(), prop::sample::select(vec!["x", " ", "\n", ",", "}", "]", "{", "null", "[", "\u{feff}"])).prop_map(|(a, b)| a + b),
        1 => (object.clone(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
            let end = (0..=at.index(text.len() + 1)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.get(..end).unwrap_or_default().to_owned()
        }),
        1 => value(),
        1 => object.prop_map(|text| format!("[{text}]")),
    ]
    .prop_map(String::into_bytes)
}

fn hold(text: &str, settings: &[&str], names: &'static [&'static str], usual: &[&str]) {
    for settings in settings {
        let both = both(text, settings);
        let mut payloads: Vec<Vec<u8>> = usual.iter().map(|text| text.as_bytes().to_vec()).collect();
        payloads.extend([b"".to_vec(), b" ".to_vec(), b"\xff".to_vec(), b"{\"k\":\"\xc3\"}".to_vec()]);
        payloads.extend([b"{}{}".to_vec(), b"[][]".to_vec(), b"{}[]".to_vec(), b"1 2".to_vec(), b"\"a\"".to_vec()]);
        payloads.extend(
            [
                r#"{"weir":"heartbeat"}"#,
                r#"{"weir":"heartbeat","timestamp":1767225600000}"#,
                r#"{"weir":"heartbeat","x":1}"#,
                r#"{"weir":"probe","probe_id":"p","sent_at":"s"}"#,
                r#"{"weir":"probe","probe_id":"p","sent_at":"s","timestamp":"2026-01-01"}"#,
                r#"{"weir":"probe","probe_id":"p"}"#,
            ]
            .map(|text| text.as_bytes().to_vec()),
        );
        let deep = format!("{{\"j\":{}1{}}}", "[".repeat(125), "]".repeat(125));
        let deeper = format!("{{\"j\":{}1{}}}", "[".repeat(128), "]".repeat(128));
        payloads.extend([deep.into_bytes(), deeper.into_bytes()]);
        assert_same(&both, &payloads);
        // Whole batches, so that thousands of records cost few runs.
        let mut runner = TestRunner::new(Config::default());
        for _ in 0..4 {
            let made = prop::collection::vec(record(names), 1500).new_tree(&mut runner).unwrap().current();
            assert_same(&both, &made);
        }
    }
}

const BOTH_CLOCKS: &[&str] = &["time = \"event\"", "time = \"arrival\""];

#[test]
fn every_type_of_field_is_read_alike() {
    let usual = [
        r#"{"t":{"at":1767225600000},"k":"a","d":1.5,"n":{"x-y":{"i":5.0}},"b":"TRUE","w":1767225600.25,"r":"2026-01-01","j":{"a": [1]},"s":"x"}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":7}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":"a","k":"a"}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":"a","d":1e2,"d":100.0}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":"a","d":1,"d":1.0}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":null,"k":null}"#,
        r#"{"t":{"at":"2026-01-01T00:00:00Z"},"k":"a","j":null}"#,
    ];
    hold(
        EVERY_TYPE,
        BOTH_CLOCKS,
        &[
            "t.at", "t.at", "t.at", "k", "k", "d", "n.x-y.i", "b", "w", "r", "j", "s", "t", "n", "z", "event", "raw",
            "value",
        ],
        &usual,
    );
}

#[test]
fn fields_may_be_called_as_words_of_sql() {
    let usual = [
        r#"{"order":1,"select":"b"}"#,
        r#"{"order":1,"select":"abc"}"#,
        r#"{"order":1,"not":true}"#,
        r#"{"order":1,"case":2,"null":"x"}"#,
        r#"{"order":1,"IN":"order"}"#,
        r#"{"order":1,"IN":"\"select\""}"#,
        r#"{"order":1,"in":-7,"group":0.5}"#,
        r#"{"order":1,"end":"TRUE"}"#,
        r#"{"order":"x"}"#,
        "{}",
    ];
    hold(WORDS, BOTH_CLOCKS, &["order", "order", "select", "not", "case", "null", "IN", "in", "group", "end"], &usual);
}

#[test]
fn lines_are_records_of_their_own() {
    hold(
        LINES,
        BOTH_CLOCKS,
        &["at", "at", "at", "x", "n", "n", "weir", "timestamp"],
        &[
            "{\"at\":1767225600,\"n\":1}\r\n\r\n{\"at\":1767225601,\"n\":\"x\"}\n",
            r#"{"at":1767225600,"n":-0e0}"#,
            r#"{"at":"1767225600","n":"-0.0"}"#,
        ],
    );
}

#[test]
fn envelopes_of_eventbridge_are_read_alike() {
    let usual = [
        r#"{"time":"2026-01-01T00:00:00Z","detail-type":"T","source":"aws.x","detail":{"a":{"x":1}}}"#,
        r#"{"time":"2026-01-01T00:00:00Z","detail-type":1,"source":"aws.x","detail":{"a":{"x":1}}}"#,
        r#"{"time":"2026-01-01T00:00:00Z","detail-type":"T","detail":[1]}"#,
        r#"{"detail-type":"T","detail":{}}"#,
    ];
    hold(
        EVENTBRIDGE,
        BOTH_CLOCKS,
        &["time", "time", "detail-type", "detail-type", "source", "detail", "detail.a.x", "detail.a.x", "detail.a"],
        &usual,
    );
}

#[test]
fn streams_that_go_by_arrival_and_those_of_the_study_are_read_alike() {
    hold(
        ARRIVAL,
        BOTH_CLOCKS,
        &["x", "ns", "us", "weir", "timestamp"],
        &["{\"x\":1}", "{\"ns\":1767225600000000001,\"us\":\"1767225600000000.4\"}"],
    );
    hold(
        CLIMATE,
        &["time = \"event\""],
        &["device", "last_seen", "last_seen", "temperature", "humidity", "battery"],
        &[],
    );
}

/// The examples that pass the gate: its records give Arroyo's SQL the rows that the embedded engine makes of the raw ones.
#[test]
fn what_the_gate_writes_is_read_alike() {
    let folder = weir_tests::repo().join("examples/streams");
    let mut gated = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(folder.join(format!("sql/streams/{name}.toml"))).unwrap();
        let without = pack(&[("s", &text)], &[]);
        let with = pack(&[("s", &text)], &[("all", &all_columns(&without))]);
        let declaration = &with.streams[0].declaration;
        if declaration.why_gate().is_none() {
            continue;
        }
        gated += 1;
        let raw = records(raw_records(&folder));
        let mut unpacker = Unpacker::new(declaration);
        let mut lines = Vec::new();
        for (index, record) in raw.iter().enumerate() {
            let unpacked = unpacker.unpack(&record.payload, record.arrival_nanos.unwrap(), &index.to_string());
            lines.extend(unpacked.rows.into_iter().map(|row| row.line));
        }
        assert!(!lines.is_empty(), "{name}");
        let environment = Environment::parse("test.toml".as_ref(), "time = \"event\"").unwrap();
        let rows = |target, records| {
            let sql = compile_for(&with, &environment, target).unwrap_or_else(|errors| panic!("{errors:?}")).sql;
            let program = plan(&sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = run_on(&program, &[("s_raw", records)], RunOptions::default());
            if target == Target::Arroyo {
                assert_eq!(found.poison, [], "{name}");
            }
            found
                .anomalies
                .iter()
                .map(|a| (a["id"].to_string(), a["timestamp"].to_string(), a["details"].to_string()))
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(Target::Embedded, raw), rows(Target::Arroyo, records(&lines)), "{name}");
    }
    assert!(gated >= 5, "{gated}");
}

/// A file of one record a line, or a folder of one record a file.
fn raw_records(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = found.find(|path| path.file_stem().is_some_and(|stem| stem == "records")).unwrap();
    if !found.is_dir() {
        return std::fs::read_to_string(found).unwrap().lines().map(|line| line.as_bytes().to_vec()).collect();
    }
    let mut files: Vec<_> = std::fs::read_dir(found).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}
