#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at a surprise")]

use crate::{Mismatches, PlanError, PlanOptions, Program, plan};

const TABLE: &str = "CREATE TABLE t (event TEXT, n BIGINT, d DOUBLE, dec DECIMAL(10, 2), b BOOLEAN, at TIMESTAMP NOT NULL, \
    tags TEXT) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');\n";

fn planned(select: &str, mismatches: Mismatches) -> Result<Program, PlanError> {
    plan(&format!("{TABLE}{select};"), &PlanOptions { mismatches, ..PlanOptions::default() })
}

#[test]
fn values_of_different_kinds_are_told_apart_wherever_they_meet() {
    let refused = [
        ("event ->> 'p' > 20", "text is compared with a number"),
        ("20 < event ->> 'p'", "text is compared with a number"),
        ("event ->> 'p' = d", "text is compared with a number"),
        ("d > '20'", "text ('20') is compared with a number"),
        ("n <> '20'", "text ('20') is compared with a number"),
        ("event ->> 'p' BETWEEN 1 AND 2", "text is compared with a number"),
        ("event ->> 'p' IN ('1', 2)", "text is compared with a number"),
        ("n IN (SELECT event ->> 'p' FROM t)", "text is compared with a number"),
        ("event ->> 'p' IS DISTINCT FROM 3", "text is compared with a number"),
        ("(event ->> 'p') + 1 > 2", "text is calculated with a number"),
        ("event ->> 'p' + 1 > 2", "text ('p') is calculated with a number"),
        ("coalesce(event ->> 'p', 0) IS NULL", "text is put beside a number"),
        ("nullif(event ->> 'p', 0) IS NULL", "text is put beside a number"),
        ("greatest(d, event ->> 'p') > 1", "text is put beside a number"),
        ("CASE event ->> 'p' WHEN 1 THEN b END", "text is compared with a number"),
        ("CASE WHEN b THEN event ->> 'p' ELSE 0 END IS NULL", "text is put beside a number"),
        ("b = 'true'", "text ('true') is compared with a boolean"),
        ("b = event ->> 'p'", "text is compared with a boolean"),
        ("at > 5", "a time is compared with a number"),
        ("at > event ->> 'p'", "text is compared with a time"),
    ];
    for (condition, message) in refused {
        let select = format!("SELECT d FROM t WHERE {condition}");
        let error = planned(&select, Mismatches::Refuse).map(|_| ()).unwrap_err();
        assert_eq!(error.message, message, "{condition}: {error}");
        assert!(error.hint.is_some() && error.line == 2, "{condition}: {error}");
        // Arroyo runs it, and so does a program that is not a rule's.
        if let Ok(program) = planned(&select, Mismatches::Warn) {
            assert_eq!(program.warnings().first().map(|w| w.message.as_str()), Some(message), "{condition}");
        }
    }
}

#[test]
fn what_goes_together_passes() {
    for condition in [
        "event ->> 'p' > '20'",
        "TRY_CAST(event ->> 'p' AS DOUBLE) > 20",
        "n > 1.5 AND d = 1 AND dec > n",
        "at > '2026-01-01' AND at BETWEEN '2026-01-01' AND TIMESTAMP '2026-01-02'",
        "at - INTERVAL '1 day' > '2026-01-01'",
        "at - at > INTERVAL '1 hour'",
        "concat(event ->> 'p', n) = 'x1'",
        "coalesce(event ->> 'p', 'none') = 'x'",
        "n = NULL OR coalesce(NULL, n) = 1",
        "CASE WHEN b THEN 1 ELSE 2.5 END > 1",
        "event ->> 'p' IN ('a', 'b') AND event ->> 'q' LIKE 'a%'",
        "date_trunc('hour', at) = at",
        "substr(event, 1, 3) = 'abc'",
    ] {
        let select = format!("SELECT d FROM t WHERE {condition}");
        if let Err(error) = planned(&select, Mismatches::Refuse) {
            panic!("{condition}: {error}");
        }
    }
}

#[test]
fn joins_unions_and_aggregates_are_looked_at_too() {
    for (select, message) in [
        ("SELECT a.d FROM t AS a JOIN t AS b ON a.n = b.event", "text is compared with a number"),
        (
            "SELECT n AS x FROM t UNION ALL SELECT event AS x FROM t",
            "column x of a UNION is a number in one query and text in another",
        ),
        ("SELECT d FROM (SELECT d, event ->> 'p' AS p FROM t) AS s WHERE p > 5", "text is compared with a number"),
    ] {
        let error = planned(select, Mismatches::Refuse).map(|_| ()).unwrap_err();
        assert_eq!(error.message, message, "{select}: {error}");
    }
}

#[test]
fn the_hint_shows_the_cast_and_the_place_is_the_text() {
    let error = planned("SELECT d FROM t\nWHERE event ->> 'p' > 20", Mismatches::Refuse).map(|_| ()).unwrap_err();
    assert_eq!((error.line, error.column), (3, 7));
    assert_eq!(
        error.hint.as_deref(),
        Some(
            "as text, 9 is more than 20; write TRY_CAST(event ->> 'p' AS DOUBLE), which is NULL where it is no number"
        )
    );
}
