//! What lints say of rules that are wrong in one thing each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{fs, path::Path};

use weir_rules::{
    Environment, Pack, Rule,
    lint::{Finding, LINTS, LintOptions, lint},
};

const HEADER: &str = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"me\"\n-- runbook = \"docs/r.md#r\"\n";
const COUNTS: &str = "SELECT source AS key, hop(INTERVAL '5 minutes', INTERVAL '1 hour') AS window, count(*) AS n, \
    count(value) AS known, avg(value) AS mean FROM events GROUP BY 1, 2";

/// Findings of one rule, in a project that has its runbook and its test.
fn found(header: &str, body: &str, environment: &str) -> Vec<Finding> {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in
        [("docs/r.md", "# R"), ("sql/tests/r.toml", ""), ("sql/rules/r.sql", &format!("{header}\n{body}"))]
    {
        let file = root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let file = root.path().join("sql/rules/r.sql");
    let rule = Rule::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
    let pack = Pack { tables_file: "tables.sql".into(), tables: String::new(), streams: Vec::new(), rules: vec![rule] };
    let environment = Environment::parse(Path::new("e.toml"), environment).unwrap();
    let mut findings = lint(&pack, &environment, &LintOptions { root: root.path(), keys: 1000 });
    for finding in &mut findings {
        finding.file = finding.file.strip_prefix(root.path()).unwrap().to_owned();
    }
    findings
}

fn event(score: &str, rest: &str) -> String {
    format!("SELECT source AS key, event_time, value, 1.0 AS expected,\n  {score} AS score FROM events {rest}")
}

fn windowed(column: &str) -> String {
    format!("SELECT key, window, n AS value, 1.0 AS expected, 1.0 AS score,\n  {column} AS x FROM ({COUNTS}) AS c")
}

fn codes(body: &str) -> Vec<&'static str> {
    found(HEADER, body, "").into_iter().map(|f| f.code).filter(|code| *code != "state").collect()
}

#[test]
fn each_lint_says_where_and_what_to_do() {
    let no_one = HEADER.replace("\"me\"", "\"TODO\"").replace("\"docs/r.md#r\"", "\"\"");
    let unused = format!("{HEADER}-- [parameters.p]\n-- type = \"integer\"\n-- default = 1\n");
    let policy = format!("{HEADER}-- [policy.\"a*\"]\n-- direction = \"above\"\n");
    let cases = [
        (no_one.as_str(), event("1.0", "")),
        (&HEADER.replace("#r", "#s"), event("1.0", "")),
        (&HEADER.replace("docs/r", "docs/s"), event("1.0", "")),
        (&unused, event("1.0", "")),
        (HEADER, "SELECT source AS key, event_time, value, 1.0 AS score FROM events".to_owned()),
        (&policy, "SELECT source AS key, event_time, value, 1.0 AS score FROM events".to_owned()),
        (HEADER, event("1.0", "WHERE event_time > now() OR random() > 0.5 OR event_time < current_date")),
        (HEADER, "SELECT a.source AS key, a.event_time, a.value, 1.0 AS expected, 1.0 AS score\nFROM events AS a JOIN events AS b ON a.id = b.id".to_owned()),
        (HEADER, windowed("n / known")),
        (HEADER, windowed("CAST(n AS INT)")),
        (HEADER, event("1.0", "WHERE to_timestamp(event ->> 'day', '%Y-%m-%d') > event_time AND to_timestamp(event ->> 'day', '%Y %j') > event_time AND event ->> 'p'::text ~ 'x'")),
        (HEADER, windowed("n").replace("hop(INTERVAL '5 minutes', INTERVAL '1 hour')", "tumble(INTERVAL '7 days')")),
        (HEADER, event("1.0", "WHERE json_get_float(event, 'a') < 0.0 AND json_get_int(event, 'b') = 1")),
        (HEADER, event("least(value, 100.0)", "")),
        (HEADER, event("2", "")),
        (HEADER, windowed("n").replace("1 hour", "25 hours")),
        (HEADER, windowed("n").replace("5 minutes", "1 second").replace("1 hour", "1 day")),
        (HEADER, format!("-- weir: allow(no-test)\n-- weir: allow(speed) it is fast\n-- weir: allow(no-test) later\n-- weir: deny\n{}", event("1.0", ""))),
    ];
    let mut said = String::new();
    for (header, body) in &cases {
        for finding in found(header, body, "") {
            said.push_str(&format!("{finding}\n"));
        }
    }
    insta::assert_snapshot!(said);
    for code in LINTS.iter().filter(|code| !["duplicate-name", "no-test"].contains(code)) {
        assert!(said.contains(&format!("[{code}]")), "{code} is never found");
    }
}

#[test]
fn a_rule_without_faults_is_left_alone() {
    for body in [
        event("1.0 - 90.0 / (2.0 * value)", "WHERE value > 90.0"),
        event("least(value / 100.0, 1.0)", ""),
        windowed("mean / known"),
        windowed("n / n"),
        windowed("n / nullif(known, 0)"),
        windowed("n / greatest(known, 1)"),
        windowed("n % CASE WHEN known > 0 THEN known ELSE 1 END"),
        windowed("known / 2"),
        windowed("1.0 * n / known"),
        format!(
            "SELECT a.key, a.window, a.n AS value, b.mean AS expected, 1.0 AS score FROM ({COUNTS}) AS a JOIN ({COUNTS}) AS b ON a.window = b.window"
        ),
        format!(
            "WITH c AS ({COUNTS}) SELECT a.key, a.window, a.n AS value, b.mean AS expected, 1.0 AS score FROM c AS a JOIN c AS b ON a.window = b.window"
        ),
        event("1.0", "WHERE metric = 'now()' -- random()"),
    ] {
        assert_eq!(codes(&body), Vec::<&str>::new(), "{body}");
    }
}

#[test]
fn an_allowance_silences_its_lint_and_no_other() {
    let body = event("2.0", "WHERE random() > 0.5");
    assert_eq!(codes(&body), ["score-out-of-range", "non-deterministic"]);
    assert_eq!(codes(&format!("-- weir: allow(non-deterministic) a sample\n{body}")), ["score-out-of-range"]);
}

#[test]
fn retention_is_the_environments() {
    let body = windowed("n").replace("1 hour", "25 hours");
    let codes = |environment: &str| found(HEADER, &body, environment).iter().map(|f| f.code).collect::<Vec<_>>();
    assert!(codes("").contains(&"window-exceeds-retention"));
    assert_eq!(codes("streams.events_retention = \"2 days\""), ["state"]);
}

#[test]
fn a_name_is_given_once_and_a_rule_has_a_test() {
    let text = format!("{HEADER}\n{}", event("1.0", ""));
    let rules = ["a/r.sql", "b/r.sql"].map(|file| Rule::parse(Path::new(file), &text).unwrap()).to_vec();
    let pack = Pack { tables_file: "tables.sql".into(), tables: String::new(), streams: Vec::new(), rules };
    let options = LintOptions { root: Path::new("nowhere"), keys: 1 };
    let codes: Vec<_> = lint(&pack, &Environment::default(), &options).iter().map(|f| f.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "duplicate-name").count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == "no-test").count(), 2);
}
