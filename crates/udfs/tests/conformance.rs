//! Functions in Arroyo's format, as a program calls them: row by row and over windows, with nulls, for several batch sizes and
//! restarted in the middle.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use weir_engine::{MemorySink, MemorySource, PlanOptions, Program, RawRecord, RunOptions, RunReport, plan, run};

#[allow(dead_code, reason = "the pack's definitions are for Arroyo; nobody sends those of the fixtures")]
mod fixtures {
    include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));
}

const TABLE: &str = "CREATE TABLE readings (
  ts BIGINT NOT NULL, k TEXT, v DOUBLE, n BIGINT,
  t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
  WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds')
) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');\n";

/// Out of order within the watermark's two seconds, with nulls, and a second of silence.
const INPUT: [&str; 9] = [
    r#"{"ts": 1000, "k": "a", "v": 1.0, "n": 1}"#,
    r#"{"ts": 3500, "k": "a", "v": 9.0, "n": 2}"#,
    r#"{"ts": 2000, "k": "a", "v": 4.0, "n": null}"#,
    r#"{"ts": 4000, "k": "", "v": null, "n": 4}"#,
    r#"{"ts": 5000, "k": null, "v": 2.0, "n": 5}"#,
    r#"{"ts": 9000, "k": "a", "v": null, "n": 6}"#,
    r#"{"ts": 11000, "k": "a", "v": 3.0, "n": 7}"#,
    r#"{"ts": 10000, "k": "a", "v": 5.0, "n": 8}"#,
    r#"{"ts": 21000, "k": "b", "v": 8.0, "n": 9}"#,
];

fn program(query: &str) -> Result<Program, String> {
    let options = PlanOptions { udfs: fixtures::all(), ..PlanOptions::default() };
    plan(&format!("{TABLE}{query}"), &options).map_err(|e| e.to_string())
}

fn rows(program: &Program, options: RunOptions) -> Result<Vec<String>, String> {
    outcome(program, options).map(|(rows, _)| rows)
}

fn outcome(program: &Program, options: RunOptions) -> Result<(Vec<String>, RunReport), String> {
    let record = |line: &str| RawRecord { payload: line.to_owned().into(), arrival_nanos: None, partition: 0 };
    let (mut options, sink) = (options, MemorySink::new());
    options.sources.insert("readings".to_owned(), MemorySource::new(INPUT.map(record).to_vec()));
    options.sinks.insert("stdout".to_owned(), sink.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(program, options, std::future::pending())).map_err(|e| e.to_string())?;
    let mut rows = sink.lines();
    rows.sort();
    Ok((rows, report))
}

/// The rows of a query: the same for every batch size, and with a restart at every place.
fn ask(query: &str) -> Vec<String> {
    let program = program(query).unwrap();
    let whole = rows(&program, RunOptions::default()).unwrap();
    for batch_size in [1, 2, 5] {
        let batched = rows(&program, RunOptions { batch_size, ..RunOptions::default() }).unwrap();
        assert_eq!(batched, whole, "batches of {batch_size}");
    }
    for stop in 1..INPUT.len() as u64 {
        let folder = tempfile::tempdir().unwrap();
        let state = Some(folder.path().into());
        let first = RunOptions { state: state.clone(), stop_after: Some(stop), batch_size: 1, ..RunOptions::default() };
        let mut both = rows(&program, first).unwrap();
        both.extend(rows(&program, RunOptions { state, ..RunOptions::default() }).unwrap());
        both.sort();
        assert_eq!(both, whole, "restarted after {stop} records");
    }
    whole
}

#[test]
fn a_scalar_function_is_called_row_by_row_with_coercion() {
    assert_eq!(
        ask("SELECT double_negative(CAST(n AS BIGINT UNSIGNED)) AS d FROM readings WHERE n < 3;"),
        ["{\"d\":-2}", "{\"d\":-4}"]
    );
    assert_eq!(
        ask("SELECT double_negative(CAST(21 AS BIGINT UNSIGNED)) AS d FROM readings WHERE n = 1;"),
        ["{\"d\":-42}"],
        "of constants"
    );
    assert_eq!(ask("SELECT checksum(CAST(k AS BYTEA)) AS c FROM readings WHERE k = 'a' AND n = 1;"), ["{\"c\":97}"]);
}

