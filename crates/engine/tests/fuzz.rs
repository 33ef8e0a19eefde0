//! Fuzzes the reader of programs and the JSON source with arbitrary and with mutated input: nothing panics, an error always has
//! a place that exists, and no record vanishes.
//!
//! `make test` runs a few seconds of it; `make fuzz` as many cases as `FUZZ_CASES` says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::path::Path;
use std::sync::LazyLock;

use common::{Run, planned, records, run_rows};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use weir_engine::{PlanOptions, plan};

/// As many cases as asked for, or as fit into a few seconds.
fn cases(few: u32) -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().map_or(few, |n| n.parse().expect("FUZZ_CASES is a number"));
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions")) as _);
    // A case that fails is shrunk for a while, not for hours: planning is slow beside what proptest is made for.
    ProptestConfig { cases, failure_persistence, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

/// The programs of the conformance suite: what mutations start from.
static PROGRAMS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "sql"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
});

/// Pieces of the dialect, and of what breaks parsers.
const PIECES: [&str; 72] = [
    "CREATE",
    "TABLE",
    "VIEW",
    "AS",
    "WITH",
    "(",
    ")",
    ",",
    ";",
    "'",
    "\"",
    "=",
    ".",
    "NOT NULL",
    "GENERATED ALWAYS AS",
    "WATERMARK FOR",
    "PRIMARY KEY",
    "METADATA FROM",
    "STORED",
    "t",
    "k",
    "v",
    "TIMESTAMP",
    "TIMESTAMP(3)",
    "TIMESTAMP(99)",
    "BIGINT",
    "TEXT",
    "DOUBLE",
    "JSON",
    "STRUCT<",
    ">",
    "ARRAY<",
    "[]",
    "DECIMAL(",
    "38",
    "-1",
    "0",
    "1e400",
    "'x'",
    "connector",
    "'single_file'",
    "'kinesis'",
    "'json'",
    "type",
    "'source'",
    "'sink'",
    "format",
    "path",
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "1",
    "tumble(",
    "hop(",
    "session(",
    "INTERVAL",
    "'1 second'",
    "'-1 day'",
    "'999999999999 years'",
    "count(*)",
    "OVER",
    "PARTITION BY",
    "JOIN",
    "ON",
    "UNION ALL",
    "unnest(",
    "SET updating_ttl",
    "--",
    "/*",
    "é",
    "\u{0}",
];

/// Plans any text; an error must have a place in the text.
fn check(sql: &str) -> Result<(), TestCaseError> {
    let Err(error) = plan(sql, &PlanOptions::default()) else { return Ok(()) };
    prop_assert!(!error.message.is_empty(), "no message: {error:?}");
    // Columns count characters; the end of a line is a place too.
    let width = sql.split('\n').nth(error.line.wrapping_sub(1)).map(|line| line.chars().count() + 1);
    prop_assert!(width.is_some(), "line {} of {}: {error}", error.line, sql.split('\n').count());
    prop_assert!((1..=width.unwrap()).contains(&error.column), "column {} of {width:?}: {error}", error.column);
    Ok(())
}

/// A change to a text: its place, its bytes and its kind.
type Mutation = (prop::sample::Index, prop::sample::Index, u8);

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6_u8), 1..6)
}

