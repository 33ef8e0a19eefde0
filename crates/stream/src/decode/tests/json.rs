use super::*;

const CLIMATE: &str = r#"
key = "device"
time = { path = "last_seen", format = "rfc3339" }
metrics = ["temperature"]
[fields]
device = { type = "text", required = true }
temperature = "double"
battery = "integer"
ok = "boolean"
tags = "json"
"#;

fn climate(rest: &str) -> String {
    one(CLIMATE, format!(r#"{{"device":"cellar","last_seen":"2026-01-01T00:01:00Z",{rest}}}"#))
}

#[test]
fn a_wide_event_becomes_one_typed_row() {
    assert_eq!(
        climate(r#""battery":100,"temperature":12.1,"ok":true,"tags":{"a": [1]},"linkquality":86"#),
        r#"{"event_time":"2026-01-01T00:01:00Z","device":"cellar","temperature":12.1,"battery":100,"ok":true,"tags":{"a": [1]}}"#
    );
    assert_eq!(
        climate(r#""temperature":null"#),
        r#"{"event_time":"2026-01-01T00:01:00Z","device":"cellar","temperature":null,"battery":null,"ok":null,"tags":null}"#
    );
}

#[test]
fn values_of_each_type() {
    for (json, shown) in [
        (r#""temperature":"12.5""#, "12.5"),
        (r#""temperature":-0.0"#, "0.0"),
        (r#""temperature":96.03917960195423"#, "96.03917960195423"),
        (r#""temperature":1e-400"#, "0.0"),
        (r#""temperature":"\u0031\u0032""#, "12.0"),
    ] {
        assert!(climate(json).contains(&format!(r#""temperature":{shown},"#)), "{json}: {}", climate(json));
    }
    for (json, reason) in [
        (r#""temperature":"n/a""#, "bad_field:temperature"),
        (r#""temperature":"NaN""#, "bad_field:temperature"),
        (r#""temperature":" 12""#, "bad_field:temperature"),
        (r#""temperature":true"#, "bad_field:temperature"),
        (r#""temperature":[1]"#, "bad_field:temperature"),
        (r#""temperature":"1e400""#, "bad_field:temperature"),
        (r#""temperature":1e400"#, "not_json"),
        (r#""battery":1.5"#, "bad_field:battery"),
        (r#""battery":9223372036854775808"#, "bad_field:battery"),
        (r#""ok":"yes""#, "bad_field:ok"),
        (r#""ok":2"#, "bad_field:ok"),
    ] {
        assert_eq!(climate(json), reason, "{json}");
    }
    assert!(climate(r#""battery":5.0,"ok":"False""#).contains(r#""battery":5,"ok":false"#));
    let text = one("[fields]\na = \"text\"\nb = \"text\"\n", r#"{"a":1.50e3,"b":true}"#);
    assert_eq!(text, r#"{"event_time":"2026-01-01T00:00:00Z","a":"1.50e3","b":"true"}"#, "text keeps what was written");
    assert_eq!(one("[fields]\na = \"text\"", r#"{"a":{}}"#), "bad_field:a");
}

#[test]
fn reasons_come_in_a_fixed_order_whatever_the_order_of_fields() {
    for record in
        [r#"{"temperature":"x","battery":"y","last_seen":1}"#, r#"{"last_seen":1,"battery":"y","temperature":"x"}"#]
    {
        assert_eq!(one(CLIMATE, record), "bad_time:last_seen");
    }
    let time = r#""last_seen":"2026-01-01T00:01:00Z""#;
    assert_eq!(one(CLIMATE, format!(r#"{{"temperature":"x",{time}}}"#)), "missing:device");
    assert_eq!(one(CLIMATE, format!(r#"{{"temperature":"x",{time},"device":null}}"#)), "missing:device");
    assert_eq!(
        one(CLIMATE, format!(r#"{{"battery":"y","temperature":"x",{time},"device":"a"}}"#)),
        "bad_field:temperature"
    );
}

#[test]
fn a_record_is_one_value_or_poison() {
    for (record, reason) in [
        ("", "not_json"),
        ("{", "not_json"),
        ("{}x", "not_json"),
        ("{}\0", "not_json"),
        ("\u{feff}{}", "not_json"),
        ("{}{}", "several_values"),
        ("{}\n{}\n", "several_values"),
        ("[]", "not_an_object"),
        ("1", "not_an_object"),
        ("null", "not_an_object"),
        ("{\"a\":\"\\ud800\"}", "not_json"),
    ] {
        assert_eq!(one("[fields]\nx = \"double\"", record), reason, "{record:?}");
    }
    assert_eq!(one("[fields]\nx = \"double\"", b"{\"a\":\"\xff\"}"), "not_utf8");
    assert_eq!(one("[fields]\nx = \"double\"", b" \t\r\n{ } \n"), r#"{"event_time":"2026-01-01T00:00:00Z","x":null}"#);
}

#[test]
fn a_member_that_comes_twice_must_be_the_same() {
    let declaration = "[fields]\nx = \"double\"\ny = { type = \"double\", path = \"d.y\" }";
    assert_eq!(one(declaration, r#"{"x":1,"x":2}"#), "duplicate_key:x");
    assert_eq!(one(declaration, r#"{"x":1,"\u0078":2}"#), "duplicate_key:x");
    assert_eq!(one(declaration, r#"{"d":{"y":1},"d":{"y":2}}"#), "duplicate_key:d");
    assert_eq!(one(declaration, r#"{"d":{"y":1,"y":2}}"#), "duplicate_key:d.y");
    assert_eq!(one(declaration, r#"{"d":{"y":1,"y":2},"x":1,"x":2}"#), "duplicate_key:x", "in the order of the file");
    assert_eq!(one(declaration, r#"{"x":1,"x":1,"x":1}"#), "duplicate_key:x", "three are too many");
    assert!(one(declaration, r#"{"x":1e2,"x":100.0}"#).contains("\"x\":100.0"));
    assert!(
        one(declaration, r#"{"x":1,"x":1,"d":{"y":2},"z":1,"z":2}"#).ends_with(r#""x":1.0,"y":2.0}"#),
        "nobody reads z"
    );
}

#[test]
fn nested_paths_with_quotes_elements_and_conditions() {
    let declaration = r#"
[fields]
ip = { type = "text", path = '$.detail.requestParameters["x-y"]' }
v = { type = "double", path = "$.readings[1].v" }
host = { type = "text", path = 'attributes[key="host.name"].value.stringValue' }
whole = { type = "json", path = "$.readings" }
"#;
    let record = r#"{"attributes":[{"value":{"stringValue":"no"},"key":"x"},7,{"value":{"stringValue":"h\u00e9"},"key":"host.name"},
        {"key":"host.name","value":{"stringValue":"second"}}],"readings":[{"v":1},{"v":2}],"detail":{"requestParameters":{"x-y":"a"}}}"#;
    assert_eq!(
        one(declaration, record),
        r#"{"event_time":"2026-01-01T00:00:00Z","ip":"a","v":2.0,"host":"hé","whole":[{"v":1},{"v":2}]}"#
    );
    assert!(
        one(declaration, r#"{"detail":"text","readings":{"v":1},"attributes":[]}"#)
            .contains(r#""ip":null,"v":null,"host":null"#)
    );
}

#[test]
fn each_element_is_a_row_with_fields_of_the_record_before_and_behind_it() {
    let declaration = r#"
each = "$.readings[*]"
time = { path = "ts", format = "unix_ms" }
[fields]
watts = { type = "double", required = true }
device = { type = "text", of = "record" }
place = { type = "text", path = "$.at.place", of = "record" }
"#;
    let record = r#"{"device":"m1","readings":[{"ts":1767225600000,"watts":1},{"watts":2,"ts":1767225660000}],"at":{"place":"roof"}}"#;
    assert_eq!(
        rows(declaration, record),
        [
            r#"{"event_time":"2026-01-01T00:00:00Z","watts":1.0,"device":"m1","place":"roof"}"#,
            r#"{"event_time":"2026-01-01T00:01:00Z","watts":2.0,"device":"m1","place":"roof"}"#,
        ]
    );
    let second_is_bad = r#"{"readings":[{"ts":1767225600000,"watts":1},{"ts":1767225600000}]}"#;
    assert_eq!(rows(declaration, second_is_bad), ["missing:watts"], "never in part");
    assert_eq!(rows(declaration, r#"{"readings":[]}"#), Vec::<String>::new());
    assert_eq!(rows(declaration, r#"{"device":"m1"}"#), ["missing:readings[*]"]);
    assert_eq!(rows(declaration, r#"{"readings":{"ts":1}}"#), ["bad_field:readings[*]"]);
    let list = "each = \"$[*]\"\n[fields]\nv = \"integer\"";
    assert_eq!(rows(list, r#"[{"v":1},{"v":2}]"#).len(), 2);
    assert_eq!(rows(list, r#"{"v":1}"#), ["bad_field:$[*]"]);
}

#[test]
fn lists_in_lists_keep_what_belongs_to_each() {
    let declaration = r#"
each = "$.r[*].s[*].p[*]"
[fields]
v = { type = "integer", path = "$" }
r = { type = "text", path = "$.r[*].name", of = "record" }
s = { type = "text", path = "$.r[*].s[*].name", of = "record" }
"#;
    let record = r#"{"r":[{"s":[{"p":[1,2],"name":"s1"},{"name":"s2","p":[3]}],"name":"r1"},{"name":"r2","s":[{"p":[4]},{"name":"s4"}]}]}"#;
    let short: Vec<String> = rows(declaration, record)
        .iter()
        .map(|row| row.replace(r#""event_time":"2026-01-01T00:00:00Z","#, ""))
        .collect();
    assert_eq!(
        short,
        [
            r#"{"v":1,"r":"r1","s":"s1"}"#,
            r#"{"v":2,"r":"r1","s":"s1"}"#,
            r#"{"v":3,"r":"r1","s":"s2"}"#,
            r#"{"v":4,"r":"r2","s":null}"#,
        ]
    );
}

#[test]
fn a_record_of_too_many_rows_is_refused() {
    let declaration = "each = \"$[*]\"\n[fields]\nv = { type = \"integer\", path = \"$\" }";
    let list = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    assert_eq!(rows(declaration, list(crate::limits::MAX_ROWS)).len(), crate::limits::MAX_ROWS);
    assert_eq!(rows(declaration, list(crate::limits::MAX_ROWS + 1)), ["too_large"]);
}

#[test]
fn ignored_rows_are_no_poison_and_are_counted() {
    let declaration = declare(
        "ignore = \"kind = 'control' OR kind IS NULL\"\ntime = \"at\"\n[fields]\nkind = \"text\"\nv = { type = \"double\", required = true }",
    );
    let (shown, tally) = decode(&declaration, br#"{"kind":"control","at":"nonsense"}"#);
    assert!(shown.is_empty());
    assert_eq!(tally, Tally { accepted: 1, ignored: 1, left_out: 1, ..Tally::default() });
    assert_eq!(decode(&declaration, br#"{"kind":"data","at":"nonsense"}"#).0, ["bad_time:at"]);
}

#[test]
fn times_in_the_wrong_unit_say_what_they_look_like() {
    let declaration = "time = { path = \"t\", format = \"unix_ms\" }\n[fields]\nt = \"integer\"";
    assert_eq!(one(declaration, r#"{"t":1767225600}"#), "bad_time:t");
    assert_eq!(
        detail(declaration, br#"{"t":1767225600}"#),
        "`t` is `1767225600`, which cannot be milliseconds since 1970, it looks like seconds; hint: format = \"unix\""
    );
    assert_eq!(detail(declaration, b"{}"), "there is no time `t`");
    for text in ["1960-01-01", "2200-01-01", "9999-12-31", "0001-01-01"] {
        assert_eq!(one("time = \"t\"\n[fields]\nt = \"text\"", format!(r#"{{"t":"{text}"}}"#)), "bad_time:t");
    }
}

#[test]
fn null_texts_and_defaults() {
    let declaration = "null = [\"-\", \"N/A\"]\n[fields]\na = \"double\"\nb = { type = \"text\", default = \"none\" }";
    assert_eq!(
        one(declaration, r#"{"a":"-","b":"N\/A"}"#),
        r#"{"event_time":"2026-01-01T00:00:00Z","a":null,"b":"none"}"#
    );
}

#[test]
fn streams_that_change_their_order_and_names_are_read_alike() {
    let declaration = declare("[fields]\na = \"integer\"\nb = \"integer\"");
    let mut decoder = Decoder::new(&declaration);
    for index in 0..10_000_i64 {
        let noise: String = (0..index % 7).map(|n| format!("\"n{}\":{n},", index * 7 + n)).collect();
        let record = if index % 2 == 0 {
            format!("{{{noise}\"a\":{index},\"b\":2}}")
        } else {
            format!("{{\"b\":2,{noise}\"a\":{index}}}")
        };
        let mut rows = Rows::default();
        decoder.decode(Record::new(record.as_bytes()), &mut rows);
        let row = rows.rows().next().unwrap();
        assert_eq!(row.values, [crate::Value::Integer(index), crate::Value::Integer(2)]);
    }
}
