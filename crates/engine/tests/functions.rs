//! Every aggregate that Arroyo registers, by its name, in every kind of window, in every kind of `OVER` and above one: the result
//! is that of a plain batch query of DataFusion over the rows of each window or frame.
//!
//! The names are those of `tests/conformance/functions.txt`, which a unit test of the planner holds against what it registers,
//! and `make test-arroyo` against a real Arroyo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use common::{Run, planned, records, run_rows};
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};
use weir_engine::{PlanOptions, plan};

const NAMES: &str = include_str!("../../../tests/conformance/functions.txt");

const SECOND: i64 = 1_000_000_000;
/// A multiple of every width here.
const START: i64 = 1_700_000_000 * SECOND;

/// How an aggregate is called; a new one needs a line here.
fn call(name: &str) -> String {
    match name {
        "approx_distinct" => "approx_distinct(n)".to_owned(),
        "approx_median" | "avg" | "count" | "max" | "median" | "min" | "stddev" | "stddev_pop" | "sum" | "var"
        | "var_pop" => format!("{name}(v)"),
        "corr" | "covar_pop" | "covar_samp" | "regr_avgx" | "regr_avgy" | "regr_count" | "regr_intercept"
        | "regr_r2" | "regr_slope" | "regr_sxx" | "regr_sxy" | "regr_syy" => format!("{name}(v, u)"),
        "bit_and" | "bit_or" | "bit_xor" => format!("{name}(n)"),
        "bool_and" | "bool_or" => format!("{name}(b)"),
        "array_agg" => "array_agg(v ORDER BY n)".to_owned(),
        "first_value" | "last_value" => format!("{name}(v ORDER BY n)"),
        "nth_value" => "nth_value(v, 2 ORDER BY n)".to_owned(),
        "string_agg" => "string_agg(s, ',' ORDER BY n)".to_owned(),
        "approx_percentile_cont" => "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY v)".to_owned(),
        "approx_percentile_cont_with_weight" => {
            "approx_percentile_cont_with_weight(n, 0.9) WITHIN GROUP (ORDER BY v)".to_owned()
        }
        "grouping" => "grouping(k)".to_owned(),
        other => panic!("how is {other} called?"),
    }
}

/// What is approximate in a batch query too may differ by so much of itself; of the rest only the order of sums does.
fn tolerance(name: &str) -> f64 {
    if name.starts_with("approx_") { 0.05 } else { 1e-9 }
}

#[derive(Clone)]
struct Event {
    time: i64,
    key: Option<&'static str>,
    v: Option<f64>,
    u: f64,
    n: i64,
    b: bool,
    s: Option<String>,
}

/// In order, with pauses, keys and values that are null.
fn events() -> Vec<Event> {
    let mut time = START;
    let event = |i: i64| {
        time += if i % 60 == 59 { 8 * SECOND } else { SECOND / 4 + i % 7 * SECOND / 20 };
        let f = |n: i64| f64::from(i32::try_from(n).unwrap());
        Event {
            time,
            key: [Some("a"), Some("b"), Some("a"), None][usize::try_from(i % 4).unwrap()],
            v: (i % 11 != 3).then(|| f(i * 37 % 101) / 7.0),
            u: f(i * 53 % 97) / 3.0,
            n: i + 1,
            b: i % 5 != 0,
            s: (i % 6 != 0).then(|| format!("s{i}")),
        }
    };
    (0..240).map(event).collect()
}

/// The windows of an event, by start and end; of a session, all events of the key are asked.
fn windows(kind: &str, event: &Event, all: &[Event]) -> Vec<(i64, i64)> {
    let bin = |width: i64| event.time.div_euclid(width * SECOND) * width * SECOND;
    match kind {
        "tumble" => vec![(bin(10), bin(10) + 10 * SECOND)],
        "hop" => (0..5).map(|n| bin(2) - n * 2 * SECOND).map(|start| (start, start + 10 * SECOND)).collect(),
        _ => {
            let times: Vec<i64> = all.iter().filter(|e| e.key == event.key).map(|e| e.time).collect();
            let at = times.iter().position(|t| *t == event.time).unwrap();
            let apart = |pair: &[i64]| pair[1] - pair[0] >= 3 * SECOND;
            let first = times[..=at].windows(2).rposition(apart).map_or(0, |n| n + 1);
            let last = times[at..].windows(2).position(apart).map_or(times.len() - 1, |n| at + n);
            vec![(times[first], times[last] + 3 * SECOND)]
        }
    }
}

const KINDS: [(&str, &str); 3] = [
    ("tumble", "tumble(INTERVAL '10 seconds')"),
    ("hop", "hop(INTERVAL '2 seconds', INTERVAL '10 seconds')"),
    ("session", "session(INTERVAL '3 seconds')"),
];