/// Changes a text: characters go, are doubled or replaced, pieces of the dialect come in, stretches move.
fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, what, kind) in mutations {
        if chars.is_empty() {
            break;
        }
        let at = at.index(chars.len());
        match kind {
            0 => drop(chars.remove(at)),
            1 => chars.truncate(at),
            2 => chars[at] = char::from(u8::try_from(what.index(128)).unwrap()),
            3 => drop(chars.splice(at..at, PIECES[what.index(PIECES.len())].chars().chain([' ']))),
            4 => {
                let end = (at + what.index(40)).min(chars.len());
                let stretch: Vec<char> = chars.drain(at..end).collect();
                let to = what.index(chars.len() + 1);
                drop(chars.splice(to..to, stretch));
            }
            _ => {
                let end = (at + what.index(40)).min(chars.len());
                let stretch: Vec<char> = chars[at..end].to_vec();
                drop(chars.splice(at..at, stretch));
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn any_text_is_planned_or_refused_at_a_place(sql in any::<String>()) {
        check(&sql)?;
    }

    #[test]
    fn pieces_of_the_dialect_are_planned_or_refused_at_a_place(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40), create in any::<bool>(),
    ) {
        let start = if create { "CREATE TABLE t (" } else { "" };
        check(&format!("{start}{}", pieces.join(" ")))?;
    }

    #[test]
    fn mutated_programs_are_planned_or_refused_at_a_place(program in any::<prop::sample::Index>(), mutations in mutations()) {
        let program: &String = program.get(PROGRAMS.as_slice());
        check(&mutated(program, &mutations))?;
    }
}

/// Runs on a thread with the stack that Tokio and the test harness give theirs.
#[test]
fn depth_is_refused_and_ends_no_process() {
    let source = "CREATE TABLE t (a DOUBLE, b BOOLEAN) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');";
    let nests = [
        ("(", "1", ")"),
        ("1 + ", "1", ""),
        ("a + ", "a", ""),
        ("b AND ", "b", ""),
        ("a = 1 OR ", "b", ""),
        ("NOT ", "b", ""),
        ("- ", "a", ""),
        ("CASE WHEN b THEN 1 ELSE ", "1", " END"),
        ("abs(", "a", ")"),
        ("", "a", "::DOUBLE"),
        ("", "b", " IS NULL"),
        ("", "make_array(a)", "[1]"),
        ("ARRAY<", "a", ">"),
        ("", "a", " BETWEEN 1 AND 2"),
        ("a || ", "a", ""),
        ("(SELECT ", "1", ")"),
    ];
    for depth in [10, 390, 100_000] {
        for (open, inner, close) in nests {
            let expression = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            check(&format!("{source} SELECT {expression} AS x FROM t")).unwrap();
            check(&format!("CREATE TABLE u (a DOUBLE, b BOOLEAN, c DOUBLE GENERATED ALWAYS AS ({expression})) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json'); SELECT c FROM u")).unwrap();
        }
        for (open, close) in [("STRUCT<a ", ">"), ("ARRAY<", ">"), ("", "[]")] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            check(&format!("CREATE TABLE u (a {open}INT{close}) WITH (connector = 'blackhole')")).unwrap();
        }
        let again = " UNION ALL SELECT a FROM t".repeat(depth);
        check(&format!("{source} SELECT a FROM t{again}")).unwrap();
        check(&format!("{source} SELECT a FROM {}t{}", "(SELECT a FROM ".repeat(depth), ")".repeat(depth))).unwrap();
    }
}

#[test]
fn a_long_chain_of_operators_that_is_planned_also_runs() {
    let sum = "v + ".repeat(390);
    let program = planned(&format!(
        "CREATE TABLE t (v DOUBLE) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json'); SELECT {sum}v AS s FROM t;"
    ));
    let (rows, _) =
        run_rows(&program, &[("t", records(&["{\"v\":2}".to_owned()]))], &Run { parallelism: 2, ..Run::default() });
    assert_eq!(rows, ["{\"s\":782.0}"]);
}

/// One program a way in which records are read.
const SOURCES: [(&str, &str); 4] = [
    (
        "a BIGINT, b DOUBLE, c TEXT, d TIMESTAMP, e BOOLEAN, f STRUCT<g INT, h ARRAY<TEXT> >, i JSON, j DECIMAL(10, 2)",
        "format = 'json'",
    ),
    ("a BIGINT NOT NULL, c TEXT", "format = 'json', framing = 'newline'"),
    ("value JSON NOT NULL", "format = 'json', 'json.unstructured' = 'true'"),
    ("value TEXT", "format = 'raw_string'"),
];

const RECORDS: [&str; 5] = [
    r#"{"a":1,"b":2.5,"c":"x","d":"2026-01-01T00:00:00Z","e":true,"f":{"g":1,"h":["a",null]},"i":{"k":[1,2]},"j":"12.34"}"#,
    r#"{"a":-9223372036854775808,"c":"\u00e9\ud83d\ude00\n","d":1700000000000000000,"i":"text","j":1e2}"#,
    r#"{"a":null,"b":1e308,"f":null,"unknown":{"deep":[[[{}]]]}}"#,
    r#"{"a":"7","b":"0.1","e":false,"f":{"h":[]},"i":null}"#,
    "{}",
];

