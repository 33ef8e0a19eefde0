//! What the gate writes says the same as what it read.

use proptest::prelude::*;

use super::*;
use crate::{
    decode::{
        Decoder, Record,
        tests::{
            declare,
            laws::{SHAPES, near},
        },
    },
    envelope::gzip::tests::pack,
    limits::{MAX_DEPTH, MAX_PLAIN_BYTES, MAX_PLAIN_ROW_BYTES},
    reason::Reason,
    row::{Decoded, Row, Rows, Value},
};

const ARRIVAL: i64 = 1_767_225_600_123_000_000;

fn rows(declaration: &Declaration, bytes: &[u8]) -> Rows {
    let mut rows = Rows::default();
    Decoder::new(declaration).decode(Record { bytes, arrival: Some(ARRIVAL) }, &mut rows);
    rows
}

fn unpack(declaration: &str, bytes: &[u8]) -> Unpacked {
    Unpacker::new(&declare(declaration)).unpack(bytes, ARRIVAL, "id")
}

fn lines(declaration: &str, bytes: &[u8]) -> Vec<String> {
    unpack(declaration, bytes).rows.into_iter().map(|row| row.line).collect()
}

/// On one line, as the gate writes it.
fn on_one_line(row: &Row) -> Row {
    let value = |value: &Value| match value {
        Value::Json(text) => Value::Json(text.replace(['\n', '\r'], " ")),
        other => other.clone(),
    };
    Row { time: row.time, values: row.values.iter().map(value).collect() }
}

#[test]
fn a_row_is_an_object_on_a_line() {
    let declaration = "envelope = \"values\"\nkey = \"device\"\ntime = { path = \"at\", format = \"unix\" }\n[fields]\n\
        device = \"text\"\ntemperature = \"double\"\nbattery = \"integer\"\nup = \"boolean\"\nseen = \"timestamp\"\nmore = \"json\"\n";
    let record = "{\"device\":\"c\\\"1\",\"at\":1767225600,\"temperature\":12,\"battery\":\"7\",\"up\":true,\
        \"seen\":\"2026-01-01T01:00:00.25+01:00\",\"more\":{\n\"a\": [1]}}{\"at\":1767225601.5}";
    assert_eq!(
        lines(declaration, record.as_bytes()),
        [
            "{\"device\":\"c\\\"1\",\"temperature\":12.0,\"battery\":7,\"up\":true,\"seen\":\"2026-01-01T00:00:00.250Z\",\
             \"more\":{ \"a\": [1]},\"event_time\":\"2026-01-01T00:00:00Z\",\"@record\":\"id-0\"}",
            "{\"event_time\":\"2026-01-01T00:00:01.500Z\",\"@record\":\"id-1\"}",
        ]
    );
    let keys: Vec<_> = unpack(declaration, record.as_bytes()).rows.into_iter().map(|row| row.key).collect();
    assert_eq!(keys, [Some("c\"1".to_owned()), None]);
}

#[test]
fn what_is_ignored_or_refused_makes_no_row() {
    let declaration = "envelope = \"lines\"\nignore = \"v = 0\"\n[fields]\nv = \"integer\"\n";
    let unpacked = unpack(declaration, b"{\"v\":0}\n{\"v\":\"x\"}\n{\"v\":1}");
    assert_eq!(unpacked.rows.len(), 1);
    assert_eq!(unpacked.refused.len(), 1);
    assert_eq!(unpacked.refused[0].0, b"{\"v\":\"x\"}");
    assert_eq!((unpacked.tally.ignored, unpacked.tally.poison, unpacked.tally.rows), (1, 1, 1));
}

#[test]
fn a_bomb_is_refused_not_unpacked() {
    let bomb = pack(&vec![b' '; 200_000_000]);
    assert!(bomb.len() < 1024 * 1024, "200 MB in {} bytes", bomb.len());
    let unpacked = unpack("envelope = \"gzip\"\n[fields]\nv = \"integer\"\n", &bomb);
    assert_eq!((unpacked.refused[0].1.reason.clone(), unpacked.refused[0].0.len()), (Reason::TooLarge, bomb.len()));
}

/// What stands once in the record and in every row would grow without end.
#[test]
fn a_record_whose_rows_repeat_too_much_is_refused_as_a_whole() {
    let declaration = "each = \"$.a[*]\"\n[fields]\nv = { type = \"integer\", path = \"$\" }\n\
        note = { type = \"text\", of = \"record\" }\n";
    let note = "x".repeat(MAX_PLAIN_ROW_BYTES / 2);
    let record = |rows: usize| format!("{{\"note\":\"{note}\",\"a\":[{}]}}", vec!["1"; rows].join(","));
    let most = MAX_PLAIN_BYTES / (MAX_PLAIN_ROW_BYTES / 2 + 100);
    assert_eq!(unpack(declaration, record(most).as_bytes()).rows.len(), most);
    let unpacked = unpack(declaration, record(most * 50).as_bytes());
    assert_eq!((unpacked.rows.len(), unpacked.tally.poison, unpacked.tally.rows), (0, 1, 0));
    assert_eq!(unpacked.refused[0].0, record(most * 50).as_bytes(), "all of it, once");
}

