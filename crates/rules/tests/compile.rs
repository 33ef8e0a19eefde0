//! What a pack compiles to, and what is said when it does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{fs, path::Path};

use weir_rules::{Environment, Pack, Rule, compile};

fn pack() -> Pack {
    Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pack")).unwrap()
}

fn environment(toml: &str) -> Environment {
    Environment::parse(Path::new("test.toml"), toml).unwrap()
}

#[test]
fn a_pack_compiles_to_one_program() {
    insta::assert_snapshot!(compile(&pack(), &environment("time = \"event\"")).unwrap().sql);
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let once = compile(&pack(), &Environment::default()).unwrap();
    assert_eq!(once, compile(&pack(), &Environment::default()).unwrap());
}

#[test]
fn a_place_in_the_program_is_found_in_the_rule_file() {
    let program = compile(&pack(), &environment("parameters.burst.most = 1000000")).unwrap();
    let (line, text) = program.sql.lines().enumerate().find(|(_, line)| line.contains("1000000")).unwrap();
    let origin = program.map.origin(line + 1, text.find("1000000").unwrap() + 1).unwrap();
    assert_eq!((origin.file.file_name().unwrap().to_str(), origin.line, origin.column), (Some("burst.sql"), 16, 11));
}

#[test]
fn the_version_changes_with_what_matters_and_nothing_else() {
    let version = |toml: &str| compile(&pack(), &environment(toml)).unwrap().rules[0].version.clone();
    assert_eq!(version(""), version("[streams]\nevents = \"other\""));
    assert_ne!(version(""), version("parameters.burst.most = 4"));
}