proptest! {
    #![proptest_config(cases(400))]

    /// Every record is a row or poison, whichever way it comes in, and the rows do not depend on the batches.
    #[test]
    fn every_record_is_a_row_or_poison(
        source in 0..SOURCES.len(),
        lines in prop::collection::vec((any::<prop::sample::Index>(), prop::option::weighted(0.7, mutations())), 1..12),
    ) {
        let (columns, format) = SOURCES[source];
        let program = planned(&format!(
            "CREATE TABLE t ({columns}) WITH (connector = 'single_file', path = '-', type = 'source', bad_data = 'drop', {format});
             SELECT * FROM t;"
        ));
        let record = |(of, mutations): &(prop::sample::Index, Option<Vec<Mutation>>)| {
            let record = of.get(&RECORDS);
            mutations.as_ref().map_or_else(|| (*record).to_owned(), |m| mutated(record, m))
        };
        let lines: Vec<String> = lines.iter().map(record).collect();
        let (rows, report) = run_rows(&program, &[("t", records(&lines))], &Run::default());
        prop_assert_eq!(report.sources[0].records, lines.len() as u64);
        // With framing, one record may be several rows, or none.
        if !format.contains("framing") {
            prop_assert_eq!(rows.len() as u64 + report.sources[0].poison, lines.len() as u64, "{:?}", lines);
        }
        for row in &rows {
            prop_assert!(serde_json::from_str::<serde_json::Value>(row).is_ok(), "{row} of {lines:?}");
        }
        let (single, other) = run_rows(&program, &[("t", records(&lines))], &Run { batch_size: 1, ..Run::default() });
        prop_assert_eq!((single, other.sources[0].poison), (rows, report.sources[0].poison));
    }
}

/// The longest record of Kinesis: what nests by its length does so deepest here.
const LONGEST: usize = 1 << 20;

/// Reads every text in every way that a rule may: none is an error, and each gives one row.
fn read_in_every_way(texts: &[String]) -> Vec<String> {
    let casts = [
        "DECIMAL(38, 10)",
        "DECIMAL(76, 0)",
        "DECIMAL(76, 76)",
        "INT",
        "BIGINT",
        "DOUBLE",
        "FLOAT",
        "BOOLEAN",
        "TIMESTAMP",
        "TIMESTAMP(3)",
        "DATE",
        "TIME",
        "INTERVAL",
    ];
    let casts = casts.iter().enumerate().map(|(n, to)| format!("TRY_CAST(value AS {to}) IS NULL AS cast_{n}"));
    let json = [
        "json_get_int(value, 'n')",
        "json_get_float(value, 'n')",
        "json_get_bool(value, 'n')",
        "json_get_str(value, 'n')",
        "json_get_json(value, 'n')",
        "json_as_text(value, 'n')",
        "json_length(value)",
        "json_object_keys(value)",
        "get_first_json_object(value, '$.n')",
        "extract_json_string(value, '$.n')",
        "extract_json(value, '$.n')",
        "value->'n'",
        "value->'n'->'n'",
        "value->'n'->>'n'",
        "json_contains(value, 'n')",
    ];
    let json = json.iter().enumerate().map(|(n, get)| format!("{get} IS NULL AS json_{n}"));
    let columns: Vec<String> = casts.chain(json).collect();
    let program = planned(&format!(
        "CREATE TABLE t (value TEXT NOT NULL) WITH (connector = 'single_file', path = '-', type = 'source', format = 'raw_string');
         SELECT {} FROM t;",
        columns.join(", ")
    ));
    run_rows(&program, &[("t", records(texts))], &Run::default()).0
}

#[test]
fn a_record_full_of_digits_ends_no_process() {
    let digits = "7".repeat(LONGEST - 100);
    let texts = [
        digits.clone(),
        format!("-{digits}"),
        format!("0.{digits}"),
        format!("1e{digits}"),
        format!("{{\"n\":{digits}}}"),
        format!("{{\"n\":1e{digits}}}"),
        format!("{{\"n\":{}", "[".repeat(LONGEST - 100)),
        "{\"n\":".repeat(LONGEST / 6),
        "é".repeat(LONGEST / 2),
    ];
    assert_eq!(read_in_every_way(&texts).len(), texts.len());
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn texts_that_are_hard_to_read_are_rows(
        texts in prop::collection::vec((prop::collection::vec((0..HARD.len(), 1_usize..45), 0..6), any::<bool>()), 1..12),
    ) {
        let text = |(pieces, nested): &(Vec<(usize, usize)>, bool)| {
            let text: String = pieces.iter().map(|(piece, times)| HARD[*piece].repeat(*times)).collect();
            if *nested { format!("{{\"n\":{text}}}") } else { text }
        };
        let texts: Vec<String> = texts.iter().map(text).collect();
        prop_assert_eq!(read_in_every_way(&texts).len(), texts.len(), "{:?}", texts);
    }
}

/// Pieces of what is hard to read as a number, a time or JSON.
const HARD: [&str; 24] = [
    "9",
    "0",
    ".",
    "e",
    "E",
    "+",
    "-",
    "1e",
    "e-",
    "99999",
    "32768",
    "é",
    " ",
    "T",
    "Z",
    ":",
    "2026-01-01",
    "+99:99",
    "\"",
    "[",
    "]",
    "{\"n\":",
    "}",
    "\u{0}",
];
