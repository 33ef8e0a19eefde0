use super::*;

#[test]
fn named_patterns_read_what_servers_write() {
    let declaration = r#"
format = "text"
pattern = "apache_combined"
null = "-"
time = { path = "time", format = "apache" }
[fields]
host = "text"
request = "text"
status = "integer"
bytes = "integer"
agent = "text"
"#;
    let line = r#"203.0.113.9 - frank [01/Jan/2026:01:00:00 +0100] "GET /\"a\" HTTP/1.1" 200 - "http://a/" "Mozilla/4.08 [en]""#;
    assert_eq!(
        one(declaration, format!("{line}\n")),
        r#"{"event_time":"2026-01-01T00:00:00Z","host":"203.0.113.9","request":"GET /\\\"a\\\" HTTP/1.1","status":200,"bytes":null,"agent":"Mozilla/4.08 [en]"}"#
    );
    assert_eq!(one(declaration, line.replace("01/Jan", "99/Jan")), "bad_time:time");
    assert_eq!(one(declaration, line.replace(" 200 ", " 2x0 ")), "bad_field:status");
    assert_eq!(one(declaration, "nonsense"), "bad_format");
    assert_eq!(one(declaration, b"\xff"), "not_utf8");
}

#[test]
fn flow_logs_are_blanks_and_dashes() {
    let declaration = r#"
format = "text"
pattern = "vpc_flow_logs"
null = "-"
time = { path = "start", format = "unix" }
[fields]
srcaddr = { type = "text", required = true }
bytes = "integer"
action = "text"
"#;
    let line = "2 123456789010 eni-1 10.0.1.10 10.0.0.5 49152 22 6 10 5000 1767225600 1767225660 ACCEPT OK";
    assert!(one(declaration, line).ends_with(r#""srcaddr":"10.0.1.10","bytes":5000,"action":"ACCEPT"}"#));
    assert_eq!(
        one(declaration, "2 123456789010 eni-1 - - - - - - - 1767225600 1767225660 - NODATA"),
        "missing:srcaddr"
    );
}

#[test]
fn csv_columns_by_name_and_by_number() {
    let declaration = r#"
format = "csv"
columns = ["at", "device", "note"]
time = { path = "at", format = "%d.%m.%Y %H:%M:%S", zone = "Europe/Berlin" }
[fields]
device = "text"
note = "text"
third = { type = "text", path = 3 }
"#;
    assert_eq!(
        one(declaration, "01.01.2026 01:00:00,d1,\"a, \"\"b\"\"\"\n"),
        r#"{"event_time":"2026-01-01T00:00:00Z","device":"d1","note":"a, \"b\"","third":"a, \"b\""}"#
    );
    assert_eq!(one(declaration, "01.01.2026 01:00:00,d1,21,5"), "bad_format", "one too many is a decimal comma");
    assert_eq!(one(declaration, "01.01.2026 01:00:00,d1"), "bad_format");
    assert_eq!(
        one(declaration, "\u{feff}01.01.2026 01:00:00,,x"),
        r#"{"event_time":"2026-01-01T00:00:00Z","device":null,"note":"x","third":"x"}"#
    );
}

#[test]
fn tsv_without_quoting_and_numbers_with_blanks() {
    let declaration = "format = \"tsv\"\nquote = \"\"\ncolumns = 3\n[fields]\na = { type = \"text\", path = 1 }\nn = { type = \"double\", path = 2 }\nj = { type = \"json\", path = 3 }";
    assert_eq!(
        one(declaration, "\"x\t 1.5 \t{\"k\":[1]}"),
        r#"{"event_time":"2026-01-01T00:00:00Z","a":"\"x","n":1.5,"j":{"k":[1]}}"#
    );
    assert_eq!(one(declaration, "x\t1\t{"), "bad_field:j");
}

#[test]
fn several_csv_records_with_line_breaks_in_quotes() {
    let declaration =
        "envelope = \"lines\"\nformat = \"csv\"\ncolumns = [\"a\", \"b\"]\n[fields]\na = \"text\"\nb = \"integer\"";
    assert_eq!(
        rows(declaration, "\"x\ny\",1\r\nz,2\n"),
        [
            r#"{"event_time":"2026-01-01T00:00:00Z","a":"x\ny","b":1}"#,
            r#"{"event_time":"2026-01-01T00:00:00Z","a":"z","b":2}"#
        ]
    );
}

#[test]
fn logfmt_keys() {
    let declaration = "format = \"logfmt\"\ntime = { path = \"ts\", format = \"unix\" }\n[fields]\nlevel = \"text\"\nms = { type = \"double\", path = \"took_ms\" }\nok = \"boolean\"";
    assert_eq!(
        one(declaration, "ts=1767225600.5 level=\"very \\\"bad\\\"\" took_ms=1.5 ok other=x"),
        r#"{"event_time":"2026-01-01T00:00:00.500Z","level":"very \"bad\"","ms":1.5,"ok":true}"#
    );
    assert_eq!(one(declaration, "ts=1767225600 level=a level=b"), "duplicate_key:level");
    assert!(one(declaration, "ts=1767225600 level=a level=a").contains("\"level\":\"a\""));
    assert_eq!(one(declaration, "ts=1767225600 level=\"a"), "bad_format");
}

#[test]
fn the_json_null_of_a_text_is_null() {
    let declaration =
        "format = \"text\"\npattern = \"{a} {b}\"\n[fields]\na = \"json\"\nb = { type = \"json\", required = true }\n";
    assert_eq!(one(declaration, "null 1"), r#"{"event_time":"2026-01-01T00:00:00Z","a":null,"b":1}"#);
    assert_eq!(one(declaration, "1 null"), "missing:b");
}