/// Rows with the windows that they are in, once for each.
fn assigned(kind: &str, events: &[Event]) -> RecordBatch {
    let rows: Vec<(i64, i64, &Event)> =
        events.iter().flat_map(|e| windows(kind, e, events).into_iter().map(move |(s, e2)| (s, e2, e))).collect();
    let ints = |f: &dyn Fn(&(i64, i64, &Event)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(f)))
    };
    RecordBatch::try_from_iter_with_nullable([
        ("ws", ints(&|r| r.0), false),
        ("we", ints(&|r| r.1), false),
        ("k", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.2.key))) as ArrayRef, true),
        ("v", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.2.v))), true),
        ("u", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.2.u))), true),
        ("n", ints(&|r| r.2.n), true),
        ("b", Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.2.b)))), true),
        ("s", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.2.s.as_deref()))), true),
    ])
    .unwrap()
}

/// Results by window and key.
type Results = BTreeMap<String, Value>;

fn results(lines: impl IntoIterator<Item = String>) -> Results {
    let result = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        (format!("{} {} {}", row["ws"], row["we"], row["k"]), row["x"].clone())
    };
    lines.into_iter().map(result).collect()
}

fn by_batch(context: &SessionContext, call: &str) -> Results {
    results(query(context, &format!("SELECT ws, we, k, {call} AS x FROM assigned GROUP BY ws, we, k")))
}

/// The rows of a batch query of DataFusion, as lines of JSON.
fn query(context: &SessionContext, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(async { context.sql(sql).await?.collect().await }).unwrap();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    String::from_utf8(writer.into_inner()).unwrap().lines().map(str::to_owned).collect()
}

const TABLE: &str = "CREATE TABLE events (t BIGINT NOT NULL, k TEXT, v DOUBLE, u DOUBLE, n BIGINT, b BOOLEAN, s TEXT,
  at TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_nanos(t) AS TIMESTAMP)), WATERMARK FOR at
) WITH (connector = 'single_file', type = 'source', path = '-', format = 'json');\n";

/// The rows of a query, without an error.
fn ask(query: &str, events: &[Event]) -> Vec<String> {
    let program = planned(&format!("{TABLE}{query}"));
    let line =
        |e: &Event| json!({"t": e.time, "k": e.key, "v": e.v, "u": e.u, "n": e.n, "b": e.b, "s": e.s}).to_string();
    let lines: Vec<String> = events.iter().map(line).collect();
    let (rows, report) = run_rows(&program, &[("events", records(&lines))], &Run { batch_size: 50, ..Run::default() });
    assert_eq!(report.rules[0].rule_errors, 0, "{query}: {report:?}");
    rows
}

fn by_windows(window: &str, call: &str, events: &[Event]) -> Results {
    let query = format!(
        "SELECT CAST(w.start AS BIGINT) AS ws, CAST(w.end AS BIGINT) AS we, k, x FROM (
           SELECT k, {window} AS w, {call} AS x FROM events GROUP BY 1, 2);"
    );
    results(ask(&query, events))
}

/// Every event in its window of ten seconds: what an `OVER` may stand above.
const WINDOWED: &str = "(SELECT tumble(INTERVAL '10 seconds') AS w, k, n, v, u, b, s, count(*) AS c FROM events GROUP BY 1, 2, 3, 4, 5, 6, 7)";

/// The rows of a frame, of the row at a place in a partition of so many.
type Frame = fn(usize, usize) -> Range<usize>;

const FRAMES: [(&str, Frame); 3] = [
    ("PARTITION BY w, k", |_, rows| 0..rows),
    ("PARTITION BY w, k ORDER BY n", |at, _| 0..at + 1),
    (MOVES, |at, _| at.saturating_sub(2)..at + 1),
];
const MOVES: &str = "PARTITION BY w, k ORDER BY n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW";

/// How an aggregate is called with `OVER`, which has no order of its own for an argument; none for what is only in `GROUP BY`.
fn call_over(name: &str) -> Option<String> {
    let call = call(name);
    match name {
        "grouping" => None,
        _ if call.contains("WITHIN GROUP") => None,
        _ => Some(call.replace(" ORDER BY n", "")),
    }
}

/// Frames that move are refused for those that cannot let go of a row.
fn follows(name: &str) -> bool {
    let follow = [
        "avg",
        "bit_xor",
        "count",
        "first_value",
        "last_value",
        "max",
        "min",
        "nth_value",
        "stddev",
        "stddev_pop",
        "sum",
        "var",
        "var_pop",
    ];
    follow.contains(&name) || name.starts_with("regr_")
}

/// The rows of each event's frame, under the event's number.
fn framed(frame: Frame, events: &[Event]) -> RecordBatch {
    let mut partitions: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in events {
        partitions.entry((windows("tumble", event, events), event.key)).or_default().push(event);
    }
    let mut rows: Vec<(i64, &Event)> = Vec::new();
    for partition in partitions.values() {
        for (at, event) in partition.iter().enumerate() {
            rows.extend(partition[frame(at, partition.len())].iter().map(|e| (event.n, *e)));
        }
    }
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))) as ArrayRef, false),
        ("v", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.1.v))), true),
        ("u", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1.u))), true),
        ("n", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1.n))), true),
        ("b", Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.1.b)))), true),
        ("s", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.1.s.as_deref()))), true),
    ])
    .unwrap()
}

