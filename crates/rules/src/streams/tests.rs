use std::path::Path;

use super::*;
use crate::{Pack, compile, compile_for};

const CLIMATE: &str = "# zigbee2mqtt\nstream = \"iot-climate\"\nkey = \"device\"\ntime = { path = \"last_seen\" } # RFC 3339\nmetrics = [\"temperature\", \"humidity\"]\n\n[fields]\ndevice = { type = \"text\", required = true }\ntemperature = \"double\"\nhumidity = \"double\"\nbattery = \"integer\"\n\n[[sample]]\nrecord = '''{\"device\":\"it's\"}'''\npoison = \"bad_time:last_seen\"\n";
const DOORS: &str = "time = { path = \"at\", format = \"unix\" }\n[fields]\nopen = \"boolean\"\nraw_value = \"json\"\n";
const WARM: &str = "SELECT device AS key, event_time, temperature AS value, 0.8 AS score, humidity FROM climate WHERE temperature > 25.0 AND humidity > 40.0";
const MEAN: &str = "SELECT series AS key, window, mean AS value, 1.0 AS score FROM (SELECT series, tumble(INTERVAL '1 minute') AS window, avg(value) AS mean FROM events GROUP BY series, window) AS m";

fn stream(name: &str, text: &str) -> StreamFile {
    StreamFile::parse(format!("sql/streams/{name}.toml").as_ref(), text).unwrap()
}

fn rule(name: &str, header: &str, body: &str) -> Rule {
    let text = format!(
        "-- name = \"{name}\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n{header}\n{body}"
    );
    Rule::parse(Path::new(&format!("{name}.sql")), &text).unwrap()
}

fn pack(rules: Vec<Rule>) -> Pack {
    Pack {
        tables_file: "sql/tables.sql".into(),
        tables: crate::OWN_TABLES.to_owned(),
        streams: vec![stream("climate", CLIMATE), stream("doors", DOORS)],
        rules,
    }
}

