#![allow(clippy::unwrap_used, reason = "a test may stop at a surprise")]

use super::*;

fn guarded(sql: &str) -> String {
    edited(sql, &guards(sql).1).trim_end().to_owned()
}

#[test]
fn casts_that_may_fail_are_tried() {
    for (written, expected) in [
        ("SELECT CAST(event ->> 'x' AS INT) FROM events", "SELECT TRY_CAST(event ->> 'x' AS INT) FROM events"),
        ("SELECT (event ->> 'x')::decimal FROM t", "SELECT TRY_CAST((event ->> 'x') AS decimal) FROM t"),
        ("SELECT CAST(a AS INT)::BIGINT FROM t", "SELECT TRY_CAST(TRY_CAST(a AS INT) AS BIGINT) FROM t"),
        ("SELECT a.b::int::BIGINT + 1 FROM t", "SELECT TRY_CAST(TRY_CAST(a.b AS int) AS BIGINT) + 1 FROM t"),
        ("SELECT round(x)::INT FROM t", "SELECT TRY_CAST(round(x) AS INT) FROM t"),
        ("SELECT x[1]::INT FROM t", "SELECT TRY_CAST(x[1] AS INT) FROM t"),
        ("SELECT CASE WHEN a THEN b END::INT FROM t", "SELECT TRY_CAST(CASE WHEN a THEN b END AS INT) FROM t"),
        ("SELECT count(*) FILTER (WHERE a)::INT FROM t", "SELECT TRY_CAST(count(*) FILTER (WHERE a) AS INT) FROM t"),
        (
            "SELECT cast(cast(a AS INT) AS DECIMAL(10, 2)) FROM t",
            "SELECT TRY_cast(TRY_cast(a AS INT) AS DECIMAL(10, 2)) FROM t",
        ),
        ("SELECT CAST(event -> 'a' AS INT) FROM t", "SELECT TRY_CAST(event ->> 'a' AS INT) FROM t"),
        ("SELECT TRY_CAST((event -> 'a') AS INT) FROM t", "SELECT TRY_CAST((event ->> 'a') AS INT) FROM t"),
        ("SELECT (event -> 'a' -> 'b')::INT FROM t", "SELECT TRY_CAST((event -> 'a' ->> 'b') AS INT) FROM t"),
        ("SELECT CAST(JSON_GET(event, 'a') AS INT) FROM t", "SELECT TRY_CAST(json_as_text(event, 'a') AS INT) FROM t"),
        ("SELECT -x::INT, a AND (b)::INT FROM t", "SELECT -TRY_CAST(x AS INT), a AND TRY_CAST((b) AS INT) FROM t"),
    ] {
        assert_eq!(guarded(written), expected);
    }
}

#[test]
fn a_time_in_a_format_is_tried() {
    assert_eq!(
        guarded("SELECT a FROM t WHERE to_timestamp(event ->> 'Day', '%d.%m.%Y') > b"),
        "SELECT a FROM t WHERE TRY_CAST(CASE WHEN regexp_like(event ->> 'Day', '^(\\d{1,2})\\.(\\d{1,2})\\.(\\d{4})$') \
         THEN regexp_replace(regexp_replace(event ->> 'Day', '^(\\d{1,2})\\.(\\d{1,2})\\.(\\d{4})$', '\\3-\\2-\\1 00:00:00'), \
         '\\b(\\d)\\b', '0\\1', 'g') END AS TIMESTAMP) > b"
    );
    for same in [
        "SELECT a FROM t WHERE to_timestamp(x, '%s') > b",
        "SELECT a FROM t WHERE to_timestamp(x, y) > b",
        "SELECT a FROM t WHERE to_timestamp('2026', '%Y-%m-%d') > b",
        "SELECT a FROM t WHERE to_timestamp(substr(x, 2), '%Y-%m-%d') > b",
        "SELECT to_timestamp(x, '%Y-%m-%d') FROM t",
    ] {
        assert_eq!(guarded(same), same);
    }
}

