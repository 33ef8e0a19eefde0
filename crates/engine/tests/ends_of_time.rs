//! Event time at the ends of its range (the years 1677 and 2262) and around 1970: no time ends a program, and the laws hold there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::time::Duration;

use common::{Run, planned, records, run_in_order, run_rows};
use proptest::prelude::*;
use weir_engine::RawRecord;

/// The event's time is `ns`; the watermark runs two seconds behind it, or as far as the range allows.
const SOURCE: &str = "CREATE TABLE events (ns BIGINT NOT NULL, k TEXT, v DOUBLE,
    t TIMESTAMP NOT NULL GENERATED ALWAYS AS (coalesce(CAST(to_timestamp_nanos(ns) AS TIMESTAMP), TIMESTAMP '1970-01-01 00:00:00')),
    WATERMARK FOR t AS (coalesce(CAST(to_timestamp_nanos(ns) AS TIMESTAMP), TIMESTAMP '1970-01-01 00:00:00') - INTERVAL '2 seconds'))
  WITH (connector = 'single_file', type = 'source', path = '-', format = 'json');\n";

/// For each operator that reckons with time, narrow and as wide as half the range.
const QUERIES: [(&str, &str); 15] = [
    ("stateless", "SELECT k, t, v FROM events WHERE v > 3"),
    ("shifted", "SELECT k, t + INTERVAL '3 days' AS later, t - INTERVAL '3 days' AS earlier FROM events"),
    ("tumble", "SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2"),
    ("tumble a millisecond", "SELECT tumble(INTERVAL '1 millisecond') AS w, count(*) AS n FROM events GROUP BY 1"),
    ("tumble a century", "SELECT k, tumble(INTERVAL '36500 days') AS w, count(*) AS n FROM events GROUP BY 1, 2"),
    ("hop", "SELECT k, hop(INTERVAL '2 seconds', INTERVAL '10 seconds') AS w, count(*) AS n, avg(v) AS m FROM events GROUP BY 1, 2"),
    ("hop of centuries", "SELECT k, hop(INTERVAL '36500 days', INTERVAL '73000 days') AS w, count(*) AS n FROM events GROUP BY 1, 2"),
    ("global hop", "SELECT hop(INTERVAL '7 days', INTERVAL '28 days') AS w, count(v) FILTER (WHERE v > 2) AS n FROM events GROUP BY 1"),
    ("session", "SELECT k, session(INTERVAL '3 seconds') AS w, count(*) AS n, sum(v) AS s FROM events GROUP BY 1, 2"),
    ("session of a century", "SELECT k, session(INTERVAL '36500 days') AS w, count(*) AS n FROM events GROUP BY 1, 2"),
    ("again", "SELECT w, max(n) AS most FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY w"),
    ("nested", "SELECT tumble(INTERVAL '10 seconds') AS w, max(n) AS most FROM (SELECT k, tumble(INTERVAL '10 seconds') AS u, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1"),
    ("over", "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY n DESC, k) AS r FROM (
        SELECT k, hop(INTERVAL '5 seconds', INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2)) WHERE r <= 2"),
    ("join of windows", "SELECT a.k, a.n, b.s, a.w FROM (SELECT k, tumble(INTERVAL '10 seconds') AS w, count(*) AS n FROM events GROUP BY 1, 2) a
        FULL JOIN (SELECT k, tumble(INTERVAL '10 seconds') AS w, sum(v) AS s FROM events WHERE v > 4 GROUP BY 1, 2) b ON a.w = b.w AND a.k = b.k"),
    ("un-windowed join", "SET updating_ttl = '3 seconds'; SELECT a.k, a.v, b.v AS other FROM events a JOIN events b ON a.k = b.k WHERE a.v < 3 AND b.v > 4"),
];

type Event = (i64, u8, u8);

fn lines(events: &[Event]) -> Vec<RawRecord> {
    let line = |(ns, k, v): &Event| format!(r#"{{"ns":{ns},"k":"k{k}","v":{v}}}"#);
    records(&events.iter().map(line).collect::<Vec<_>>())
}

/// A time near an end of the range, near 1970 or near now, or anywhere.
fn time() -> impl Strategy<Value = i64> {
    let near = |at: i64| (-20_000_000_000i64..20_000_000_000).prop_map(move |by| at.saturating_add(by));
    prop_oneof![
        3 => near(i64::MIN),
        1 => Just(i64::MIN),
        2 => near(0),
        2 => near(1_767_225_600_000_000_000),
        3 => near(i64::MAX),
        1 => Just(i64::MAX),
        1 => any::<i64>(),
    ]
}

/// Times in any order, or in ascending order, so that few are late.
fn stream() -> impl Strategy<Value = Vec<Event>> {
    (prop::collection::vec((time(), 0u8..3, 0u8..8), 1..40), any::<bool>()).prop_map(|(mut events, sorted)| {
        if sorted {
            events.sort();
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_time_ends_a_program_and_neither_batches_nor_a_restart_change_anything(events in stream(), cut in 0.0f64..1.0) {
        for (name, query) in QUERIES {
            let program = planned(&format!("{SOURCE}{query};"));
            let sources = [("events", lines(&events))];
            let (whole, report) = run_rows(&program, &sources, &Run::default());
            for batch_size in [1, 3] {
                let (rows, other) = run_rows(&program, &sources, &Run { batch_size, ..Run::default() });
                prop_assert_eq!(&rows, &whole, "{} in batches of {}", name, batch_size);
                prop_assert_eq!(other.sources[0].late, report.sources[0].late, "{}", name);
            }
            let folder = tempfile::tempdir().unwrap();
            let stop_after = Some((events.len() as f64 * cut) as u64);
            let first = Run { batch_size: 2, state: Some(folder.path()), stop_after, ..Run::default() };
            let mut rows = run_rows(&program, &sources, &first).0;
            rows.extend(run_rows(&program, &sources, &Run { state: Some(folder.path()), ..Run::default() }).0);
            rows.sort();
            prop_assert_eq!(&rows, &whole, "{} cut at {}", name, cut);
        }
    }

    #[test]
    fn neither_do_lanes_not_even_the_order(events in stream()) {
        for (name, query) in QUERIES.iter().filter(|(_, query)| query.contains("tumble(") || query.contains("hop(")) {
            let program = planned(&format!("{SOURCE}{query};"));
            let on = |parallelism| {
                let how = Run { batch_size: 7, parallelism, spread_from: Some(Duration::ZERO), ..Run::default() };
                run_in_order(&program, &[("events", lines(&events))], &how).0
            };
            prop_assert_eq!(on(3), on(1), "{}", name);
        }
    }

    #[test]
    fn every_row_is_in_as_many_windows_as_it_should_be_or_late(events in stream()) {
        for (window, times) in [
            ("tumble(INTERVAL '1 millisecond')", 1),
            ("tumble(INTERVAL '10 seconds')", 1),
            ("tumble(INTERVAL '36500 days')", 1),
            ("hop(INTERVAL '2 seconds', INTERVAL '10 seconds')", 5),
            ("hop(INTERVAL '7 days', INTERVAL '28 days')", 4),
            ("hop(INTERVAL '36500 days', INTERVAL '73000 days')", 2),
            ("session(INTERVAL '3 seconds')", 1),
            ("session(INTERVAL '36500 days')", 1),
        ] {
            let program = planned(&format!("{SOURCE}SELECT {window} AS w, count(*) AS n FROM events GROUP BY 1;"));
            let (rows, report) = run_rows(&program, &[("events", lines(&events))], &Run::default());
            let count = |row: &String| serde_json::from_str::<serde_json::Value>(row).unwrap()["n"].as_u64().unwrap();
            let counted: u64 = rows.iter().map(count).sum();
            let source = &report.sources[0];
            prop_assert_eq!(counted, (events.len() as u64 - source.late) * times, "{}", window);
        }
    }
}
