//! Results depend on the records alone: not on batches, not on restarts, and they equal a plain computation.

#![allow(clippy::type_complexity, reason = "a plain computation keeps plain tuples")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Run, planned, records, run_in_order, run_rows};
use proptest::prelude::*;
use weir_engine::{MemorySink, MemorySource, RawRecord, RunError, RunOptions, RunReport, run};

const SOURCE: &str = "CREATE TABLE events (ts BIGINT NOT NULL, k TEXT, v DOUBLE,
    t TIMESTAMP NOT NULL GENERATED ALWAYS AS (CAST(to_timestamp_millis(ts) AS TIMESTAMP)),
    WATERMARK FOR t AS (coalesce(CAST(to_timestamp_millis(ts) AS TIMESTAMP), TIMESTAMP '2200-01-01 00:00:00') - INTERVAL '2 seconds'))
  WITH (connector = 'single_file', type = 'source', path = '-', format = 'json');\n";

/// Programs over `events`, one for each kind of operator.
const QUERIES: [(&str, &str); 17] = [
    ("stateless", "SELECT k, v * 2 AS v FROM events WHERE v > 3"),
    ("tumble", "SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s, min(v), max(v), count(DISTINCT v) AS d FROM events GROUP BY 1, 2"),
    ("hop", "SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, count(*) AS n, avg(v) AS m, last_value(v ORDER BY t) AS l FROM events GROUP BY 1, 2"),
    ("spread", "SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, avg(v / 7) AS m, stddev(v / 7) AS d, var_pop(v / 3) AS p, sum(v / 3) AS s FROM events GROUP BY 1, 2"),
    ("tumbling spread", "SELECT k, tumble(INTERVAL '10 seconds') AS w, avg(v / 7) AS m, stddev(v / 7) AS d, var_pop(v / 3) AS p, sum(v / 3) AS s FROM events GROUP BY 1, 2"),
    ("global hop", "SELECT hop(INTERVAL '5 seconds', INTERVAL '15 seconds') AS w, count(v) FILTER (WHERE v > 2) AS n FROM events GROUP BY 1"),
    ("session", "SELECT k, session(INTERVAL '3 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2"),
    ("again", "SELECT w, max(n) AS most, count(*) AS ks FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY w"),
    ("over", "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY n DESC, k) AS r FROM (
        SELECT k, hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2)) WHERE r <= 2"),
    ("join", "SELECT a.k, a.n, b.s, a.w FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events WHERE v > 2 GROUP BY 1, 2) a
        LEFT JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM events WHERE v > 4 GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k"),
    ("union", "CREATE VIEW ends AS SELECT k FROM events WHERE v > 3 UNION ALL SELECT k FROM events WHERE v < 2;
        SELECT tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM ends GROUP BY 1"),
    ("pairs", "SELECT k, tumble(INTERVAL '10 seconds') AS w, covar_samp(v / 7, ts / 1e9) AS c, corr(v / 7, ts / 1e9) AS r,
        regr_slope(v / 7, ts / 1e9) AS s, regr_avgx(v / 7, ts / 1e9) AS x FROM events GROUP BY 1, 2"),
    ("un-windowed join", "SELECT a.k, a.v, b.v AS other FROM events a JOIN events b ON a.k = b.k AND a.ts / 2000 = b.ts / 2000 WHERE a.v < 3 AND b.v > 4"),
    ("expiry", "SET updating_ttl = '3 seconds'; SELECT a.k, a.v, a.ts AS x, b.ts AS y FROM events a JOIN events b ON a.k = b.k WHERE a.v < 3 AND b.v > 4"),
    ("window of pairs", "SET updating_ttl = '3 seconds'; SELECT k, tumble(INTERVAL '5 seconds') AS w, count(*) AS n FROM (
        SELECT a.k FROM events a JOIN events b ON a.k = b.k WHERE a.v < 3 AND b.v > 4) GROUP BY 1, 2"),
    ("three that meet", "SET updating_ttl = '2 seconds'; SELECT a.k, a.ts AS x, b.ts AS y, c.ts AS z FROM events a JOIN events b ON a.k = b.k
        JOIN events c ON a.k = c.k WHERE a.v < 2 AND b.v > 5 AND c.v = 3"),
    ("several", "CREATE TABLE low (k TEXT, v DOUBLE) WITH (connector = 'single_file', type = 'sink', path = 'low', format = 'json');
        CREATE TABLE counts (k TEXT, at TIMESTAMP, n BIGINT) WITH (connector = 'single_file', type = 'sink', path = 'counts', format = 'json');
        INSERT INTO low SELECT k, v FROM events WHERE v < 2;
        INSERT INTO counts SELECT k, w.end, n FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2);
        INSERT INTO low SELECT k, -v FROM events WHERE v > 6;
        INSERT INTO counts SELECT k, w.end, n FROM (SELECT k, hop(INTERVAL '5 seconds', INTERVAL '15 seconds') AS w, count(*) AS n FROM events WHERE v > 3 GROUP BY 1, 2)"),
];

/// Aggregates that take long, and those that see the order of rows.
const HEAVY: [(&str, &str); 2] = [
    ("heavy tumble", "SELECT k, v % 3 AS r, tumble(INTERVAL '10 seconds') AS w, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY v) AS p, array_agg(v) AS a,
        count(DISTINCT v) AS d, first_value(v) AS f FROM events GROUP BY 1, 2, 3"),
    ("heavy hop", "SELECT k, v % 3 AS r, hop(INTERVAL '2 seconds', INTERVAL '14 seconds') AS w, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY v) AS p,
        array_agg(v) AS a, count(DISTINCT v) AS d, median(v) AS m, sum(v / 7) AS s FROM events GROUP BY 1, 2, 3"),
];

/// Programs over `events` and `others`, which are read side by side.
const OF_TWO: [(&str, &str); 5] = [
    ("tumble", "SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s FROM both GROUP BY 1, 2"),
    ("hop", "SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, count(*) AS n, max(v) AS m FROM both GROUP BY 1, 2"),
    ("session", "SELECT k, session(INTERVAL '3 seconds') AS w, count(*) AS n, sum(v) AS s FROM both GROUP BY 1, 2"),
    ("rank", "SELECT * FROM (SELECT *, rank() OVER (PARTITION BY w ORDER BY n DESC) AS r FROM (
        SELECT k, hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, count(*) AS n FROM both GROUP BY 1, 2)) WHERE r <= 2"),
    ("join", "SELECT a.k, a.n, b.s FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) a
        FULL JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM others GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k"),
];

/// Statements that have much in common, with a number in place of `{}`.
const ALIKE: [&str; 12] = [
    "SELECT k, n FROM (SELECT k, count(*) AS n, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM events GROUP BY 1, 3) WHERE n > {}",
    "SELECT key, w.start AS begun, m FROM (SELECT k AS key, avg(v / 7) AS m, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM events GROUP BY 1, 3) WHERE m > {} / 7",
    "SELECT k, top, n FROM (SELECT k, max(v) AS top, count(*) AS n, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM events GROUP BY 1, 4) WHERE top - n < {}",
    "SELECT k, l FROM (SELECT k, last_value(v ORDER BY t) AS l, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w FROM (SELECT k, v, t FROM events WHERE v > {}) GROUP BY 1, 3)",
    "SELECT k, n FROM (SELECT k, count(*) FILTER (WHERE v > {}) AS n, tumble(INTERVAL '10 seconds') AS w FROM events GROUP BY 1, 3)",
    "SELECT k, n, s FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2) WHERE s > {}",
    "SELECT ks, most FROM (SELECT w, max(n) AS most, count(*) AS ks FROM (SELECT k, count(*) AS n, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w
        FROM events GROUP BY 1, 3) GROUP BY w) WHERE most > {}",
    "SELECT k, n, r FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY n DESC, k) AS r FROM (
        SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2)) WHERE r <= {}",
    "SELECT a.k, a.n, b.n AS all FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) a
        JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k WHERE a.n > {}",
    "SELECT a.k, a.n, b.n AS most FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) a
        LEFT JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events WHERE v > {} GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k",
    "SELECT k, n FROM (SELECT k, session(INTERVAL '3 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) WHERE n > {}",
    "SELECT k, s FROM (SELECT k, session(INTERVAL '3 seconds') AS w, sum(v) AS s FROM events GROUP BY 1, 2) WHERE s > {}",
];

/// An event: milliseconds, key, value.
type Event = (i64, Option<u8>, u8);

fn lines(events: &[Event]) -> Vec<RawRecord> {
    let line = |(ts, k, v): &Event| match k {
        Some(k) => format!(r#"{{"ts":{ts},"k":"k{k}","v":{v}}}"#),
        None => format!(r#"{{"ts":{ts},"v":{v}}}"#),
    };
    records(&events.iter().map(line).collect::<Vec<_>>())
}

/// Mostly rising times with some disorder, some rows too late, and gaps.
fn stream() -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![8 => -1500i64..1500, 1 => 5000i64..20_000, 1 => -9000i64..-3000];
    prop::collection::vec((step, prop::option::weighted(0.9, 0u8..4), 0u8..8), 0..300).prop_map(|steps| {
        let mut now = 1_700_000_000_000i64;
        steps
            .into_iter()
            .map(|(step, k, v)| {
                let at = now + step;
                now = now.max(at) + 200;
                (at, k, v)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_batch_size_changes_nothing(events in stream()) {
        for (name, query) in QUERIES {
            let program = planned(&format!("{SOURCE}{query};"));
            let (whole, report) = run_rows(&program, &[("events", lines(&events))], &Run::default());
            for batch_size in [1, 3, 17] {
                let (rows, other) = run_rows(&program, &[("events", lines(&events))], &Run { batch_size, ..Run::default() });
                prop_assert_eq!(&rows, &whole, "{} in batches of {}", name, batch_size);
                prop_assert_eq!(&other.sources[0].late, &report.sources[0].late, "{}", name);
            }
        }
    }

    #[test]
    fn what_else_a_program_computes_changes_nothing_not_even_the_order(
        events in stream(),
        chosen in prop::collection::vec((0..ALIKE.len(), 0u8..6), 1..8),
    ) {
        let statement = |nth: usize, (which, number): (usize, u8)| format!(
            "CREATE TABLE rows_{nth} WITH (connector = 'single_file', type = 'sink', path = '{nth}', format = 'json');
             INSERT INTO rows_{nth} {};\n", ALIKE[which].replace("{}", &number.to_string()));
        let run = |statements: String| {
            let program = planned(&format!("{SOURCE}{statements}"));
            run_in_order(&program, &[("events", lines(&events))], &Run { batch_size: 7, ..Run::default() })
        };
        let alone: Vec<(Vec<String>, RunReport)> = chosen.iter().map(|statement_of| run(statement(0, *statement_of))).collect();
        let (together, report) = run(chosen.iter().enumerate().map(|(nth, of)| statement(nth, *of)).collect());
        let rows: Vec<String> = alone.iter().flat_map(|(rows, _)| rows.clone()).collect();
        prop_assert_eq!(rows, together);
        for (rule, (_, alone)) in report.rules.iter().zip(&alone) {
            prop_assert_eq!(rule.rule_errors, alone.rules[0].rule_errors);
        }
    }

    #[test]
    fn the_threads_change_nothing_not_even_the_order(events in stream()) {
        for (name, query) in QUERIES {
            let program = planned(&format!("{SOURCE}{query};"));
            let on = |parallelism| {
                run_in_order(&program, &[("events", lines(&events))], &Run { batch_size: 3, parallelism, ..Run::default() })
            };
            let (one, report) = on(1);
            for threads in [2, 5] {
                let (rows, other) = on(threads);
                prop_assert_eq!(&rows, &one, "{} on {} threads", name, threads);
                prop_assert_eq!(&other.sources[0].late, &report.sources[0].late, "{}", name);
            }
        }
    }

    #[test]
    fn the_lanes_of_a_window_change_nothing_not_even_the_order(events in stream()) {
        let has_bins = |query: &str| query.contains("tumble") || query.contains("hop");
        for (name, query) in QUERIES.iter().chain(&HEAVY).filter(|(_, query)| has_bins(query)) {
            let program = planned(&format!("{SOURCE}{query};"));
            let on = |parallelism| {
                let how = Run { batch_size: 7, parallelism, spread_from: Some(Duration::ZERO), ..Run::default() };
                run_in_order(&program, &[("events", lines(&events))], &how)
            };
            let (one, report) = on(1);
            for partitions in [2, 3, 7] {
                let (rows, other) = on(partitions);
                prop_assert_eq!(&rows, &one, "{} on {} partitions", name, partitions);
                prop_assert_eq!(&other.sources[0].late, &report.sources[0].late, "{}", name);
            }
        }
    }

    #[test]
    fn a_restart_in_the_middle_changes_nothing(events in stream(), cuts in prop::collection::vec(0.0f64..1.0, 1..4)) {
        for (name, query) in QUERIES {
            let program = planned(&format!("{SOURCE}{query};"));
            let (whole, _) = run_rows(&program, &[("events", lines(&events))], &Run::default());
            let folder = tempfile::tempdir().unwrap();
            let mut rows = Vec::new();
            for (nth, cut) in cuts.iter().enumerate() {
                let stop_after = Some((events.len() as f64 * cut / cuts.len() as f64) as u64);
                let how =
                    Run { batch_size: 5, state: Some(folder.path()), stop_after, parallelism: 1 + nth % 3, spread_from: Some(Duration::ZERO) };
                rows.extend(run_rows(&program, &[("events", lines(&events))], &how).0);
            }
            rows.extend(run_rows(&program, &[("events", lines(&events))], &Run { state: Some(folder.path()), ..Run::default() }).0);
            rows.sort();
            prop_assert_eq!(&rows, &whole, "{} cut at {:?} of {}", name, &cuts, events.len());
        }
    }

    #[test]
    fn which_of_two_sources_is_read_first_changes_nothing(left in stream(), right in stream(), cut in 0.0f64..1.0) {
        let other = SOURCE.replace("TABLE events", "TABLE others").replace("2 seconds", "4 seconds");
        let both = "CREATE VIEW both AS SELECT k, v FROM events UNION ALL SELECT k, v FROM others WHERE v > 1;";
        let sources = [("events", lines(&left)), ("others", lines(&right))];
        let stop_after = Some(((left.len() + right.len()) as f64 * cut) as u64);
        for (name, query) in OF_TWO {
            let program = planned(&format!("{SOURCE}{other}{both}{query};"));
            let (whole, report) = run_rows(&program, &sources, &Run::default());
            let late = |report: &RunReport| report.sources.iter().map(|s| s.late).collect::<Vec<_>>();
            for (batch_size, parallelism) in [(1, 1), (3, 2), (50, 3)] {
                let (rows, other) = run_rows(&program, &sources, &Run { batch_size, parallelism, ..Run::default() });
                prop_assert_eq!(&rows, &whole, "{} in batches of {}", name, batch_size);
                prop_assert_eq!(late(&other), late(&report), "{} in batches of {}", name, batch_size);
            }
            let folder = tempfile::tempdir().unwrap();
            let first = Run { batch_size: 5, state: Some(folder.path()), stop_after, ..Run::default() };
            let mut rows = run_rows(&program, &sources, &first).0;
            rows.extend(run_rows(&program, &sources, &Run { state: Some(folder.path()), ..Run::default() }).0);
            rows.sort();
            prop_assert_eq!(&rows, &whole, "{} cut at {}", name, cut);
        }
    }

    #[test]
    fn two_sources_meet_as_a_plain_computation_says(left in stream(), right in stream(), cut in 0.0f64..1.0) {
        let other = SOURCE.replace("TABLE events", "TABLE others");
        let program = planned(&format!(
            "{SOURCE}{other}SET updating_ttl = '3 seconds';
             SELECT a.ts AS x, b.ts AS y, a.v, b.v AS u FROM events a JOIN others b ON a.k = b.k;"
        ));
        let (l, r) = (with_watermarks(&left), with_watermarks(&right));
        let mut expected = Vec::new();
        for ((t, k, v), before) in &l {
            for ((u, j, w), then) in &r {
                if k.is_some() && k == j && *t >= then.saturating_sub(3_000) && *u >= before.saturating_sub(3_000) {
                    expected.push(format!("{{\"x\":{t},\"y\":{u},\"v\":{v}.0,\"u\":{w}.0}}"));
                }
            }
        }
        expected.sort();
        let sources = [("events", lines(&left)), ("others", lines(&right))];
        for (batch_size, parallelism) in [(1, 1), (7, 2), (8192, 1)] {
            let (rows, _) = run_rows(&program, &sources, &Run { batch_size, parallelism, ..Run::default() });
            prop_assert_eq!(&rows, &expected, "in batches of {}", batch_size);
        }
        let folder = tempfile::tempdir().unwrap();
        let stop_after = Some(((left.len() + right.len()) as f64 * cut) as u64);
        let first = Run { batch_size: 5, state: Some(folder.path()), stop_after, ..Run::default() };
        let mut rows = run_rows(&program, &sources, &first).0;
        rows.extend(run_rows(&program, &sources, &Run { state: Some(folder.path()), ..Run::default() }).0);
        rows.sort();
        prop_assert_eq!(&rows, &expected, "cut at {}", cut);
    }

    #[test]
    fn windows_equal_a_plain_computation(events in stream()) {
        let kept = on_time(&events, |ts| ts.div_euclid(10_000), |w| w.div_euclid(10_000));
        let mut tumble: BTreeMap<(i64, Option<u8>), (u64, u64)> = BTreeMap::new();
        for (ts, k, v) in &kept {
            let slot = tumble.entry((ts.div_euclid(10_000), *k)).or_default();
            slot.0 += 1;
            slot.1 += u64::from(*v);
        }
        let expected: BTreeSet<String> = tumble.iter().map(|((w, k), (n, s))| row(*k, w * 10_000, w * 10_000 + 10_000, *n, *s)).collect();
        let program = planned(&format!("{SOURCE}SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2;"));
        let (rows, report) = run_rows(&program, &[("events", lines(&events))], &Run { batch_size: 10, ..Run::default() });
        prop_assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);
        prop_assert_eq!(report.sources[0].late as usize, events.len() - kept.len());

        let kept = on_time(&events, |ts| ts.div_euclid(2_000), |w| w.div_euclid(2_000));
        let mut hop: BTreeMap<(i64, Option<u8>), (u64, u64)> = BTreeMap::new();
        for (ts, k, v) in &kept {
            for end in 1..=5 {
                let slot = hop.entry((ts.div_euclid(2_000) + end, *k)).or_default();
                slot.0 += 1;
                slot.1 += u64::from(*v);
            }
        }
        let expected: BTreeSet<String> = hop.iter().map(|((e, k), (n, s))| row(*k, e * 2_000 - 10_000, e * 2_000, *n, *s)).collect();
        let program = planned(&format!("{SOURCE}SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2;"));
        let (rows, _) = run_rows(&program, &[("events", lines(&events))], &Run { batch_size: 10, ..Run::default() });
        prop_assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);

        let mut kept = on_time(&events, |ts| ts, |w| w);
        kept.sort();
        let mut sessions: BTreeMap<Option<u8>, Vec<(i64, i64, u64, u64)>> = BTreeMap::new();
        for (ts, k, v) in &kept {
            let of_key = sessions.entry(*k).or_default();
            match of_key.last_mut() {
                Some(session) if ts - session.1 < 3_000 => *session = (session.0, *ts, session.2 + 1, session.3 + u64::from(*v)),
                _ => of_key.push((*ts, *ts, 1, u64::from(*v))),
            }
        }
        let expected: BTreeSet<String> = sessions.iter().flat_map(|(k, of_key)| of_key.iter().map(|s| row(*k, s.0, s.1 + 3_000, s.2, s.3))).collect();
        let program = planned(&format!("{SOURCE}SELECT k, session(INTERVAL '3 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2;"));
        let (rows, _) = run_rows(&program, &[("events", lines(&events))], &Run { batch_size: 10, ..Run::default() });
        prop_assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

/// A thousand rows, each of a key of its own.
fn many_keys() -> Vec<RawRecord> {
    let line = |n: i64| format!(r#"{{"ts":{},"k":"key-{n}","v":{n}}}"#, 1_700_000_000_000i64 + n);
    records(&(0..1000).map(line).collect::<Vec<_>>())
}

#[test]
fn window_state_over_its_limit_ends_the_run_with_a_clear_error() {
    let program =
        planned(&format!("{SOURCE}SELECT k, tumble(INTERVAL '1 hour') AS w, sum(v) AS s FROM events GROUP BY 1, 2;"));
    let limited = |state_limit: usize| {
        let mut options = RunOptions { state_limit, ..RunOptions::default() };
        options.sources.insert("events".to_owned(), MemorySource::new(many_keys()));
        for sink in program.sinks() {
            options.sinks.insert(sink.name.clone(), MemorySink::new());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&program, options, std::future::pending()))
    };
    assert!(limited(1 << 20).is_ok(), "a thousand keys fit a megabyte");
    match limited(10_000) {
        Err(RunError::StateLimit { bytes, limit }) => assert!(bytes > limit && limit == 10_000),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_great_instant_is_sorted_on_several_threads() {
    let line = |n: i64| format!(r#"{{"ts":{},"k":"key-{n}","v":{}}}"#, 1_700_000_000_000i64 + n % 7, n % 5);
    let events = records(&(0..40_000).map(line).collect::<Vec<_>>());
    let program = planned(&format!(
        "{SOURCE}SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY s DESC, k) AS r FROM (
           SELECT k, w, max(s) AS s, count(*) AS n FROM (
             SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM events GROUP BY 1, 2) GROUP BY k, w)) WHERE r <= 3;"
    ));
    let on =
        |parallelism| run_in_order(&program, &[("events", events.clone())], &Run { parallelism, ..Run::default() }).0;
    let one = on(1);
    assert_eq!(one.len(), 3);
    assert_eq!(on(3), one);
}

/// As many keys and rows as make partitions work at the same time.
#[test]
fn lanes_that_work_at_the_same_time_change_nothing_nor_does_a_restart_with_others() {
    let line = |n: i64| {
        let (ts, k) = (1_700_000_000_000i64 + n - n * 7 % 1900, n * 7919 % 5003);
        format!(r#"{{"ts":{ts},"k":"key-{k}","v":{}}}"#, n % 97)
    };
    let events = records(&(0..40_000).map(line).collect::<Vec<_>>());
    for window in ["tumble(INTERVAL '10 seconds')", "hop(INTERVAL '4 seconds', INTERVAL '12 seconds')"] {
        let program = planned(&format!(
            "{SOURCE}SELECT k, {window} AS w, count(*) AS n, avg(v / 7) AS m, stddev(v / 3) AS d,
               approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY v) AS p, last_value(v) AS l FROM events GROUP BY 1, 2;"
        ));
        let source = [("events", events.clone())];
        let (one, _) = run_in_order(&program, &source, &Run::default());
        assert!(one.len() > 20_000);
        // From the start, and after some batches.
        for (parallelism, nanos) in [(2, 0), (7, 0), (3, 1)] {
            let how =
                Run { parallelism, batch_size: 2100, spread_from: Some(Duration::from_nanos(nanos)), ..Run::default() };
            let (rows, _) = run_in_order(&program, &source, &how);
            assert!(rows == one, "{window} on {parallelism} partitions from {nanos} ns");
        }
        let folder = tempfile::tempdir().unwrap();
        let part = |parallelism, stop_after| {
            let how = Run {
                parallelism,
                stop_after,
                spread_from: Some(Duration::ZERO),
                state: Some(folder.path()),
                ..Run::default()
            };
            run_in_order(&program, &source, &how).0
        };
        let rows = [part(3, Some(15_000)), part(1, Some(9_000)), part(2, None)].concat();
        assert!(rows == one, "{window} on 3 partitions, then on 1, then on 2");
    }
}

#[test]
fn rows_without_time_and_late_pairs_of_a_join_are_counted() {
    let program = planned(
        "CREATE TABLE e (t TIMESTAMP, k TEXT, side TEXT)
           WITH (connector = 'single_file', type = 'source', path = '-', format = 'json', event_time_field = 't');
         SELECT tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM (
           SELECT l.k FROM (SELECT k FROM e WHERE side = 'l') l JOIN (SELECT k FROM e WHERE side = 'r') r ON l.k = r.k) GROUP BY 1;",
    );
    let line = |time: &str, side: &str| format!(r#"{{{time}"k":"a","side":"{side}"}}"#);
    let at = |second: u32| format!(r#""t":"2026-01-01T00:00:{second:02}Z","#);
    // The pair of the first row and the last is late: the one between them has moved the watermark.
    let lines = [line(&at(0), "l"), line("", "l"), line(&at(30), "r"), line(&at(2), "r")];
    for batch_size in [1, 100] {
        let (rows, report) = run_rows(&program, &[("e", records(&lines))], &Run { batch_size, ..Run::default() });
        assert_eq!(rows.len(), 1, "{rows:?}");
        let (source, rule) = (&report.sources[0], &report.rules[0]);
        assert_eq!((source.late, source.without_time), (0, 1), "{report:?}");
        assert_eq!((rule.late, rule.without_time), (1, 1), "{report:?}");
    }
}

/// The events, each with the watermark before it.
fn with_watermarks(events: &[Event]) -> Vec<(Event, i64)> {
    let mut watermark = i64::MIN;
    let step = |event: &Event| {
        let before = watermark;
        watermark = before.max(event.0 - 2_000);
        (*event, before)
    };
    events.iter().map(step).collect()
}

/// The events that are not late: whose place is not before that of the watermark when they come.
fn on_time(events: &[Event], place: impl Fn(i64) -> i64, of_watermark: impl Fn(i64) -> i64) -> Vec<Event> {
    let mut watermark: Option<i64> = None;
    let mut kept = Vec::new();
    for event in events {
        if watermark.is_none_or(|w| place(event.0) >= of_watermark(w)) {
            kept.push(*event);
        }
        watermark = Some(watermark.map_or(event.0 - 2_000, |w| w.max(event.0 - 2_000)));
    }
    kept
}

fn row(k: Option<u8>, start: i64, end: i64, n: u64, s: u64) -> String {
    let time = |ms: i64| {
        let at = chrono_text(ms);
        format!("\"{at}\"")
    };
    let k = k.map_or("null".to_owned(), |k| format!("\"k{k}\""));
    format!("{{\"k\":{k},\"w\":{{\"start\":{},\"end\":{}}},\"n\":{n},\"s\":{s}.0}}", time(start), time(end))
}

/// As sinks write times: no zone, milliseconds only where there are any.
fn chrono_text(ms: i64) -> String {
    let (days, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Days to a date, by Howard Hinnant's algorithm.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + i64::from(m <= 2);
    let (h, min, s, milli) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60, ms_of_day / 1000 % 60, ms_of_day % 1000);
    let text = format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}");
    if milli > 0 { format!("{text}.{milli:03}") } else { text }
}
