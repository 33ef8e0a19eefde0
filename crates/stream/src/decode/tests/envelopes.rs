use super::*;
use crate::envelope::gzip::tests::pack;

const V: &str = "[fields]\nv = \"integer\"\n";

fn shown(v: i64) -> String {
    format!(r#"{{"event_time":"2026-01-01T00:00:00Z","v":{v}}}"#)
}

#[test]
fn lines_are_records_of_their_own() {
    let declaration = format!("envelope = \"lines\"\n{V}");
    assert_eq!(
        rows(&declaration, "{\"v\":1}\n\n{\"v\":2}\r\n{\"v\":\"x\"}\n{\"v\":3}{\"v\":4}\n"),
        [shown(1), shown(2), "bad_field:v".to_owned(), "several_values".to_owned()]
    );
    assert_eq!(decode(&declare(&declaration), b" \n").1, Tally { accepted: 1, ..Tally::default() });
    assert_eq!(rows(&declaration, "{}\n".repeat(crate::limits::MAX_ROWS + 1)), ["too_large"]);
}

#[test]
fn values_are_glued_or_not() {
    let declaration = format!("envelope = \"values\"\n{V}");
    assert_eq!(rows(&declaration, "{\"v\":1}{\"v\":2}\n {\"v\":3}"), [shown(1), shown(2), shown(3)]);
    assert_eq!(
        rows(&declaration, "{\"v\":1}{\"v\":2} oops"),
        ["not_json"],
        "behind the fault nothing can be told apart"
    );
    assert_eq!(rows(&declaration, "{\"v\":1}[]"), [shown(1), "not_an_object".to_owned()]);
}

#[test]
fn gzip_is_unpacked_and_refused_as_it_came() {
    let declaration = format!("envelope = [\"gzip\", \"lines\"]\n{V}");
    assert_eq!(rows(&declaration, pack(b"{\"v\":1}\n{\"v\":2}\n")), [shown(1), shown(2)]);
    assert_eq!(rows(&declaration, "{\"v\":1}"), [shown(1)], "what is not packed is taken as it is");
    let packed = pack(b"{\"v\":1}");
    assert_eq!(rows(&declaration, &packed[..packed.len() - 1]), ["bad_envelope"]);
    assert_eq!(rows(&declaration, pack(&vec![b' '; 200_000_000])), ["too_large"]);
    let bad = pack(b"nonsense");
    let mut refused = Rows::default();
    Decoder::new(&declare(&format!("envelope = \"gzip\"\n{V}"))).decode(Record::new(&bad), &mut refused);
    assert!(matches!(&refused.decoded[0], Decoded::Refused(bytes, _) if *bytes == bad), "byte for byte");
}

#[test]
fn a_text_of_the_record_stands_in_its_rows_up_to_a_limit() {
    const EACH: &str = "each = \"$.rows[*]\"\n[fields]\nv = \"integer\"\nbig = { type = \"text\", of = \"record\" }\n";
    let most = crate::limits::MAX_TEXT_BYTES;
    let record = |bytes: usize, rows: usize| {
        format!("{{\"big\":\"{}\",\"rows\":[{}]}}", "x".repeat(bytes), vec!["{\"v\":1}"; rows].join(","))
    };
    let of = |declaration: &str, bytes: &[u8]| {
        let (rows, tally) = decode(&declare(declaration), bytes);
        (rows.first().cloned().filter(|row| row == "too_large"), tally.rows, tally.poison)
    };
    assert_eq!(of(EACH, record(most / 64, 64).as_bytes()), (None, 64, 0), "as much as there may be");
    let refused = (Some("too_large".to_owned()), 0, 1);
    assert_eq!(of(EACH, record(most / 64 + 1, 64).as_bytes()), refused);
    // Packed it is a hundredth.
    let packed = pack(record(30_000_000, 80).as_bytes());
    assert!(packed.len() < 300_000);
    assert_eq!(of(&format!("envelope = \"gzip\"\n{EACH}"), &packed), refused);
    // What `ignore` leaves out holds nothing.
    assert_eq!(of(&format!("ignore = \"v = 1\"\n{EACH}"), record(most / 64, 90).as_bytes()), (None, 0, 0));
    // JSON and defaults count as texts do.
    let json = EACH.replace("\"text\"", "\"json\"");
    assert_eq!(of(&json, record(most / 64 + 1, 64).as_bytes()), refused);
    let default = format!("{EACH}d = {{ type = \"text\", default = \"{}\" }}\n", "y".repeat(most / 64));
    assert_eq!(of(&default, record(1, 64).as_bytes()), refused);
    // Records inside one share what there may be, and one that is refused takes nothing of it.
    let lines = [record(most / 64, 60), record(most / 64, 5), record(most / 64, 3), record(most / 64, 2)].join("\n");
    let (rows, tally) = decode(&declare(&format!("envelope = \"lines\"\n{EACH}")), lines.as_bytes());
    assert_eq!((tally.accepted, tally.rows, tally.poison), (2, 63, 2));
    assert_eq!(rows.iter().filter(|row| *row == "too_large").count(), 2);
}

#[test]
fn the_head_of_a_log_message_goes_with_each_event_up_to_a_limit() {
    let declaration =
        "envelope = \"cloudwatch_logs\"\nformat = \"logfmt\"\n[fields]\na = { type = \"integer\", required = true }\n";
    let message = |head: usize, events: usize, text: &str| {
        let event = serde_json::json!({ "id": "1", "timestamp": 1_767_225_600_000_i64, "message": text });
        let message = serde_json::json!({ "messageType": "DATA_MESSAGE", "logGroup": "g".repeat(head), "logEvents": vec![event; events] });
        pack(message.to_string().as_bytes())
    };
    let tally = |bytes: &[u8]| {
        let tally = decode(&declare(declaration), bytes).1;
        (tally.accepted, tally.poison)
    };
    assert_eq!(tally(&message(100, 10_000, "a=1")), (10_000, 0), "a whole batch of CloudWatch Logs");
    assert_eq!(tally(&message(10_000_000, 1_000, "a=1")), (0, 1));
    assert_eq!(tally(&message(10_000_000, 1_000, "nonsense")), (0, 1), "refusals carry it too");
}

#[test]
fn auto_goes_by_magic_bytes() {
    let declaration = format!("envelope = \"auto\"\n{V}");
    for bytes in [b"{\"v\":1}{\"v\":2}".to_vec(), pack(b"{\"v\":1}\n{\"v\":2}"), pack(&pack(b"{\"v\":1}{\"v\":2}"))] {
        assert_eq!(rows(&declaration, bytes), [shown(1), shown(2)]);
    }
    let deep = (0..5).fold(b"{\"v\":1}".to_vec(), |bytes, _| pack(&bytes));
    assert_eq!(rows(&declaration, deep), ["not_utf8"], "envelopes nest four deep at most");
}

#[test]
fn a_plain_record_on_a_kpl_stream_is_a_record() {
    let declaration = format!("envelope = \"kpl\"\n{V}");
    assert_eq!(rows(&declaration, "{\"v\":1}"), [shown(1)]);
    assert_eq!(rows(&declaration, b"\xF3\x89\x9A\xC2nonsense"), ["not_utf8"]);
}

const LOGS: &str = r#"
envelope = "cloudwatch_logs"
format = "text"
pattern = "{level} {message}"
[fields]
level = { type = "text", required = true }
message = "text"
owner = { type = "text", of = "envelope" }
"#;

fn message(kind: &str, events: &str) -> Vec<u8> {
    let text = format!(
        r#"{{"messageType":"{kind}","owner":"1","logGroup":"/g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{events}]}}"#
    );
    pack(text.as_bytes())
}

#[test]
fn log_events_have_their_own_time_and_verdict() {
    let events = r#"{"id":"a","timestamp":1767225660000,"message":"INFO all \"well\""},{"id":"b","timestamp":1767225661000,"message":"odd"}"#;
    let record = message("DATA_MESSAGE", events);
    let row = r#"{"event_time":"2026-01-01T00:01:00Z","level":"INFO","message":"all \"well\"","owner":"1","log_group":"/g","log_stream":"s"}"#;
    assert_eq!(rows(LOGS, &record), [row, "bad_format"]);
    let declaration = declare(LOGS);
    let mut refused = Rows::default();
    Decoder::new(&declaration).decode(Record::new(&record), &mut refused);
    let Decoded::Refused(bytes, poison) = &refused.decoded[1] else { panic!("{refused:?}") };
    assert_eq!(decode(&declaration, bytes).0, [poison.reason.to_string()], "sent again, it gets the same verdict");
}

#[test]
fn control_messages_are_neither_events_nor_poison() {
    let (shown, tally) = decode(
        &declare(LOGS),
        &message("CONTROL_MESSAGE", r#"{"id":"","timestamp":1767225660000,"message":"CWL CONTROL MESSAGE"}"#),
    );
    assert!(shown.is_empty());
    assert_eq!(tally, Tally { accepted: 1, ignored: 1, left_out: 1, ..Tally::default() });
}

#[test]
fn what_is_no_cloudwatch_message_is_a_bad_envelope() {
    for bytes in [
        pack(b"{}"),
        pack(b"nonsense"),
        b"INFO x".to_vec(),
        message("OTHER", ""),
        message("DATA_MESSAGE", "{}"),
        message("DATA_MESSAGE", "1"),
        message("DATA_MESSAGE", r#"{"timestamp":"x","message":"INFO x"}"#),
    ] {
        assert_eq!(rows(LOGS, bytes), ["bad_envelope"]);
    }
    assert_eq!(rows(LOGS, message("DATA_MESSAGE", r#"{"timestamp":5,"message":"INFO x"}"#)), ["bad_time:log_time"]);
}

#[test]
fn eventbridge_paths_begin_at_detail() {
    let declaration = r#"
envelope = "eventbridge"
time = { path = "time", of = "envelope" }
[fields]
user = { type = "text", path = "$.userIdentity.userName" }
kind = { type = "text", path = "detail-type", of = "envelope" }
"#;
    let event = r#"{"version":"0","id":"x","detail-type":"Sign In","source":"aws.signin","time":"2026-01-01T00:02:00Z","detail":{"userIdentity":{"userName":"ann"}}}"#;
    assert_eq!(one(declaration, event), r#"{"event_time":"2026-01-01T00:02:00Z","user":"ann","kind":"Sign In"}"#);
    for event in ["{}", r#"{"detail":{}}"#, r#"{"detail-type":"x","detail":"y"}"#, r#"{"detail-type":1.5,"detail":[]}"#]
    {
        assert_eq!(one(declaration, event), "bad_envelope", "{event}");
    }
}

#[test]
fn control_records_are_known_where_weir_may_write() {
    for declaration in [
        format!("heartbeat = true\n{V}"),
        "heartbeat = true\nformat = \"csv\"\ncolumns = [\"v\"]\n[fields]\nv = \"text\"".to_owned(),
    ] {
        assert_eq!(rows(&declaration, r#"{"weir":"heartbeat","timestamp":"2026-01-01T00:00:00Z"}"#), ["Heartbeat"]);
        assert_eq!(rows(&declaration, r#"{"weir":"probe","probe_id":"p","sent_at":"s"}"#), ["Probe"]);
        assert_ne!(rows(&declaration, r#"{"weir":"north"}"#), ["Heartbeat"]);
    }
    assert_eq!(rows(V, r#"{"weir":"heartbeat"}"#).len(), 1, "on other streams it is a record like any other");
    assert_ne!(rows(V, r#"{"weir":"heartbeat"}"#), ["Heartbeat"]);
}

/// An aggregate as the KPL makes it: magic, protobuf, MD5.
fn aggregate(records: &[&[u8]]) -> Vec<u8> {
    use md5::Digest as _;
    let low = |number: usize| u8::try_from(number & 0x7F).unwrap();
    // Lengths below 16,384, in two bytes.
    let length = |bytes: &[u8]| [low(bytes.len()) | 0x80, low(bytes.len() >> 7)];
    let field = |tag: u8, bytes: &[u8]| [&[tag], length(bytes).as_slice(), bytes].concat();
    let mut message = field(0x0A, b"key");
    for record in records {
        message.extend(field(0x1A, &[[0x08, 0x00].as_slice(), &field(0x1A, record)].concat()));
    }
    let digest = md5::Md5::digest(&message);
    [b"\xF3\x89\x9A\xC2", message.as_slice(), digest.as_slice()].concat()
}

#[test]
fn records_of_an_aggregate_are_records_of_their_own() {
    for envelope in ["\"kpl\"", "\"auto\"", "[\"kpl\", \"gzip\"]"] {
        let declaration = format!("envelope = {envelope}\n{V}");
        let packed = pack(b"{\"v\":3}");
        let second = if envelope == "\"kpl\"" { b"{\"v\":3}".as_slice() } else { packed.as_slice() };
        assert_eq!(
            rows(&declaration, aggregate(&[b"{\"v\":1}", b"{\"v\":\"x\"}", second])),
            [shown(1), "bad_field:v".to_owned(), shown(3)]
        );
    }
}

#[test]
fn many_packed_records_together_stay_within_the_limit_of_one() {
    let declaration = declare(&format!("envelope = \"auto\"\n{V}"));
    let bomb = pack(&pack(&vec![b' '; crate::limits::MAX_UNPACKED_BYTES / 3]));
    assert!(bomb.len() < 16_384, "{}", bomb.len());
    let tally = decode(&declaration, &aggregate(&[&bomb, &bomb, &bomb, &bomb, b"{\"v\":1}"])).1;
    assert_eq!((tally.poison, tally.rows), (2, 1));
}
