//! What cannot be computed for a row costs the rule that row: the program goes on, and so does every other rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use common::{Run, planned, records, run_rows};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use weir_engine::{PlanOptions, RunReport, plan};

const NAMES: &str = include_str!("../../../tests/conformance/functions.txt");

const TABLE: &str = "CREATE TABLE t (
  at TIMESTAMP NOT NULL, k TEXT, s TEXT, p TEXT, n BIGINT, m BIGINT, d DOUBLE, b BOOLEAN, ts TIMESTAMP, dec DECIMAL(38, 4),
  WATERMARK FOR at
) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json', bad_data = 'drop');\n";

/// Events a second apart, each with one more of these as its text.
fn events(texts: &[&str]) -> Vec<String> {
    let event = |(nth, s): (usize, &&str)| {
        let at = format!("2026-01-01T00:{:02}:{:02}Z", nth / 60, nth % 60);
        json!({ "at": at, "k": format!("k{}", nth % 3), "s": s, "p": s, "n": nth, "m": nth % 4 }).to_string()
    };
    texts.iter().enumerate().map(event).collect()
}

fn run_on(sql: &str, lines: &[String], batch_size: usize) -> (Vec<String>, RunReport) {
    let program = planned(&format!("{TABLE}{sql}"));
    run_rows(&program, &[("t", records(lines))], &Run { batch_size, ..Run::default() })
}

fn errors(report: &RunReport) -> Vec<u64> {
    report.rules.iter().map(|rule| rule.rule_errors).collect()
}

/// Each program with what it is to give of `events(["1", "n/a", "3", "x", "5"])`: rows, and errors by rule.
#[test]
fn each_kind_of_work_leaves_out_the_rows_that_fail_and_no_others() {
    let x = "CAST(s AS DOUBLE)";
    let cases: Vec<(String, Vec<Value>, Vec<u64>)> = vec![
        (format!("SELECT {x} AS x FROM t;"), vec![json!({"x":1.0}), json!({"x":3.0}), json!({"x":5.0})], vec![2]),
        (format!("SELECT n FROM t WHERE {x} > 2;"), vec![json!({"n":2}), json!({"n":4})], vec![2]),
        // What an earlier condition takes out does not count.
        (format!("SELECT n FROM t WHERE s ~ '^[0-9]+$' AND {x} > 2;"), vec![json!({"n":2}), json!({"n":4})], vec![0]),
        (
            format!("SELECT sum({x}) AS x, count(*) AS c FROM t GROUP BY tumble(INTERVAL '1 hour');"),
            vec![json!({"c":3,"x":9.0})],
            vec![2],
        ),
        (
            format!("SELECT x, count(*) AS c FROM (SELECT {x} AS x, n FROM t) GROUP BY x, tumble(INTERVAL '1 hour');"),
            vec![json!({"c":1,"x":1.0}), json!({"c":1,"x":3.0}), json!({"c":1,"x":5.0})],
            vec![2],
        ),
        (
            format!("SELECT sum(n) FILTER (WHERE {x} > 2) AS x FROM t GROUP BY session(INTERVAL '1 hour');"),
            vec![json!({"x":6})],
            vec![2],
        ),
        (
            format!(
                "SELECT CAST(max(s) AS DOUBLE) AS x FROM t GROUP BY n, hop(INTERVAL '1 hour', INTERVAL '2 hours') HAVING {};",
                "max(n) > 1"
            ),
            vec![json!({"x":3.0}), json!({"x":3.0}), json!({"x":5.0}), json!({"x":5.0})],
            vec![2],
        ),
        (
            "SELECT x FROM (SELECT w, 10 / m AS x, row_number() OVER (PARTITION BY w ORDER BY m) AS r FROM \
             (SELECT tumble(INTERVAL '1 hour') AS w, m, count(*) AS c FROM t GROUP BY 1, 2));"
                .to_owned(),
            vec![json!({"x":10}), json!({"x":3}), json!({"x":5})],
            vec![1],
        ),
        (
            format!(
                "SELECT a.n, b.m FROM (SELECT {x} AS x, n FROM t) AS a JOIN (SELECT n AS x, m, n FROM t) AS b ON a.x = b.x;"
            ),
            vec![json!({"m":1,"n":0}), json!({"m":3,"n":2})],
            vec![2],
        ),
        (
            "SELECT unnest(make_array(1 / (n - 1))) AS x FROM t;".to_owned(),
            vec![json!({"x":-1}), json!({"x":0}), json!({"x":0}), json!({"x":1})],
            vec![1],
        ),
    ];
    for batch_size in [1, 2, 100] {
        for (sql, expected, failed) in &cases {
            let sql = format!("{sql}\nSELECT n AS other FROM t;");
            let (rows, report) = run_on(&sql, &events(&["1", "n/a", "3", "x", "5"]), batch_size);
            let mut left: Vec<Value> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            for row in expected.iter().cloned().chain((0..5).map(|n| json!({ "other": n }))) {
                let at = left.iter().position(|found| *found == row);
                left.remove(at.unwrap_or_else(|| panic!("{row} is missing: {sql}\n{rows:?}")));
            }
            assert!(left.is_empty(), "{left:?} is too much: {sql}");
            assert_eq!(errors(&report), [failed.as_slice(), &[0]].concat(), "{sql}\n{report:?}");
            let said = report.rules[0].rule_error.as_ref();
            assert_eq!(said.is_some(), failed != &[0], "{said:?}");
        }
    }
}

