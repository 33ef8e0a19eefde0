use proptest::prelude::*;

use super::*;
use crate::cell::Cell;

const COLUMNS: [(&str, FieldType); 5] = [
    ("kind", FieldType::Text),
    ("value", FieldType::Double),
    ("count", FieldType::Integer),
    ("ok", FieldType::Boolean),
    ("at", FieldType::Timestamp),
];

fn holds(text: &str, row: [Cell<'static>; 5]) -> bool {
    let predicate = Predicate::parse(text, &COLUMNS).unwrap();
    let columns = move |index: usize| row[index];
    predicate.holds(&columns)
}

const ROW: [Cell<'static>; 5] = [
    Cell::Text("CONTROL_MESSAGE"),
    Cell::Double(1.5),
    Cell::Integer(3),
    Cell::Boolean(true),
    Cell::Timestamp(1_767_225_600_000_000_000),
];

#[test]
fn conditions_that_hold() {
    for text in [
        "kind = 'CONTROL_MESSAGE'",
        "KIND LIKE 'CONTROL%'",
        "kind LIKE '%\\_M_SSAGE'",
        "value > 1 AND count <= 3.0",
        "value BETWEEN 1 AND 2",
        "value NOT BETWEEN 2 AND 3",
        "kind IN ('a', 'CONTROL_MESSAGE')",
        "count NOT IN (1, 2)",
        "ok",
        "NOT (NOT ok)",
        "kind IS NOT NULL AND NOT kind IS NULL",
        "at >= '2026-01-01'",
        "'2026-01-02' > at",
        "value > -1.5e3 OR kind = 'x'",
        "\"kind\" <> 'it''s'",
        "NULL OR TRUE",
    ] {
        assert!(holds(text, ROW), "{text}");
    }
}

#[test]
fn null_is_neither_true_nor_false() {
    let nulls = [Cell::Null; 5];
    for text in [
        "kind = 'a'",
        "kind <> 'a'",
        "NOT kind = 'a'",
        "kind IN ('a')",
        "kind NOT IN ('a')",
        "ok",
        "NOT ok",
        "value = NULL",
        "kind LIKE '%'",
        "count IN (1, NULL)",
    ] {
        assert!(!holds(text, nulls), "{text}");
    }
    assert!(!holds("count NOT IN (1, NULL)", ROW));
    assert!(holds("kind IS NULL OR kind = 'a'", nulls));
    assert!(holds("FALSE AND ok OR kind IS NULL", nulls));
}

#[test]
fn as_sql_it_is_what_was_read() {
    let sql = |text: &str| {
        let predicate = Predicate::parse(text, &COLUMNS).unwrap();
        let sql = predicate.to_sql(&|index| format!("\"{}\"", COLUMNS[index].0));
        assert_eq!(Predicate::parse(&sql, &COLUMNS).map(|again| again.root == predicate.root), Ok(true), "{sql}");
        sql
    };
    assert_eq!(sql("KIND = 'it''s' or not OK"), r#"(("kind" = 'it''s') OR (NOT "ok"))"#);
    assert_eq!(
        sql("value between 1 and 2 AND count != 7"),
        r#"((("value" >= 1) AND ("value" <= 2)) AND ("count" <> 7))"#
    );
    assert_eq!(
        sql("kind not in ('a', NULL) AND kind is not null"),
        r#"((NOT ("kind" IN ('a', NULL))) AND (NOT ("kind" IS NULL)))"#
    );
    assert_eq!(sql("kind not like 'ok%'"), r#"(NOT ("kind" LIKE 'ok%'))"#);
    let own = Predicate::parse("value > -1.5e300 OR count > -3 OR NULL", &COLUMNS).unwrap();
    let own = own.to_sql(&|index| index.to_string());
    assert_eq!(own, "(((1 > CAST('-1.5e300' AS DOUBLE)) OR (2 > CAST('-3' AS BIGINT))) OR CAST(NULL AS BOOLEAN))");
    let names =
        |text: &str| Predicate::parse(text, &COLUMNS).map(|p| (0..5).filter(|i| p.names(*i)).collect::<Vec<_>>());
    assert_eq!(names("kind = 'value at' AND NOT (count IN (1) OR kind LIKE 'ok')"), Ok(vec![0, 2]));
}

#[test]
fn faults_name_their_place() {
    let error = |text| Predicate::parse(text, &COLUMNS).unwrap_err();
    assert_eq!(error("knid = 'a'").hint.unwrap(), "did you mean `kind`?");
    assert_eq!(error("kind = 1").message, "a text is compared with a number");
    assert_eq!(error("ok AND valu > 1").at, 7);
    assert_eq!(error("kind").message, "expected a condition, found a text");
    assert_eq!(error("at > 'yesterday'").message, "`yesterday` is no time in RFC 3339");
    for text in [
        "",
        "kind =",
        "kind = 'a",
        "(ok",
        "ok ok",
        "value + 1 > 2",
        "kind IN ()",
        "kind LIKE value",
        "ok; DROP",
        "value > 1e999",
    ] {
        assert!(Predicate::parse(text, &COLUMNS).is_err(), "{text}");
    }
    assert!(Predicate::parse(&"(".repeat(10_000), &COLUMNS).is_err());
    assert!(Predicate::parse(&"NOT ".repeat(10_000), &COLUMNS).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(kind|value|ok|at|NOT|AND|OR|IN|LIKE|IS NULL|BETWEEN|'a%'|1|-|\\(|\\)|=|<|,| ){0,14}|.{0,20}") {
        if let Ok(predicate) = Predicate::parse(&text, &COLUMNS) {
            let row = |index: usize| ROW[index];
            predicate.holds(&row);
        }
    }
}