fn equal(one: &Value, other: &Value, tolerance: f64) -> bool {
    match (one, other) {
        (Value::Array(these), Value::Array(those)) => {
            these.len() == those.len() && these.iter().zip(those).all(|(a, b)| equal(a, b, tolerance))
        }
        (Value::Number(_), Value::Number(_)) => {
            let (a, b) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
        }
        _ => one == other,
    }
}

/// Results by the event's number.
fn by_number(lines: Vec<String>) -> BTreeMap<i64, Value> {
    let result = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        (row["id"].as_i64().unwrap(), row["x"].clone())
    };
    lines.into_iter().map(result).collect()
}

#[test]
fn every_aggregate_gives_over_every_frame_what_a_batch_query_gives_of_its_rows() {
    let events = events();
    let mut failures = Vec::new();
    for (over, frame) in FRAMES {
        let context = SessionContext::new();
        context.register_batch("framed", framed(frame, &events)).unwrap();
        for name in NAMES.lines().filter_map(|line| line.strip_prefix("aggregate ")) {
            let Some(call_over) = call_over(name) else { continue };
            // Rows without an order have none for these either.
            if !over.contains("ORDER BY") && call(name).contains("ORDER BY") {
                continue;
            }
            let sql = format!("SELECT n AS id, {call_over} OVER ({over}) AS x FROM {WINDOWED};");
            if over == MOVES && !follows(name) {
                let error = plan(&format!("{TABLE}{sql}"), &PlanOptions::default()).unwrap_err();
                assert!(error.message.contains("cannot follow a frame that moves"), "{name}: {error}");
                assert!(error.hint.is_some() && error.line > 1, "{name}: {error}");
                continue;
            }
            let batch = format!("SELECT id, {} AS x FROM framed GROUP BY id", call(name));
            let (batch, ours) = (by_number(query(&context, &batch)), by_number(ask(&sql, &events)));
            assert_eq!(ours.len(), events.len(), "{sql}");
            let differs = |id: &&i64| match (&batch[*id], ours.get(*id)) {
                // One pair alone has the correlation 0 there, as on Arroyo, and NULL by group.
                (Value::Null, Some(x)) if name == "corr" => !x.is_null() && x.as_f64() != Some(0.0),
                (a, Some(b)) => !equal(a, b, tolerance(name)),
                _ => true,
            };
            if let Some(id) = batch.keys().find(differs) {
                failures.push(format!("{call_over} OVER ({over}): {id}: {:?}, not {:?}", ours.get(id), batch[id]));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_aggregate_gives_above_an_over_what_a_batch_query_gives() {
    let events = events();
    let context = SessionContext::new();
    context.register_batch("assigned", assigned("tumble", &events)).unwrap();
    let mut failures = Vec::new();
    for name in NAMES.lines().filter_map(|line| line.strip_prefix("aggregate ")) {
        let call = call(name);
        let sql = format!(
            "SELECT CAST(w.start AS BIGINT) AS ws, CAST(w.end AS BIGINT) AS we, k, x FROM (
               SELECT w, k, {call} AS x FROM (
                 SELECT w, k, n, v, u, b, s, row_number() OVER (PARTITION BY w, k ORDER BY n) AS r FROM {WINDOWED}
               ) WHERE r > 0 GROUP BY w, k);"
        );
        let (batch, ours) = (by_batch(&context, &call), results(ask(&sql, &events)));
        let same = |window: &String| match (batch.get(window), ours.get(window)) {
            (Some(a), Some(b)) => equal(a, b, tolerance(name)),
            _ => false,
        };
        if let Some(window) = batch.keys().chain(ours.keys()).find(|window| !same(window)) {
            failures.push(format!("{call}: {window}: {:?}, not {:?}", ours.get(window), batch.get(window)));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_aggregate_gives_in_every_window_what_a_batch_query_gives() {
    let events = events();
    let names: Vec<&str> = NAMES.lines().filter_map(|line| line.strip_prefix("aggregate ")).collect();
    assert!(names.len() > 30, "{names:?}");
    let mut failures = Vec::new();
    for (kind, window) in KINDS {
        let context = SessionContext::new();
        context.register_batch("assigned", assigned(kind, &events)).unwrap();
        for name in &names {
            let call = call(name);
            let (batch, ours) = (by_batch(&context, &call), by_windows(window, &call, &events));
            assert!(batch.len() > 8, "{kind}: {batch:?}");
            let differs = |window: &&String| match (batch.get(*window), ours.get(*window)) {
                (Some(a), Some(b)) => !equal(a, b, tolerance(name)),
                _ => true,
            };
            if let Some(window) = batch.keys().chain(ours.keys()).find(differs) {
                failures.push(format!(
                    "{call} in {kind}: {window}: {:?}, not {:?}",
                    ours.get(window),
                    batch.get(window)
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}