#[test]
fn faults_of_a_rule_say_where_and_what_to_do() {
    let good = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pack/rules/burst.sql")).unwrap();
    let faults = [
        ("severity = \"info\"", "severity = \"loud\""),
        ("name = \"burst\"", "name = \"other\""),
        ("name = \"burst\"", "nam = \"burst\""),
        ("default = 3", "default = 3.5"),
        ("source AS key", "source"),
        ("1.0 AS score", "1.0"),
        ("SELECT source AS key, window, n AS value, 1.0 AS score, least_value", "SELECT *"),
        ("window, n AS value", "n AS value"),
        ("WHERE n > ${most}", "WHERE n >"),
        ("WHERE n > ${most}", "WHERE n > ${mots}"),
        ("WHERE n > ${most};", "WHERE n > ${most}; SELECT 1"),
    ];
    let said: Vec<String> = faults
        .iter()
        .map(|(from, to)| {
            assert!(good.contains(from), "{from}");
            Rule::parse(Path::new("burst.sql"), &good.replace(from, to)).unwrap_err().to_string()
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn casts_and_divisions_are_guarded_and_every_place_stays() {
    let text = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
        -- [parameters.most]\n-- type = \"integer\"\n-- default = 1000\n\
        SELECT series AS key, event_time, value, 1.0 AS score\nFROM events \
        WHERE CAST(event ->> 'a' AS DOUBLE) > ${most} AND (event ->> 'b')::INT > 7 AND metric = 'last'";
    let rule = |text: &str| Rule::parse(Path::new("r.sql"), text).unwrap();
    let program = compile(&Pack { rules: vec![rule(text)], ..pack() }, &Environment::default()).unwrap();
    let (line, compiled) = program.sql.lines().enumerate().find(|(_, line)| line.contains("'last'")).unwrap();
    assert_eq!(
        compiled,
        "FROM events WHERE (TRY_CAST(event ->> 'a' AS DOUBLE) + 0.0) > 1000 AND TRY_CAST((event ->> 'b') AS INT) > 7 AND metric = 'last'"
    );
    let written = text.lines().last().unwrap();
    for part in ["event ->> 'a'", "AS DOUBLE", "AND (event", "> 7", "'last'"] {
        let origin =
            program.map.origin(line + 1, compiled.find(part.trim_start_matches("AND (")).unwrap() + 1).unwrap();
        let column = written.find(part.trim_start_matches("AND (")).unwrap() + 1;
        assert_eq!((origin.line, origin.column), (10, column), "{part}");
    }
    let same = rule(&text.replace("CAST(event ->> 'a' AS DOUBLE)", "TRY_CAST(event ->> 'a' AS DOUBLE)"));
    assert!(compile(&Pack { rules: vec![same], ..pack() }, &Environment::default()).unwrap().sql.contains(compiled));
}

#[test]
fn marks_and_semicolons_at_the_edges_of_a_rule_are_no_fault() {
    let good = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pack/rules/burst.sql")).unwrap();
    let sql = |text: &str| {
        let rule = Rule::parse(Path::new("burst.sql"), text).unwrap();
        compile(&Pack { rules: vec![rule], ..pack() }, &Environment::default()).unwrap().sql
    };
    for text in [format!("\u{feff}{good}"), format!("{good} -- that's it\n"), format!("{good};\n/* ; */")] {
        let program = sql(&text);
        assert!(program.contains("WHERE n > 3") && !program.contains("n > 3;"), "{program}");
    }
    assert_eq!(environment("\u{feff}time = \"event\""), environment("time = \"event\""));
}

#[test]
fn a_parameter_that_brings_its_own_quotes_does_not_stand_in_quotes() {
    let text = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
        -- [parameters]\n-- metric = { type = \"text\", default = \"temperature\" }\n-- minutes = { type = \"integer\", default = 5 }\n\
        SELECT source AS key, event_time, value, 1.0 AS score FROM events\n\
        WHERE event_time > event_time - INTERVAL '${minutes} minutes' AND metric = '${metric}' -- '${metric}'";
    let error = Rule::parse(Path::new("r.sql"), text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "r.sql:10:76: parameter `metric` stands in quotes\n  hint: its value brings its own: write ${metric}"
    );
    assert!(Rule::parse(Path::new("r.sql"), &text.replacen("'${metric}'", "${metric}", 1)).is_ok());
}

#[test]
fn a_value_cannot_break_out_of_its_literal() {
    let text = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
        -- [parameters.who]\n-- type = \"text\"\n-- default = \"it's; DROP\"\n\
        SELECT source AS key, event_time, value, 1.0 AS score FROM events WHERE source = ${who}";
    let rule = Rule::parse(Path::new("r.sql"), text).unwrap();
    let pack = Pack { rules: vec![rule], ..pack() };
    assert!(compile(&pack, &Environment::default()).unwrap().sql.contains("source = 'it''s; DROP'"));
}

#[test]
fn an_environment_that_sets_what_no_rule_declares_is_refused() {
    let errors = compile(&pack(), &environment("parameters.burst.mots = 4")).unwrap_err();
    assert!(errors[0].to_string().contains("`mots`, which the rule does not declare"), "{}", errors[0]);
}

#[test]
fn the_packs_of_the_repository_compile_in_every_environment() {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
    let pack = Pack::load(&sql).unwrap();
    for file in fs::read_dir(sql.join("environments")).unwrap() {
        let file = file.unwrap().path();
        let environment = Environment::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(compile(&pack, &environment).err(), None, "{}", file.display());
    }
}

#[test]
fn an_environment_may_change_the_stage_of_a_rule() {
    let compiled = |toml: &str| compile(&pack(), &environment(toml)).unwrap();
    assert!(compiled("rules.burst.stage = \"off\"").rules.is_empty());
    let shadow = compiled("rules.burst.stage = \"shadow\"");
    assert!(shadow.sql.contains(r#""stage":"shadow""#), "{}", shadow.sql);
    assert_ne!(shadow.rules[0].version, compiled("").rules[0].version);
}

#[test]
fn typed_decoding_refuses_a_rule_that_reads_the_whole_event() {
    let text = "-- name = \"r\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\
        SELECT source AS key, event_time, value, 1.0 AS score\nFROM events WHERE event ->> 'site' = 'north'";
    let pack = Pack { rules: vec![Rule::parse(Path::new("r.sql"), text).unwrap()], ..pack() };
    assert!(compile(&pack, &Environment::default()).is_ok());
    let errors = compile(&pack, &environment("decode = \"typed\"")).unwrap_err();
    assert!(
        errors[0].to_string().starts_with("r.sql:7:19: `event` is not there with decode = \"typed\"\n  hint: "),
        "{}",
        errors[0]
    );
}

#[test]
fn a_program_tells_its_rules_columns_and_windows_again() {
    let program = compile(&pack(), &Environment::default()).unwrap();
    let told = weir_rules::describe(&program.sql);
    let pairs = |name: &str, version: &str| (name.to_owned(), version.to_owned());
    assert_eq!(
        told.iter().map(|rule| pairs(&rule.name, &rule.version)).collect::<Vec<_>>(),
        program.rules.iter().map(|rule| pairs(&rule.name, &rule.version)).collect::<Vec<_>>()
    );
    let burst = told.iter().find(|rule| rule.name == "burst").unwrap();
    assert_eq!(burst.columns, ["least_value"]);
    assert!(burst.longest_window.is_some(), "{burst:?}");
}

#[test]
fn rules_in_folders_are_one_pack_and_a_name_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pack");
    fs::copy(here.join("tables.sql"), folder.path().join("tables.sql")).unwrap();
    let rule = fs::read_to_string(here.join("rules/burst.sql")).unwrap();
    let write = |file: &str, name: &str| {
        let file = folder.path().join("rules").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, rule.replace("\"burst\"", &format!("\"{name}\""))).unwrap();
    };
    write("fleet/a.sql", "a");
    write("b.sql", "b");
    write("pumps/c.sql", "c");
    let pack = Pack::load(folder.path()).unwrap();
    let names: Vec<&str> = pack.rules.iter().map(|rule| rule.header.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    write("pumps/a.sql", "a");
    let faults = Pack::load(folder.path()).unwrap_err();
    assert!(
        faults.len() == 1 && faults[0].to_string().contains("pumps/a.sql: there is a rule of this name in"),
        "{faults:?}"
    );
}