#[test]
fn a_null_is_handed_to_an_option_and_else_gives_null() {
    assert_eq!(
        ask(
            "SELECT n, describe(k, v) AS d, double_negative(CAST(n AS BIGINT UNSIGNED)) AS m FROM readings WHERE ts BETWEEN 2000 AND 5000;"
        ),
        [
            "{\"n\":2,\"d\":\"a at 9\",\"m\":-4}",
            "{\"n\":4,\"d\":null,\"m\":-8}",
            "{\"n\":5,\"d\":null,\"m\":-10}",
            "{\"n\":null,\"d\":\"a at 4\",\"m\":null}",
        ]
    );
    assert_eq!(ask("SELECT describe(k, n) AS d FROM readings WHERE n = 1;"), ["{\"d\":\"a at 1\"}"], "a whole number");
    assert_eq!(ask("SELECT describe(k, NULL) AS d FROM readings WHERE n = 1;"), ["{\"d\":\"a at unknown\"}"]);
}

#[test]
fn an_aggregate_gets_the_vectors_of_a_tumbling_window() {
    assert_eq!(
        ask("SELECT k, w.start AS s, m, r FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, my_median(v) AS m,
             last_rise(CAST(t AS BIGINT), v) AS r FROM readings GROUP BY k, w) AS x;"),
        [
            "{\"k\":\"\",\"s\":\"1970-01-01T00:00:00\",\"m\":null,\"r\":\"0 of 0, 1 unknown\"}",
            "{\"k\":\"a\",\"s\":\"1970-01-01T00:00:00\",\"m\":4.0,\"r\":\"5 of 3, 1 unknown\"}",
            "{\"k\":\"a\",\"s\":\"1970-01-01T00:00:10\",\"m\":5.0,\"r\":\"-2 of 2, 0 unknown\"}",
            "{\"k\":\"b\",\"s\":\"1970-01-01T00:00:20\",\"m\":8.0,\"r\":\"0 of 1, 0 unknown\"}",
            "{\"k\":null,\"s\":\"1970-01-01T00:00:00\",\"m\":2.0,\"r\":\"0 of 1, 0 unknown\"}",
        ]
    );
}

#[test]
fn an_aggregate_over_a_hop_sees_the_bins_in_order_of_time() {
    assert_eq!(
        ask("SELECT w.start AS s, r FROM (SELECT hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w,
             last_rise(CAST(t AS BIGINT), v) AS r FROM readings WHERE k = 'a' GROUP BY w) AS x;"),
        [
            "{\"s\":\"1969-12-31T23:59:55\",\"r\":\"5 of 3, 0 unknown\"}",
            "{\"s\":\"1970-01-01T00:00:00\",\"r\":\"5 of 3, 1 unknown\"}",
            "{\"s\":\"1970-01-01T00:00:05\",\"r\":\"-2 of 2, 1 unknown\"}",
            "{\"s\":\"1970-01-01T00:00:10\",\"r\":\"-2 of 2, 0 unknown\"}",
        ]
    );
}

#[test]
fn an_aggregate_regroups_windowed_rows_and_takes_a_filter() {
    assert_eq!(
        ask("SELECT w.start AS s, m FROM (SELECT w, my_median(c) AS m FROM (
               SELECT k, tumble(INTERVAL '10 seconds') AS w, CAST(count(*) AS DOUBLE) AS c FROM readings GROUP BY k, w
             ) AS x GROUP BY w) AS y;"),
        [
            "{\"s\":\"1970-01-01T00:00:00\",\"m\":1.0}",
            "{\"s\":\"1970-01-01T00:00:10\",\"m\":2.0}",
            "{\"s\":\"1970-01-01T00:00:20\",\"m\":1.0}",
        ]
    );
    assert_eq!(
        ask("SELECT m FROM (SELECT tumble(INTERVAL '1 hour') AS w, my_median(v) FILTER (WHERE k = 'nobody') AS m
             FROM readings GROUP BY w) AS x;"),
        ["{\"m\":null}"],
        "no row, no call"
    );
}

