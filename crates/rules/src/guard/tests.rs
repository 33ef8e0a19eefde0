#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use super::*;

fn guarded(sql: &str) -> String {
    edited(sql, &guards(sql).1).trim_end().to_owned()
}

#[test]
fn casts_that_may_fail_are_tried() {
    for (written, expected) in [
        ("SELECT CAST(event ->> 'x' AS DOUBLE) FROM events", "SELECT TRY_CAST(event ->> 'x' AS DOUBLE) FROM events"),
        (
            "SELECT (event ->> 'x')::double precision FROM t",
            "SELECT TRY_CAST((event ->> 'x') AS double precision) FROM t",
        ),
        ("SELECT a.b::int::BIGINT + 1 FROM t", "SELECT TRY_CAST(TRY_CAST(a.b AS int) AS BIGINT) + 1 FROM t"),
        ("SELECT round(x)::INT FROM t", "SELECT TRY_CAST(round(x) AS INT) FROM t"),
        ("SELECT x[1]::INT FROM t", "SELECT TRY_CAST(x[1] AS INT) FROM t"),
        ("SELECT CASE WHEN a THEN b END::INT FROM t", "SELECT TRY_CAST(CASE WHEN a THEN b END AS INT) FROM t"),
        ("SELECT count(*) FILTER (WHERE a)::INT FROM t", "SELECT TRY_CAST(count(*) FILTER (WHERE a) AS INT) FROM t"),
        (
            "SELECT cast(cast(a AS INT) AS DECIMAL(10, 2)) FROM t",
            "SELECT TRY_cast(TRY_cast(a AS INT) AS DECIMAL(10, 2)) FROM t",
        ),
        ("SELECT -x::INT, a AND (b)::INT FROM t", "SELECT -TRY_CAST(x AS INT), a AND TRY_CAST((b) AS INT) FROM t"),
    ] {
        assert_eq!(guarded(written), expected);
    }
}

#[test]
fn what_cannot_fail_or_is_a_constant_stays() {
    for same in [
        "SELECT CAST(a AS TEXT), a::TEXT, a::VARCHAR(3) FROM t",
        "SELECT CAST('2026-01-01' AS TIMESTAMP), CAST(NULL AS DOUBLE), '5'::INT FROM t",
        "SELECT TRY_CAST(a AS INT), 'CAST(a AS INT)', \"cast\" FROM t -- CAST(a AS INT)",
        "SELECT CAST(event -> 'a' AS DOUBLE), (event -> 'a' -> 'b')::INT, CAST(json_get(event, 'a') AS INT) FROM t",
        "SELECT this is no sql CAST(a AS INT)",
    ] {
        assert_eq!(guarded(same), same);
    }
}

#[test]
fn whole_numbers_are_divided_by_what_is_not_zero() {
    let counts = "FROM (SELECT count(a) AS n, count(b) AS m FROM t) AS c";
    for (written, expected) in [
        ("n / m", "n / nullif(m, 0)"),
        ("n / (m - 1)", "n / nullif((m - 1), 0)"),
        ("n % -m", "n % nullif(-m, 0)"),
        ("n / c.m / m", "n / nullif(c.m, 0) / nullif(m, 0)"),
        ("n / abs(m)", "n / nullif(abs(m), 0)"),
        ("n / CAST(m AS BIGINT)", "n / nullif(TRY_CAST(m AS BIGINT), 0)"),
        ("n / m::BIGINT", "n / nullif(TRY_CAST(m AS BIGINT), 0)"),
        ("n / 2", "n / 2"),
        ("n / 2.5", "n / 2.5"),
        ("1.0 * n / m", "1.0 * n / m"),
        ("n / nullif(m, 0)", "n / nullif(m, 0)"),
    ] {
        assert_eq!(guarded(&format!("SELECT {written} AS x {counts}")), format!("SELECT {expected} AS x {counts}"));
    }
}