fn sql(rules: Vec<Rule>, environment: &str) -> String {
    let environment = Environment::parse(Path::new("local.toml"), environment).unwrap();
    compile(&pack(rules), &environment).map(|program| program.sql).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn faults(rules: Vec<Rule>, environment: &str) -> Vec<String> {
    let environment = Environment::parse(Path::new("local.toml"), environment).unwrap();
    compile(&pack(rules), &environment).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn only_streams_that_rules_read_are_in_the_program() {
    let program = sql(vec![rule("warm", "", WARM)], "");
    assert!(program.contains("CREATE VIEW climate AS") && !program.contains("doors"), "{program}");
    assert!(!program.contains("climate_events"), "nobody reads its metrics");
    let without = sql(vec![rule("mean", "", MEAN)], "");
    assert!(!without.contains("climate"), "{without}");
    let plain = Pack { streams: Vec::new(), ..pack(vec![rule("mean", "", MEAN)]) };
    assert_eq!(
        compile(&plain, &Environment::default()).unwrap().sql,
        without,
        "streams that nobody reads change nothing"
    );
}

#[test]
fn programs_without_declared_streams_are_the_same_for_both_engines() {
    let pack = pack(vec![rule("mean", "", MEAN)]);
    let of = |target| compile_for(&pack, &Environment::default(), target).unwrap();
    assert_eq!(of(Target::Embedded), of(Target::Arroyo));
}

#[test]
fn a_program_says_what_is_read_and_where_it_comes_from() {
    let program =
        sql(vec![rule("warm", "", WARM), rule("mean", "-- stream = \"climate\"\n", MEAN)], "time = \"event\"");
    let streams = program.split_once("-- Stream climate").unwrap().1;
    insta::assert_snapshot!(streams.split_once("\n-- rule warm").unwrap().0);
    assert!(program.contains("FROM climate_events AS events GROUP BY"), "{program}");
}

#[test]
fn an_environment_names_the_kinesis_stream_and_the_stream_of_a_rule() {
    let program = sql(
        vec![rule("mean", "", MEAN)],
        "rules.mean.stream = \"climate\"\nstreams.climate.stream = \"arn:aws:kinesis:eu-west-1:123456789012:stream/other\"",
    );
    assert!(program.contains("stream_name = 'arn:aws:kinesis:eu-west-1:123456789012:stream/other'"), "{program}");
    assert!(program.contains("'arn:aws:kinesis:eu-west-1:123456789012:stream/other' AS stream"), "{program}");
    let back = sql(vec![rule("mean", "-- stream = \"climate\"\n", MEAN)], "rules.mean.stream = \"events\"");
    assert!(!back.contains("climate"), "{back}");
}

#[test]
fn the_version_of_a_rule_is_another_on_another_stream() {
    let version = |header: &str, environment: &str| {
        let environment = Environment::parse(Path::new("local.toml"), environment).unwrap();
        compile(&pack(vec![rule("mean", header, MEAN)]), &environment).unwrap().rules.remove(0).version
    };
    let own = version("", "");
    assert_eq!(own, version("", "rules.mean.stream = \"events\""));
    assert_ne!(own, version("-- stream = \"climate\"\n", ""));
    assert_eq!(version("", "rules.mean.stream = \"climate\""), version("-- stream = \"climate\"\n", ""));
}

#[test]
fn names_that_are_nobody_s_are_errors_at_their_place() {
    let said = faults(vec![rule("mean", "-- stream = \"climte\"\n", MEAN)], "");
    assert_eq!(said, ["mean.sql: there is no stream `climte`\n  hint: did you mean `climate`?"]);
    let said = faults(vec![rule("warm", "", &WARM.replace("FROM climate", "\nFROM climat"))], "");
    assert_eq!(said, ["warm.sql:8:6: there is no stream `climat`\n  hint: did you mean `climate`?"]);
    let said = faults(vec![rule("mean", "-- stream = \"doors\"\n", MEAN)], "");
    let column = MEAN.find("events").unwrap() + 1;
    let place = format!("mean.sql:8:{column}: stream `doors` has no `events`: its file names no metrics");
    assert!(said[0].starts_with(&place), "{said:?}");
}

#[test]
fn what_does_not_change_a_stream_does_not_change_the_program() {
    let of = |text: &str| {
        let mut pack = pack(vec![rule("warm", "", WARM)]);
        pack.streams[0] = stream("climate", text);
        compile(&pack, &Environment::default()).unwrap().sql
    };
    let less = CLIMATE.split("\n[[sample]]").next().unwrap().replace("# zigbee2mqtt\n", "").replace(" # RFC 3339", "");
    assert_eq!(of(CLIMATE), of(&less));
    assert_ne!(of(CLIMATE), of(&CLIMATE.replace("humidity = \"double\"", "humidity = \"integer\"")));
}

#[test]
fn typed_decoding_is_of_the_events_stream_alone() {
    let body = "SELECT device AS key, event_time, temperature AS value, 0.8 AS score, event FROM climate";
    let text = CLIMATE.replace("battery = \"integer\"", "battery = \"integer\"\nevent = \"text\"");
    let mut pack = pack(vec![rule("warm", "", body)]);
    pack.streams[0] = stream("climate", &text);
    let environment = Environment::parse(Path::new("local.toml"), "decode = \"typed\"").unwrap();
    let program = compile(&pack, &environment).unwrap().sql;
    assert_eq!(program.matches("CREATE TABLE poison").count(), 1, "{program}");
}

#[test]
fn files_are_read_together_with_all_that_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let streams = folder.path().join("streams");
    std::fs::create_dir_all(folder.path().join("rules")).unwrap();
    std::fs::create_dir_all(&streams).unwrap();
    let write = |name: &str, text: &str| std::fs::write(streams.join(name), text).unwrap();
    write("climate.toml", CLIMATE);
    write("climate_raw.toml", DOORS);
    write("events.toml", DOORS);
    write("wrong.toml", "[fields]\nx = \"doubel\"\ny = \"txt\"");
    write("notes.txt", "no stream");
    write("named.toml", &format!("stream = \"no name\"\n{DOORS}"));
    std::fs::write(folder.path().join("rules/warm.sql"), rule_text()).unwrap();
    let (pack, faults) = Pack::load_readable(folder.path()).unwrap();
    let names: Vec<&str> = pack.streams.iter().map(|s| s.declaration.name.as_str()).collect();
    assert_eq!(names, ["climate", "climate_raw"]);
    assert_eq!(pack.tables, crate::OWN_TABLES, "a project without tables.sql has Weir's own");
    let said: Vec<String> = faults
        .iter()
        .map(|f| format!("{}:{}:{} {}", f.file.file_name().unwrap().to_string_lossy(), f.line, f.column, f.message))
        .collect();
    assert_eq!(
        said,
        [
            "events.toml:0:0 `events` is a name of Weir's own",
            "named.toml:0:0 `no name` is no stream name",
            "wrong.toml:2:5 there is no type `doubel`",
            "wrong.toml:3:5 there is no type `txt`",
            "climate_raw.toml:0:0 `climate_raw` is a view of stream `climate` already",
        ]
    );
}

fn rule_text() -> String {
    format!(
        "-- name = \"warm\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n{WARM}"
    )
}