#[test]
fn a_panic_costs_its_statement_that_row_and_no_other() {
    let program = program(
        "SELECT n, fragile(n + 12) AS f FROM readings;
         SELECT n AS other FROM readings WHERE n < 3;",
    )
    .unwrap();
    for batch_size in [1, 2, 100] {
        let (rows, report) = outcome(&program, RunOptions { batch_size, ..RunOptions::default() }).unwrap();
        let computed = (2..=9).filter(|n| *n != 3).map(|n| format!("{{\"n\":{n},\"f\":{}}}", n + 12));
        let mut expected: Vec<String> = computed.collect();
        expected.extend(["{\"n\":null,\"f\":null}", "{\"other\":1}", "{\"other\":2}"].map(str::to_owned));
        expected.sort();
        assert_eq!(rows, expected, "n = 1 is the unlucky one, and 3 has no record");
        let errors: Vec<u64> = report.rules.iter().map(|rule| rule.rule_errors).collect();
        assert_eq!(errors, [1, 0]);
        let said = report.rules[0].rule_error.as_deref().unwrap();
        assert!(said.contains("the user-defined function fragile panicked: unlucky"), "{said}");
    }
}

#[test]
fn an_aggregate_that_panics_costs_the_row_of_that_group() {
    let program = program(
        "SELECT k, s FROM (SELECT k, tumble(INTERVAL '1 hour') AS w, fragile_sum(n) AS s FROM readings GROUP BY k, w) AS x;
         SELECT k, s FROM (SELECT k, tumble(INTERVAL '1 hour') AS w, sum(n) AS s FROM readings GROUP BY k, w) AS x;",
    )
    .unwrap();
    let (rows, report) = outcome(&program, RunOptions::default()).unwrap();
    let of = |k: &str, s: u64| format!("{{\"k\":{k},\"s\":{s}}}");
    // The sum of b is the unlucky one: it stands there once, of the statement that does not call the function.
    let mut expected: Vec<String> =
        ["\"\"", "\"a\"", "null"].iter().zip([4, 24, 5]).flat_map(|(k, s)| [of(k, s), of(k, s)]).collect();
    expected.push(of("\"b\"", 9));
    expected.sort();
    assert_eq!(rows, expected);
    let errors: Vec<u64> = report.rules.iter().map(|rule| rule.rule_errors).collect();
    assert_eq!(errors, [1, 0]);
    let said = report.rules[0].rule_error.as_deref().unwrap();
    assert!(said.contains("the user-defined function fragile_sum panicked: 9 is unlucky"), "{said}");
}

#[test]
fn what_no_function_can_do_is_refused_when_planned() {
    let refusal = |query: &str| program(query).unwrap_err();
    let error = refusal("SELECT double_positive(n) AS d FROM readings;");
    assert!(error.contains("double_positive"), "{error}");
    let error = refusal("SELECT describe(k) AS d FROM readings;");
    assert!(error.contains("describe"), "{error}");
    let query = "SELECT m FROM (SELECT tumble(INTERVAL '1 hour') AS w, my_median(DISTINCT v) AS m FROM readings GROUP BY w) AS x;";
    let error = refusal(query);
    assert!(error.contains("takes no DISTINCT and no ORDER BY"), "{error}");

    let mut udfs = fixtures::all();
    udfs[0].name = "abs";
    let error = plan("SELECT 1;", &PlanOptions { udfs, ..PlanOptions::default() }).unwrap_err().to_string();
    assert!(error.contains("the user-defined function abs has the name of a built-in one"), "{error}");
}