#[test]
fn a_shared_view_costs_the_rules_that_read_it() {
    let sql = "CREATE VIEW v AS SELECT CAST(s AS DOUBLE) AS x, n FROM t;
        SELECT x FROM v;\nSELECT x FROM v WHERE x > 2;\nSELECT n FROM t;";
    let (rows, report) = run_on(sql, &events(&["1", "n/a", "3"]), 100);
    assert_eq!(rows.len(), 2 + 1 + 3);
    assert_eq!(errors(&report), [1, 1, 0]);
}

#[test]
fn a_source_s_own_column_is_null_where_it_cannot_be_computed() {
    let sql = "CREATE TABLE g (s TEXT, x DOUBLE GENERATED ALWAYS AS (CAST(s AS DOUBLE)))
        WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');\nSELECT s, x FROM g;";
    let lines = ["1", "n/a", "3"].map(|s| json!({ "s": s }).to_string());
    let (rows, report) = run_rows(&planned(sql), &[("g", records(&lines))], &Run::default());
    assert_eq!(rows, [r#"{"s":"1","x":1.0}"#, r#"{"s":"3","x":3.0}"#, r#"{"s":"n/a","x":null}"#]);
    assert_eq!(errors(&report), [1]);
}

#[test]
fn a_run_goes_on_behind_the_row_that_failed_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let program = planned(&format!("{TABLE}SELECT CAST(s AS DOUBLE) AS x FROM t;"));
    let lines = events(&["1", "n/a", "3", "n/a", "5"]);
    let mut rows = Vec::new();
    for stop_after in [Some(2), None] {
        let how = Run { state: Some(state.path()), stop_after, batch_size: 1, ..Run::default() };
        rows.extend(run_rows(&program, &[("t", records(&lines))], &how).0);
    }
    assert_eq!(rows, [r#"{"x":1.0}"#, r#"{"x":3.0}"#, r#"{"x":5.0}"#]);
}

#[test]
fn lengths_that_a_record_asks_for_are_bounded() {
    for call in [
        "repeat('x', n)",
        "repeat(repeat('x', m), n)",
        "lpad(s, n)",
        "rpad(s, n, 'ab')",
        "range(n)",
        "range(0, n)",
        "range(m, n, 1)",
        "generate_series(0, n, 1)",
        "generate_series(TIMESTAMP '1970-01-01', to_timestamp_millis(n), INTERVAL '1 millisecond')",
        "range(DATE '1970-01-01', DATE '1970-01-31', INTERVAL '1 month -31 days')",
        "array_repeat(n, n)",
        "array_resize(make_array(1), n, 0)",
    ] {
        let line = |n: i64| json!({ "at": "2026-01-01T00:00:00Z", "s": "a", "n": n, "m": 1000 }).to_string();
        let sql = format!("SELECT {call} AS x FROM t;");
        let (rows, report) = run_on(&sql, &[line(3), line(i64::MAX), line(3_000_000_000)], 100);
        let endless = call.contains("-31 days");
        assert_eq!(
            (rows.len(), errors(&report)),
            if endless { (0, vec![3]) } else { (1, vec![2]) },
            "{call}: {report:?}"
        );
    }
}

/// Texts that some function may take for something.
fn text() -> impl Strategy<Value = String> {
    let known = [
        "",
        " ",
        "0",
        "-1",
        "1e400",
        "n/a",
        "NaN",
        "(",
        "[a",
        "a{99999}",
        "%",
        "\\",
        "2026-13-45T99:99:99Z",
        "{\"a\":[1]}",
        "\u{0}",
        "é\u{301}🦀",
        "%Y-%q",
        "P1Y",
        "Float64",
        "year",
        "i",
        "utf8",
        "base64",
        "sha256",
        "🦀",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,12}"]
}

fn whole() -> impl Strategy<Value = i64> {
    prop_oneof![
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, 2, 63, 64, 1 << 31, i64::MAX - 1, i64::MAX]),
        any::<i64>(),
        -5i64..5
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![prop::sample::select(vec![f64::MIN, f64::MAX, f64::MIN_POSITIVE, -0.0, 0.0, 1e19, -1e19]), -1e3..1e3f64]
}

fn hostile_event() -> impl Strategy<Value = Value> {
    let times = prop::sample::select(vec![
        "1677-09-21T00:12:44Z",
        "2262-04-11T23:47:16Z",
        "1970-01-01T00:00:00Z",
        "2026-02-28T23:59:59.999999999Z",
    ]);
    let decimals = prop::sample::select(vec![
        "0",
        "-0.0001",
        "9999999999999999999999999999999999.9999",
        "-9999999999999999999999999999999999.9999",
    ]);
    (text(), text(), whole(), whole(), double(), any::<bool>(), times, decimals, any::<u16>()).prop_map(
        |(s, p, n, m, d, b, ts, dec, nulls)| {
            let mut event = json!({ "at": "2026-01-01T00:00:00Z", "k": "k" });
            let values = [json!(s), json!(p), json!(n), json!(m), json!(d), json!(b), json!(ts), json!(dec)];
            for (nth, (name, value)) in ["s", "p", "n", "m", "d", "b", "ts", "dec"].into_iter().zip(values).enumerate()
            {
                // A few are not there.
                if nulls >> nth & 1 == 1 || nulls % 3 != 0 {
                    event[name] = value;
                }
            }
            event
        },
    )
}

/// What a call may be given.
const ARGUMENTS: [&str; 14] = [
    "s",
    "p",
    "n",
    "m",
    "d",
    "b",
    "ts",
    "dec",
    "make_array(n, m)",
    "make_array(s, p)",
    "'day'",
    "INTERVAL '1 day'",
    "event",
    "CAST(n AS INT)",
];

/// Calls of a function that can be planned: with each argument, and with some pairs and triples of them.
fn calls(name: &str, runner: &mut TestRunner) -> Vec<String> {
    let argument = || prop::sample::select(ARGUMENTS.to_vec());
    let mut lists: Vec<Vec<&str>> = std::iter::once(Vec::new()).chain(ARGUMENTS.iter().map(|a| vec![*a])).collect();
    for length in [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3] {
        let list = prop::collection::vec(argument(), length).new_tree(runner).unwrap().current();
        lists.push(list);
    }
    let call = |list: Vec<&str>| format!("\"{name}\"({})", list.join(", "));
    let plans = |call: &String| plan(&format!("{TABLE}SELECT {call} AS x FROM t;"), &PlanOptions::default()).is_ok();
    lists.into_iter().map(call).filter(plans).collect()
}

#[test]
fn no_function_over_no_value_ends_a_program_or_costs_another_rule_a_row() {
    let mut runner = TestRunner::deterministic();
    // `unnest` gives as many rows as there are items.
    let scalar = NAMES.lines().filter_map(|line| line.strip_prefix("scalar ")).filter(|name| *name != "unnest");
    let mut all: Vec<String> = scalar.flat_map(|name| calls(name, &mut runner)).collect();
    let operators = [
        "n + m",
        "n * m",
        "n / m",
        "n % m",
        "-n",
        "n << m",
        "dec * dec",
        "dec / dec",
        "ts + n * INTERVAL '1 day'",
        "ts - ts",
        "s ~ p",
        "s SIMILAR TO p",
        "CAST(s AS TIMESTAMP)",
        "CAST(d AS BIGINT)",
        "CAST(s AS DECIMAL(38, 30))",
        "make_array(n)[m]",
        "CAST(s AS INTERVAL)",
    ];
    let plans = |call: &String| plan(&format!("{TABLE}SELECT {call} AS x FROM t;"), &PlanOptions::default()).is_ok();
    all.extend(operators.into_iter().map(str::to_owned).filter(plans));
    assert!(all.len() > 400, "{} calls", all.len());
    let statements: String = all.iter().map(|call| format!("SELECT {call} AS x FROM t;\n")).collect();
    let program = planned(&format!("{TABLE}SELECT k FROM t;\n{statements}"));
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&prop::collection::vec(hostile_event(), 1..40), |events| {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        let (_, report) = run_rows(&program, &[("t", records(&lines))], &Run::default());
        let rows = report.rules[0].rows;
        for (rule, call) in report.rules.iter().zip(std::iter::once("k").chain(all.iter().map(String::as_str))) {
            prop_assert_eq!(rule.rows + rule.rule_errors, rows, "{}: {:?}", call, rule);
        }
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn no_aggregate_over_no_value_ends_a_program() {
    let mut runner = TestRunner::deterministic();
    let aggregates = NAMES.lines().filter_map(|line| line.strip_prefix("aggregate "));
    let windows = [
        "tumble(INTERVAL '1 minute')",
        "hop(INTERVAL '1 minute', INTERVAL '2 minutes')",
        "session(INTERVAL '1 minute')",
    ];
    let mut statements = vec!["SELECT k FROM t;".to_owned()];
    for (nth, call) in aggregates.flat_map(|name| calls_of_aggregate(name, &mut runner)).enumerate() {
        let statement = format!("SELECT k, {call} AS x FROM t GROUP BY k, {};", windows[nth % 3]);
        if plan(&format!("{TABLE}{statement}"), &PlanOptions::default()).is_ok() {
            statements.push(statement);
        }
    }
    assert!(statements.len() > 60, "{}", statements.len());
    let program = planned(&format!("{TABLE}{}", statements.join("\n")));
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&prop::collection::vec(hostile_event(), 1..40), |events| {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        let (_, report) = run_rows(&program, &[("t", records(&lines))], &Run::default());
        let read = report.rules[0].rows;
        for (rule, statement) in report.rules.iter().zip(&statements).filter(|_| read > 0) {
            prop_assert!(rule.rows > 0 || rule.rule_errors > 0, "{statement}: {rule:?}");
        }
        Ok(())
    });
    checked.unwrap();
}

fn calls_of_aggregate(name: &str, runner: &mut TestRunner) -> Vec<String> {
    let argument = || prop::sample::select(ARGUMENTS[..9].to_vec());
    let mut calls: Vec<String> = ARGUMENTS[..9].iter().map(|a| format!("{name}({a})")).collect();
    for _ in 0..6 {
        let [a, b] = [argument(), argument()].map(|one| one.new_tree(runner).unwrap().current());
        calls.extend([
            format!("{name}({a}, {b})"),
            format!("{name}({a} ORDER BY {b})"),
            format!("{name}(DISTINCT {a})"),
        ]);
        calls.push(format!("{name}({a}, 0.5) WITHIN GROUP (ORDER BY {b})"));
        calls.push(format!("{name}(0.5) WITHIN GROUP (ORDER BY {b})"));
        calls.push(format!("{name}({a}, 2 ORDER BY {b})"));
    }
    calls.sort();
    calls.dedup();
    calls
}
