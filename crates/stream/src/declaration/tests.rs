use super::*;

fn faults(text: &str) -> Vec<String> {
    match Declaration::parse("sql/streams/climate.toml".as_ref(), text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|fault| fault.to_string().replace("sql/streams/climate.toml:", "")).collect(),
    }
}

fn fault(text: &str) -> String {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.into_iter().next().unwrap()
}

/// The first example of the design, whole.
const CLIMATE: &str = r#"# sql/streams/climate.toml
stream    = "iot-climate"
key       = "device"
time      = { path = "last_seen", format = "rfc3339" }
metrics   = ["temperature", "humidity"]
heartbeat = false

[fields]
device      = { type = "text", required = true }
temperature = "double"
humidity    = "double"
battery     = "integer"

[[sample]]
record = '{"device":"cellar","last_seen":"2026-01-01T00:01:00.000Z","temperature":12.1,"humidity":49.6,"battery":100,"linkquality":86}'
row    = { device = "cellar", temperature = 12.1, battery = 100, event_time = 2026-01-01T00:01:00Z }

[[sample]]
record = '{"device":"cellar","last_seen":1767225660}'
poison = "bad_time:last_seen"
"#;

#[test]
fn the_designs_example_is_read_and_its_samples_hold() {
    let declaration = Declaration::parse("sql/streams/climate.toml".as_ref(), CLIMATE).unwrap();
    assert_eq!(declaration.name, "climate");
    let names: Vec<_> = declaration.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["device", "temperature", "humidity", "battery"], "columns are in the order of the file");
    let none = |_: &str| Err(std::io::Error::other("no files here"));
    assert_eq!(declaration.check_samples("climate.toml".as_ref(), CLIMATE, none), []);
}

#[test]
fn samples_that_do_not_hold_are_placed_faults() {
    let check = |from: &str, to: &str| {
        let text = CLIMATE.replace(from, to);
        let declaration = Declaration::parse("climate.toml".as_ref(), &text).unwrap();
        let faults = declaration.check_samples("climate.toml".as_ref(), &text, |_| Err(std::io::Error::other("gone")));
        faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        check("temperature = 12.1,", "temperature = 12.2,"),
        "climate.toml:14:1: `temperature` is 12.1, not 12.2"
    );
    assert_eq!(
        check("\"device\":\"cellar\",\"last_seen\":\"2026", "\"x\":\"cellar\",\"last_seen\":\"2026"),
        "climate.toml:14:1: the record is refused: missing:device: there is no field `device`"
    );
    assert!(
        check("poison = \"bad_time:last_seen\"", "poison = \"not_json\"")
            .starts_with("climate.toml:18:1: the record is refused as bad_time:last_seen: ")
    );
    assert_eq!(
        check("record = '{\"device\":\"cellar\",\"last_seen\":1767225660}'", "file = \"x.json\""),
        "climate.toml:18:1: `x.json` cannot be read: gone"
    );
}

#[test]
fn unknown_names_are_placed_and_guessed() {
    assert_eq!(
        fault("envelop = \"json\"\n[fields]\na = \"text\""),
        "1:1: there is no key `envelop` here\n  hint: did you mean `envelope`?"
    );
    assert_eq!(
        fault("envelope = [\"gzp\"]\n[fields]\na = \"text\""),
        "1:13: there is no envelope `gzp`\n  hint: did you mean `gzip`?"
    );
    assert_eq!(
        fault("format = \"jsno\"\n[fields]\na = \"text\""),
        "1:10: there is no format `jsno`\n  hint: did you mean `json`?"
    );
    assert_eq!(fault("[fields]\na = \"string\""), "2:5: there is no type `string`\n  hint: did you mean `text`?");
    assert_eq!(
        fault("key = \"devcie\"\n[fields]\ndevice = \"text\""),
        "1:7: there is no field `devcie`\n  hint: did you mean `device`?"
    );
    assert_eq!(
        fault("metrics = [\"b\", \"c\", \"b\"]\n[fields]\nb = \"double\"\nc = \"double\""),
        "1:22: `b` is a metric already: each reading would count twice"
    );
    assert_eq!(fault("metrics = [\"b\"]\n[fields]\nb = \"text\""), "1:12: `b` is no metric: it is of type text");
    assert_eq!(
        fault("ignore = \"knid = 'x'\"\n[fields]\nkind = \"text\""),
        "1:11: there is no field `knid`\n  hint: did you mean `kind`?"
    );
    assert_eq!(
        fault("time = { path = \"t\", format = \"unixms\" }\n[fields]\nt = \"text\""),
        "1:31: there is no time format `unixms`\n  hint: did you mean `unix_ms`?; or a pattern such as `%Y-%m-%d %H:%M:%S`"
    );
    assert_eq!(
        fault("time = { path = \"t\", format = \"%Q\" }\n[fields]\nt = \"text\"")
            .lines()
            .next()
            .unwrap()
            .get(..26)
            .unwrap(),
        "1:31: `%Q` is not known; k"
    );
    assert_eq!(
        fault("time = { path = \"t\", zone = \"Europe/Berln\" }\n[fields]\nt = \"text\""),
        "1:29: there is no zone `Europe/Berln`\n  hint: such as UTC, +01:00, Europe/Berlin"
    );
    assert_eq!(
        fault("[fields]\na = { type = \"text\", path = \"$.a[\" }"),
        "2:34: `$.a[` is no path: expected a name; other characters need quotes: `[\"a b\"]`"
    );
}