#[test]
fn a_row_that_no_record_holds_is_refused() {
    let declaration = "[fields]\nv = \"text\"\n";
    let record = |length: usize| format!("{{\"v\":\"{}\"}}", "x".repeat(length));
    assert_eq!(unpack(declaration, record(MAX_PLAIN_ROW_BYTES - 200).as_bytes()).rows.len(), 1);
    assert_eq!(unpack(declaration, record(MAX_PLAIN_ROW_BYTES).as_bytes()).refused[0].1.reason, Reason::TooLarge);
}

/// A JSON column stands one object deeper than it did in the record when it is the record.
#[test]
fn what_would_nest_too_deep_is_refused_and_not_put() {
    let declaration = declare("[fields]\nv = { type = \"json\", path = \"$\" }\nw = \"text\"\n");
    for nesting in [MAX_DEPTH - 2, MAX_DEPTH - 1] {
        let record = format!("{{\"a\":{}1{}}}", "[".repeat(nesting), "]".repeat(nesting));
        let unpacked = Unpacker::new(&declaration).unpack(record.as_bytes(), ARRIVAL, "id");
        assert_eq!(rows(&declaration, record.as_bytes()).rows().count(), 1, "the record itself is fine");
        match unpacked.rows.first() {
            Some(row) => assert_eq!(rows(&declaration.plain(), row.line.as_bytes()).rows().count(), 1),
            None => assert_eq!(nesting, MAX_DEPTH - 1),
        }
    }
}

#[test]
fn the_gate_is_asked_for_where_sql_falls_short() {
    let why = |text: &str| declare(&format!("{text}\n[fields]\nv = \"integer\"\n")).why_gate().is_some();
    assert!(why("envelope = \"gzip\"") && why("envelope = [\"kpl\", \"lines\"]") && why("envelope = \"auto\""));
    assert!(why("envelope = \"cloudwatch_logs\"") && why("envelope = \"values\""));
    assert!(why("each = \"$.a[*]\"\ntime = { path = \"t\", format = \"unix\" }"));
    assert!(why("format = \"logfmt\"") && why("time = { path = \"t\", format = \"%Y-%m-%d\" }"));
    assert!(
        why("time = { path = \"$.a[0]\", format = \"unix\" }") && why("time = { path = \"t\", zone = \"+01:00\" }")
    );
    assert!(!why("time = { path = \"a.b\", format = [\"unix\", \"rfc3339\"] }\nignore = \"v > 5\""));
    let at = |ignore: &str| {
        let text = format!("ignore = \"{ignore}\"\n[fields]\nat = \"timestamp\"\nstatus = \"text\"\n");
        declare(&text).why_gate().is_some()
    };
    assert!(at("status = 'x' OR at IS NULL"));
    assert!(!at("status = 'at'"), "part of a name, or of a text, is no time");
    assert!(!why("") && !why("envelope = \"lines\"") && !why("envelope = \"eventbridge\""));
}

#[test]
fn what_the_gate_writes_needs_no_gate() {
    for shape in SHAPES {
        let plain = declare(shape).plain();
        assert_eq!((plain.why_gate(), plain.plain()), (None, plain.clone()), "{shape}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The law of the gate: the stream that it writes has the rows of the stream that it reads, and nothing of it is poison.
    #[test]
    fn both_streams_have_the_same_rows(bytes in near(), shape in 0..SHAPES.len()) {
        let declaration = declare(SHAPES[shape]);
        let unpacked = Unpacker::new(&declaration).unpack(&bytes, ARRIVAL, "id");
        let direct = rows(&declaration, &bytes);
        let wanted: Vec<Row> = direct.rows().map(on_one_line).collect();
        let record = unpacked.rows.iter().map(|row| row.line.as_str()).collect::<Vec<_>>().join("\n");
        let plain = rows(&declaration.plain(), record.as_bytes());
        if !unpacked.rows.is_empty() {
            prop_assert!(plain.decoded.iter().all(|decoded| matches!(decoded, Decoded::Row(_))), "{:?}", plain.decoded);
        }
        let found: Vec<Row> = plain.rows().cloned().collect();
        prop_assert_eq!(found, wanted, "{}", record);
        let refused: Vec<_> = direct.refusals().cloned().collect();
        prop_assert_eq!(unpacked.refused.iter().map(|(_, poison)| poison.clone()).collect::<Vec<_>>(), refused);
        prop_assert_eq!(declaration.plain().columns(), declaration.columns());
    }
}
