use proptest::prelude::*;
use serde_json::json;

use super::*;

fn template(name: &str, text: &str, sample: &[u8]) -> Template {
    let declaration = Declaration::parse(format!("{name}.toml").as_ref(), text)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    Template::new(&declaration, sample).unwrap()
}

const TIME: i64 = 1_767_225_660_000_000_000;

fn made(template: &mut Template, values: &[(&str, Json)]) -> String {
    String::from_utf8(template.record(TIME, values).unwrap()).unwrap()
}

#[test]
fn paths_of_the_sample_are_set_and_all_else_stays() {
    let text = "time = { path = \"$.t.at\", format = \"unix_ms\" }\n[fields]\nname = { type = \"text\", path = '$.a[key=\"n\"].v' }\nx = { type = \"double\", path = \"$.list[1]\" }\nold = \"text\"";
    let mut made_after = template("s", text, br#"{"t":{"at":1767225600000},"a":[{"key":"n","v":"x"}],"old":"stays"}"#);
    let record = made(&mut made_after, &[("name", json!("it's")), ("x", json!(30.0))]);
    assert_eq!(
        serde_json::from_str::<Json>(&record).unwrap(),
        json!({ "t": { "at": 1_767_225_660_000_i64 }, "a": [{ "key": "n", "v": "it's" }], "list": [null, 30], "old": "stays" })
    );
    assert!(made_after.record(TIME, &[("nme", json!(1))]).unwrap_err().contains("did you mean `name`?"));
    let without = made(&mut made_after, &[("old", Json::Null)]);
    assert!(!without.contains("stays"), "{without}");
}

#[test]
fn each_takes_one_row_a_record() {
    let text = "each = \"$.r[*]\"\ntime = { path = \"ts\", format = \"unix\" }\n[fields]\nid = { type = \"text\", of = \"record\" }\nv = \"double\"";
    let mut made_after =
        template("s", text, br#"{"id":"a","r":[{"ts":1767225600.5,"v":"1.5"},{"ts":1767225601,"v":2}]}"#);
    let record = made(&mut made_after, &[("id", json!("b")), ("v", json!(-0.5))]);
    assert_eq!(record, r#"{"id":"b","r":[{"ts":1767225660,"v":"-0.5"}]}"#);
}

#[test]
fn envelopes_are_the_sample_s() {
    let text = "envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"{a} {b}\"\nnull = \"-\"\n[fields]\na = \"text\"\nb = \"integer\"";
    let sample = br#"{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1767225600000,"message":"x 1"},{"id":"2","timestamp":1767225600000,"message":"y 2"}]}"#;
    let mut made_after = template("s", text, &gzip::tests::pack(sample));
    let record = made(&mut made_after, &[("b", Json::Null), ("log_group", json!("other"))]);
    let expected = json!({ "messageType": "DATA_MESSAGE", "logGroup": "other", "logStream": "s",
        "logEvents": [{ "id": "1", "timestamp": 1_767_225_660_000_i64, "message": "x -" }] });
    assert_eq!(serde_json::from_str::<Json>(&record).unwrap(), expected);

    let text = "envelope = \"eventbridge\"\ntime = { path = \"time\", of = \"envelope\" }\n[fields]\nx = \"integer\"";
    let mut made_after = template("s", text, br#"{"time":"2026-01-01T00:00:00Z","detail-type":"T","detail":{"x":1}}"#);
    assert_eq!(
        made(&mut made_after, &[("x", json!(2.0))]),
        r#"{"detail":{"x":2},"detail-type":"T","time":"2026-01-01T00:01:00Z"}"#
    );
}

#[test]
fn texts_columns_and_keys_are_written_as_they_are_read() {
    let text = "format = \"text\"\npattern = \"{host} [{time}] \\\"{request}\\\" {status}\"\ntime = { path = \"time\", format = \"apache\", zone = \"+01:00\" }\n[fields]\nhost = \"text\"\nstatus = \"integer\"";
    let mut made_after = template("s", text, b"h [01/Jan/2026:00:00:00 +0000] \"GET /\" 200\n");
    assert_eq!(made(&mut made_after, &[("status", json!(500))]), "h [01/Jan/2026:01:01:00 +0100] \"GET /\" 500");

    let text = "format = \"csv\"\ncolumns = [\"at\", \"\", \"v\"]\ntime = { path = \"at\", format = \"%d.%m.%Y %H:%M:%S\", zone = \"Europe/Berlin\" }\n[fields]\nsecond = { type = \"text\", path = 2 }\nv = \"double\"";
    let mut made_after = template("s", text, b"01.01.2026 00:00:00,b,1");
    assert_eq!(
        made(&mut made_after, &[("second", json!("a,\"b\"")), ("v", json!(1.5))]),
        "01.01.2026 01:01:00,\"a,\"\"b\"\"\",1.5"
    );

    let text = "format = \"logfmt\"\ntime = \"at\"\n[fields]\nmsg = \"text\"\nn = \"integer\"";
    let mut made_after = template("s", text, b"at=2026-01-01T00:00:00Z msg=\"a b\"");
    assert_eq!(
        made(&mut made_after, &[("msg", json!("c \"d\"")), ("n", json!(3.0))]),
        "at=2026-01-01T00:01:00Z msg=\"c \\\"d\\\"\" n=3"
    );
}

#[test]
fn what_the_format_cannot_say_is_an_error() {
    let text = "format = \"text\"\npattern = \"{a} {b}\"\n[fields]\na = \"text\"\nb = \"text\"";
    let fault = template("s", text, b"x y").record(TIME, &[("a", json!("two words"))]).unwrap_err();
    assert!(fault.starts_with("`a` cannot be \"two words\" here"), "{fault}");
    let text = "time = { path = \"at\", format = \"%Y-%m-%d %H:%M\" }\n[fields]\na = \"text\"";
    let mut made_after = template("s", text, br#"{"at":"2026-01-01 00:00"}"#);
    assert!(made_after.record(TIME + 1_000_000_000, &[]).unwrap_err().contains("cannot say this moment"));
    made_after.record(TIME, &[]).unwrap();
}

proptest! {
    #[test]
    fn every_form_of_time_is_read_back(
        second in 200_000_000_i64..7_000_000_000,
        form in prop::sample::select(vec!["rfc3339", "iso8601", "unix", "unix_ms", "unix_us", "unix_ns", "apache", "rfc2822",
            "%Y-%m-%d %H:%M:%S", "%s", "%Y %j %H%M%S", "%d %B %Y %I:%M:%S %p", "%a %b %e %T %Y"]),
        text in any::<bool>(),
    ) {
        let declaration = format!("time = {{ path = \"at\", format = \"{form}\" }}\n[fields]\nx = \"double\"");
        let reader = TimeReaderOf(&declaration).first(second * 1_000_000_000, text);
        prop_assert_eq!(reader, Ok(Some(second * 1_000_000_000)));
    }
}

struct TimeReaderOf<'a>(&'a str);

impl TimeReaderOf<'_> {
    fn first(&self, nanos: i64, text: bool) -> Result<Option<i64>, String> {
        let declaration = Declaration::parse("s.toml".as_ref(), self.0).unwrap();
        let own = declaration.time.as_ref().unwrap();
        let at = time::number_or_text(&own.reader, 1_767_225_600_000_000_000, !text)?;
        let mut made_after = Template::new(&declaration, json!({ "at": at }).to_string().as_bytes())?;
        let bytes = made_after.record(nanos, &[])?;
        let mut rows = Rows::default();
        Decoder::new(&declaration).decode(Record::new(&bytes), &mut rows);
        Ok(rows.rows().next().and_then(|row| row.time))
    }
}