#[test]
fn columns_are_names_that_sql_needs_no_quotes_for() {
    assert_eq!(
        fault("[fields]\nheartRate = \"double\""),
        "2:1: `heartRate` is no column's name: lower case letters, digits and `_`, at most 63\n  hint: heart_rate = { type = \"…\", path = \"heartRate\" }"
    );
    assert!(fault("[fields]\nevent_time = \"text\"").starts_with("2:1: `event_time` is a name of the view's own"));
    let faults = Declaration::parse("my-stream.toml".as_ref(), "[fields]\na = \"text\"").unwrap_err();
    assert!(faults[0].message.starts_with("`my-stream` is no view's name"));
}

#[test]
fn keys_that_do_not_belong_together() {
    assert_eq!(fault("pattern = \"{a}\"\n[fields]\na = \"text\""), "1:11: `pattern` belongs to format = \"text\"");
    assert!(
        fault("format = \"text\"\n[fields]\na = \"text\"").starts_with("1:10: format = \"text\" needs a `pattern`")
    );
    assert!(fault("format = \"csv\"\n[fields]\na = { type = \"text\", path = 1 }").contains("needs `columns`"));
    assert_eq!(
        fault("format = \"csv\"\ncolumns = [\"a\", \"b\"]\n[fields]\nc = \"text\""),
        "4:5: field `c`: there is no column `c`\n  hint: did you mean `a`?"
    );
    assert_eq!(
        fault("format = \"text\"\npattern = \"{host} {user}\"\n[fields]\nhots = \"text\""),
        "4:8: field `hots`: there is no part `hots`\n  hint: did you mean `host`?"
    );
    assert_eq!(
        fault("format = \"logfmt\"\nenvelope = \"values\"\n[fields]\na = \"text\""),
        "2:12: the envelope `values` needs format = \"json\""
    );
    assert!(fault("envelope = [\"lines\", \"gzip\"]\n[fields]\na = \"text\"").contains("from the outside in"));
    assert!(fault("each = \"$.a\"\n[fields]\na = \"text\"").ends_with("hint: each = \"$.a[*]\""));
    assert!(
        fault("[fields]\na = { type = \"text\", path = \"$.r[*].a\" }")
            .ends_with("hint: each = \"$.r[*]\" makes rows of the elements")
    );
    assert!(
        fault("each = \"$.r[*]\"\n[fields]\na = { type = \"text\", path = \"$.q[*].a\", of = \"record\" }")
            .contains("does not follow `each`")
    );
    assert!(fault("[fields]\na = { type = \"text\", of = \"envelope\" }").contains("no fields of its own"));
    assert!(
        fault("envelope = \"cloudwatch_logs\"\n[fields]\nlog_gruop = { type = \"text\", of = \"envelope\" }")
            .ends_with("did you mean `log_group`?")
    );
    assert!(fault("[fields]\na = { type = \"double\", default = \"x\" }").contains("this is no default"));
    assert!(fault("[fields]\na = { type = \"double\", format = \"unix\" }").contains("belong to type = \"timestamp\""));
    assert!(fault("").contains("at least one field"));
    assert!(
        fault("[fields]\na = \"text\"\n[[sample]]\nrecord = \"{}\"\nrow = { b = 1 }").contains("there is no field `b`")
    );
    assert!(fault("a = ").starts_with("1:"));
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let faults = faults("key = \"x\"\nformat = \"xml\"\n[fields]\na = \"txt\"\nb = 7\n");
    let lines: Vec<&str> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["1", "2", "4", "5"]);
}

mod laws {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Decoder;

    proptest! {
        #[test]
        fn a_damaged_file_is_a_fault_or_a_declaration(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), proptest::option::of("[a-z\"'\\[\\]{}=.,*$%\n 0-9é]")), 1..6)
        ) {
            let mut text: Vec<char> = CLIMATE.chars().collect();
            for (at, to) in damage {
                let at = at.index(text.len());
                match to.and_then(|to| to.chars().next()) {
                    Some(c) => text[at] = c,
                    None => drop(text.remove(at)),
                }
            }
            let text: String = text.into_iter().collect();
            match Declaration::parse("climate.toml".as_ref(), &text) {
                Ok(declaration) => {
                    let _ = Decoder::new(&declaration);
                    let _ = declaration.check_samples("climate.toml".as_ref(), &text, |_| Err(std::io::Error::other("none")));
                }
                Err(faults) => prop_assert!(faults.iter().all(|fault| fault.line >= 1 && fault.column >= 1)),
            }
        }
    }
}

#[test]
fn records_carry_a_time_where_it_is_declared_or_their_envelope_has_one() {
    let carries = |text: &str| {
        let text = format!("{text}\n[fields]\na = \"text\"");
        Declaration::parse("s.toml".as_ref(), &text).unwrap().carries_time()
    };
    assert!(carries("time = { path = \"at\", format = \"unix\" }"));
    assert!(carries("envelope = \"cloudwatch_logs\"\nformat = \"logfmt\""));
    assert!(!carries("") && !carries("envelope = \"gzip\"") && !carries("envelope = \"eventbridge\""));
}