#[test]
fn what_cannot_fail_or_is_a_constant_stays() {
    for same in [
        "SELECT CAST(a AS TEXT), a::TEXT, a::VARCHAR(3) FROM t",
        "SELECT CAST('2026-01-01' AS TIMESTAMP), CAST(NULL AS DOUBLE), '5'::INT FROM t",
        "SELECT TRY_CAST(a AS INT), 'CAST(a AS INT)', \"cast\" FROM t -- CAST(a AS INT)",
        "SELECT CAST(event -> 'a' AS TEXT), json_get(event, 'a')::TEXT FROM t",
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

#[test]
fn minus_zero_is_zero_in_what_is_cast_to_a_floating_point_number() {
    for (written, expected) in [
        ("CAST(event ->> 'x' AS DOUBLE) < 0", "(TRY_CAST(event ->> 'x' AS DOUBLE) + 0.0) < 0"),
        ("TRY_CAST(event ->> 'x' AS DOUBLE) < 0", "(TRY_CAST(event ->> 'x' AS DOUBLE) + 0.0) < 0"),
        ("(event ->> 'x')::double precision < 0", "(TRY_CAST((event ->> 'x') AS double precision) + 0.0) < 0"),
        ("-x::double < 0", "-(TRY_CAST(x AS double) + 0.0) < 0"),
        ("CAST(event -> 'x' AS DOUBLE) < 0", "(TRY_CAST(event ->> 'x' AS DOUBLE) + 0.0) < 0"),
        ("(event -> 'x')::DOUBLE < 0", "(TRY_CAST((event ->> 'x') AS DOUBLE) + 0.0) < 0"),
        ("json_get_float(event, 'x') < 0", "(json_get_float(event, 'x') + 0.0) < 0"),
        ("CAST(x AS REAL) < 0", "(TRY_CAST(x AS REAL) + CAST(0.0 AS REAL)) < 0"),
        ("x::float < 0", "(TRY_CAST(x AS float) + CAST(0.0 AS REAL)) < 0"),
        ("CAST(x AS DOUBLE)::INT < 0", "TRY_CAST((TRY_CAST(x AS DOUBLE) + 0.0) AS INT) < 0"),
        ("x::DOUBLE::INT < 0", "TRY_CAST((TRY_CAST(x AS DOUBLE) + 0.0) AS INT) < 0"),
        ("CAST(CAST(x AS DOUBLE) AS DOUBLE) < 0", "(TRY_CAST((TRY_CAST(x AS DOUBLE) + 0.0) AS DOUBLE) + 0.0) < 0"),
        ("coalesce(CAST(x AS DOUBLE), 0) < 0", "coalesce((TRY_CAST(x AS DOUBLE) + 0.0), 0) < 0"),
        // A count is never below zero, and a constant is its author's.
        ("CAST(count(*) AS DOUBLE) < 0", "TRY_CAST(count(*) AS DOUBLE) < 0"),
        ("CAST('-0.0' AS DOUBLE) < 0", "CAST('-0.0' AS DOUBLE) < 0"),
        // Who writes it himself has it twice, which is the same.
        ("(CAST(x AS DOUBLE) + 0.0) < 0", "((TRY_CAST(x AS DOUBLE) + 0.0) + 0.0) < 0"),
    ] {
        assert_eq!(guarded(&format!("SELECT a FROM t WHERE {written}")), format!("SELECT a FROM t WHERE {expected}"));
    }
}

#[test]
fn a_column_that_has_its_name_of_what_is_cast_keeps_it() {
    for (written, expected) in [
        ("SELECT CAST(x AS DOUBLE) FROM t", "SELECT TRY_CAST(x AS DOUBLE) FROM t"),
        (
            "SELECT a, t.x::DOUBLE, avg(y::DOUBLE) AS m FROM t GROUP BY a, t.x::DOUBLE",
            "SELECT a, TRY_CAST(t.x AS DOUBLE), avg((TRY_CAST(y AS DOUBLE) + 0.0)) AS m FROM t GROUP BY a, TRY_CAST(t.x AS DOUBLE)",
        ),
        ("SELECT CAST(x AS DOUBLE) AS x FROM t", "SELECT (TRY_CAST(x AS DOUBLE) + 0.0) AS x FROM t"),
        (
            "SELECT a FROM t WHERE b IN (CAST(x AS DOUBLE))",
            "SELECT a FROM t WHERE b IN ((TRY_CAST(x AS DOUBLE) + 0.0))",
        ),
    ] {
        assert_eq!(guarded(written), expected);
    }
}
