//! A project of one's own, with the real binary and no checkout around it: begun, checked, tested, replayed; its streams added
//! from samples; where a project is found, and what is said where there is none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use weir_tests::{Emulator, repo, weir};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    weir(arguments).current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Both, of a command that must succeed.
fn good(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "weir {arguments:?}\n{}{}", out(&output), err(&output));
    (out(&output), err(&output))
}

/// What is said on standard error by a command that must end with that code.
fn bad(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "weir {arguments:?}\n{}{}", out(&output), err(&output));
    err(&output)
}

fn project(example: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("plant");
    good(folder.path(), &["init", "plant", "--example", example]);
    (folder, root)
}

/// The first file of records in `data`.
fn data(root: &Path) -> String {
    let file = fs::read_dir(root.join("data")).unwrap().next().unwrap().unwrap().path();
    file.strip_prefix(root).unwrap().display().to_string()
}

#[test]
fn each_example_passes_its_tests_and_finds_its_faults_and_nothing_else() {
    for example in ["iot", "web", "payments", "logs"] {
        let (_folder, root) = project(example);
        good(&root, &["check", "--deny", "warnings"]);
        for environment in ["dev", "prod"] {
            good(&root, &["check", "--env", environment, "--deny", "warnings"]);
        }
        let (tested, _) = good(&root, &["test"]);
        assert!(tested.contains("; 0 failed;") && !tested.contains(" 0 passed"), "{example}: {tested}");
        let data = data(&root);
        let replay = ["backtest", "--input", &data, "--labels", "labels/faults.json", "--plot", "plot.svg", "--json"];
        let report: Value = serde_json::from_str(&good(&root, &replay).0).unwrap();
        assert_eq!(report["missed_labels"], json!([]), "{example}");
        assert_eq!(report["history"]["skipped"], 0, "{example}");
        assert_eq!(report["all"]["precision"], 1.0, "{example}: no false alarm: {}", report["rules"]);
        for rule in report["rules"].as_array().unwrap() {
            assert!(rule["anomalies"].as_u64().unwrap() > 0, "{example}: every rule finds its fault: {rule}");
        }
        assert!(fs::metadata(root.join("plot.svg")).unwrap().len() > 1000);
    }
}

#[test]
fn its_terraform_is_valid_and_hands_on_what_weir_reads() {
    let (folder, root) = project("iot");
    let terraform = root.join("terraform");
    let data = folder.path().join("data");
    let init = Command::new(repo().join("scripts/terraform-init.sh"))
        .arg("-backend=false")
        .env("WEIR_TERRAFORM_ROOT", &terraform)
        .env("TF_DATA_DIR", &data)
        .output()
        .unwrap();
    assert!(init.status.success(), "{}{}", out(&init), err(&init));
    for arguments in [["validate", "-no-color"], ["fmt", "-check"]] {
        let mut command = Command::new("terraform");
        let output = command.args(arguments).current_dir(&terraform).env("TF_DATA_DIR", &data).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}{}", out(&output), err(&output));
    }
    let names = |file: &Path| -> Vec<String> {
        let text = fs::read_to_string(file).unwrap();
        text.lines().filter(|line| line.starts_with("output \"")).map(str::to_owned).collect()
    };
    assert_eq!(names(&terraform.join("outputs.tf")), names(&repo().join("terraform/outputs.tf")));
}

#[test]
fn the_workflow_and_the_readme_name_commands_that_work() {
    let (_folder, root) = project("iot");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    for line in block.lines().flat_map(|line| line.split(" && ")) {
        let words: Vec<&str> = line.split(' ').collect();
        good(&root, &words[1..]);
    }
    let workflow = fs::read_to_string(root.join(".github/workflows/weir.yml")).unwrap();
    let mut seen = 0;
    for line in workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: weir ")) {
        let words: Vec<&str> = line.split(" >> ").next().unwrap().split(' ').collect();
        // What README's last command wrote is a rule without a runbook, as its author is told.
        if words[0] != "check" {
            good(&root, &words);
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn rules_of_the_library_are_added_and_listed() {
    let (_folder, root) = project("web");
    for name in ["zscore", "adaptive", "no_data"] {
        good(&root, &["add", name]);
    }
    let (_, said) = good(&root, &["add", "static_threshold", "--as", "oven_too_hot"]);
    assert!(said.contains("wrote sql/rules/oven_too_hot.sql"), "{said}");
    good(&root, &["check", "--deny", "warnings"]);
    let (tested, _) = good(&root, &["test"]);
    assert!(tested.contains("ok      oven_too_hot") && tested.contains("; 0 failed;"), "{tested}");
    assert!(bad(&root, &["add", "zscore"], 1).contains("sql/rules/zscore.sql is there already"));
    assert!(bad(&root, &["add", "zscroe"], 1).contains("did you mean `zscore`?"));
    assert!(bad(&root, &["test", "zscroe"], 1).contains("did you mean `zscore`?"));

    let file = root.join("sql/rules/zscore.sql");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("default = 5.0", "default = 6.0", 1)).unwrap();
    fs::write(
        root.join("sql/environments/prod.toml"),
        "time = \"event\"\n[parameters.slow_route]\nmost = 900.0\n[rules.no_data]\nstage = \"shadow\"\n",
    )
    .unwrap();
    let listed: Value = serde_json::from_str(&good(&root, &["list", "--env", "prod", "--json"]).0).unwrap();
    let rule =
        |name: &str| listed["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == name).unwrap().clone();
    assert_eq!((&rule("zscore")["origin"], &rule("zscore")["library"]), (&json!("changed"), &json!("zscore")));
    assert_eq!(rule("oven_too_hot")["library"], "static_threshold");
    assert_eq!(rule("slow_route")["parameters"]["most"], 900.0);
    assert_eq!((&rule("no_data")["stage"], &rule("no_data")["reads"]), (&json!("shadow"), &json!(["activity"])));
    let (table, _) = good(&root, &["list"]);
    assert!(table.lines().any(|line| line.starts_with("zscore ") && line.contains(" differs ")), "{table}");
    assert!(good(&root, &["list", "--library"]).0.lines().count() > 20);
}

#[test]
fn a_project_is_found_from_below_and_by_its_folder() {
    let (folder, root) = project("logs");
    let below = root.join("sql/rules");
    good(&below, &["test", "error_burst"]);
    good(folder.path(), &["--project", "plant", "test", "error_burst"]);
    good(folder.path(), &["list", "--project", "plant"]);
    // A file that is named is named from where one is.
    let data = format!("plant/{}", data(&root));
    good(folder.path(), &["--project", "plant", "backtest", "--input", &data]);

    assert!(bad(folder.path(), &["list"], 1).contains("there is no project here or above"));
    assert!(
        bad(folder.path(), &["--project", "nowhere", "list"], 1).contains("--project nowhere: there is no such folder")
    );
    let empty = tempfile::tempdir().unwrap();
    let said = bad(folder.path(), &["--project", empty.path().to_str().unwrap(), "list"], 1);
    assert!(said.contains("this is no project") && said.contains("hint: weir init"), "{said}");

    let file = root.join("weir.toml");
    let told = |text: &str| {
        fs::write(&file, text).unwrap();
        bad(&below, &["list"], 1)
    };
    assert!(told("nmae = \"x\"").contains("weir.toml:1:1: there is no key `nmae`\n  hint: did you mean `name`?"));
    assert!(told("weir = \"99.0\"").contains("this project is written for Weir 99.0, and this is "));
    assert!(told("[paths]\nsql = \"rules\"").contains("there is no folder `rules`"));
    assert!(bad(&root, &["list", "--env", "lcoal"], 1).contains("rules"), "the project's own fault comes first");
    fs::write(&file, "weir = \"99.0\"").unwrap();
    let output = run(&root, &["self", "version"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(out(&output).contains("wants 99.0"));

    // Its folder may lie elsewhere, and its default environment be another.
    fs::rename(root.join("sql"), root.join("anomalies")).unwrap();
    fs::write(&file, "environment = \"prod\"\n[paths]\nsql = \"anomalies\"\n").unwrap();
    let listed: Value = serde_json::from_str(&good(&root, &["list", "--json"]).0).unwrap();
    assert_eq!(listed["environment"], "prod");
    assert!(bad(&root, &["list", "--env", "lcoal"], 1).contains("did you mean --env local?"));
    fs::remove_file(&file).unwrap();
    fs::rename(root.join("anomalies"), root.join("sql")).unwrap();
    good(&below, &["test", "error_burst"]);
}

#[test]
fn a_stream_is_added_from_a_sample_and_shown_row_by_row() {
    let (_folder, root) = project("iot");
    let examples = repo().join("examples/streams");
    let records = |name: &str| {
        let folder = examples.join(name);
        let file = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let file = file.into_iter().find(|file| file.file_stem().is_some_and(|stem| stem == "records"));
        file.unwrap().display().to_string()
    };
    let climate = records("climate");
    let (_, said) = good(&root, &["streams", "add", "climate", "--from", &climate, "--stream", "iot-climate"]);
    for line in [
        "looked at 150 records (JSON values)",
        "  time     last_seen, rfc3339",
        "  key      device",
        "wrote sql/streams/climate.toml",
        "next: ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("149 from 150 records; 1 refused, the first: bad_field:temperature"), "{said}");
    assert!(said.contains("unsure: the envelope"), "{said}");
    let file = root.join("sql/streams/climate.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("stream = \"iot-climate\"") && text.matches("[[sample]]").count() == 2, "{text}");
    assert!(bad(&root, &["streams", "add", "climate", "--from", &climate], 1).contains("--overwrite"));
    good(&root, &["streams", "add", "climate", "--from", &climate, "--overwrite"]);

    let output = run(&root, &["rows", "climate", "--input", &climate, "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let lines: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 150);
    assert!(lines[0]["event_time"].is_string() && lines[0]["temperature"].is_number());
    let refused: Vec<&Value> = lines.iter().filter(|line| line.get("refused").is_some()).collect();
    assert_eq!(refused[0]["refused"], "bad_field:temperature");
    assert!(refused[0]["place"].as_str().unwrap().ends_with("records.jsonl:41"), "{}", refused[0]);
    assert!(err(&output).contains("150 records: 149 rows, 1 refused\n  bad_field:temperature  1, the first at"));
    assert_eq!(good(&root, &["rows", "climate", "--input", &climate, "--limit", "3"]).0.lines().count(), 3);
    assert!(bad(&root, &["rows", "cliamte", "--input", &climate], 1).contains("did you mean `climate`?"));
    assert!(bad(&root, &["rows", "climate", "--input", "not-there"], 1).contains("not-there cannot be read"));

    // The rows of every example are those that are kept beside it, whatever its envelope.
    for name in ["meter_batches", "vpc_flow_logs", "apache_log", "snowplow"] {
        let declared = fs::read_to_string(examples.join(name).join(format!("{name}.toml"))).unwrap();
        fs::write(root.join(format!("sql/streams/{name}.toml")), declared).unwrap();
        let output = run(&root, &["rows", name, "--input", &records(name), "--json"]);
        let kept = fs::read_to_string(examples.join(name).join("rows.jsonl")).unwrap();
        let rows =
            |text: &str| text.lines().filter(|line| line.contains("event_time")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(&out(&output)), rows(&kept), "{name}");
    }
    let (listed, _) = good(&root, &["streams"]);
    assert_eq!(listed.lines().count(), 6, "{listed}");
    fs::write(root.join("sql/streams/broken.toml"), "[fields]\na = \"doubel\"\n").unwrap();
    assert!(bad(&root, &["streams"], 1).contains("sql/streams/broken.toml:2:5: there is no type `doubel`"));
}

#[test]
fn a_schema_of_kinesis_data_analytics_becomes_a_stream() {
    let (folder, root) = project("iot");
    let schema = r#"{"ApplicationDetail":{"InputDescriptions":[{"InputSchema":{"RecordFormat":{"RecordFormatType":"JSON","MappingParameters":{"JSONMappingParameters":{"RecordRowPath":"$"}}},"RecordColumns":[{"Name":"TICKER","SqlType":"VARCHAR(4)","Mapping":"$.TICKER"},{"Name":"PRICE","SqlType":"REAL","Mapping":"$.PRICE"}]}}]}}"#;
    fs::write(folder.path().join("application.json"), schema).unwrap();
    let (_, said) = good(&root, &["streams", "add", "ticker", "--from-kda", "../application.json"]);
    assert!(said.contains("  fields   2"), "{said}");
    let records = repo().join("examples/streams/stock_ticker/records.jsonl").display().to_string();
    let (rows, _) = good(&root, &["rows", "ticker", "--input", &records, "--limit", "1"]);
    assert_eq!(rows, "(arrival)  ticker=MSFT  price=420.8\n");
    fs::write(folder.path().join("other.json"), "{}").unwrap();
    assert!(bad(&root, &["streams", "add", "x", "--from-kda", "../other.json"], 1).contains("no input schema"));
    assert!(bad(&root, &["streams", "add", "x"], 2).contains("--from"));
}

#[test]
fn whoever_reads_the_rows_may_stop() {
    let (_folder, root) = project("iot");
    let many: String =
        (0..20_000).map(|n| format!("{{\"timestamp\":{},\"value\":{n}}}\n", 1_767_225_600_000_i64 + n)).collect();
    fs::write(root.join("many.jsonl"), many).unwrap();
    let mut rows = weir(&["rows", "events", "--input", "many.jsonl"]);
    let mut rows = rows.current_dir(&root).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(rows.stdout.take());
    let output = rows.wait_with_output().unwrap();
    assert!(output.status.success() && err(&output).is_empty(), "{}", err(&output));
}

#[test]
fn records_of_a_stream_are_looked_at_where_they_are() {
    let (folder, root) = project("iot");
    let emulator = Emulator::start(&folder.path().join("emulator")).unwrap();
    emulator.kinesis("CreateStream", &json!({"StreamName": "iot-climate", "ShardCount": 2})).unwrap();
    let records = fs::read_to_string(repo().join("examples/streams/climate/records.jsonl")).unwrap();
    fs::write(root.join("records.jsonl"), &records).unwrap();
    let on_emulator = |arguments: &[&str]| -> Output {
        let mut command: Command = weir(arguments);
        command.current_dir(&root).envs(emulator.environment()).output().unwrap()
    };
    let put = on_emulator(&["put", "--stream", "iot-climate", "records.jsonl"]);
    assert!(put.status.success(), "{}", err(&put));
    let added = on_emulator(&["streams", "add", "climate", "--from", "kinesis://iot-climate"]);
    assert!(added.status.success(), "{}", err(&added));
    assert!(err(&added).contains("looked at 150 records\n"), "{}", err(&added));
    assert!(!err(&added).contains("unsure: the envelope"), "a stream says where a record ends: {}", err(&added));
    let text = fs::read_to_string(root.join("sql/streams/climate.toml")).unwrap();
    assert!(text.contains("stream = \"iot-climate\""), "{text}");
    let rows = on_emulator(&["rows", "climate", "--input", "kinesis://iot-climate", "--json"]);
    assert_eq!(rows.status.code(), Some(3), "{}", err(&rows));
    assert_eq!(out(&rows).lines().count(), 150);
    let refused = out(&rows).lines().find(|line| line.contains("\"refused\"")).unwrap().to_owned();
    assert!(refused.contains("kinesis://iot-climate shardId-"), "{refused}");
    let missing = on_emulator(&["rows", "climate", "--input", "kinesis://not-there"]);
    assert_eq!(missing.status.code(), Some(1), "{}", err(&missing));
}

#[test]
fn completions_and_the_manual_are_written() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (text, _) = good(folder.path(), &["completions", shell]);
        assert!(text.contains("backtest") && text.contains("streams"), "{shell}");
    }
    good(folder.path(), &["man", "man1"]);
    let page = fs::read_to_string(folder.path().join("man1/weir-streams-add.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("overwrite"), "{page}");
    assert!(folder.path().join("man1/weir.1").is_file());
}

/// A project in a git repository of its own, as it begins.
fn repository() -> (TempDir, PathBuf) {
    let (folder, root) = project("iot");
    git(&root, &["init", "-q", "-b", "main"]);
    commit(&root);
    (folder, root)
}

fn git(root: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "reader").env(format!("GIT_{name}_EMAIL"), "reader@localhost");
    }
    let output = command.args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", err(&output));
}

fn commit(root: &Path) {
    git(root, &["add", "-A"]);
    git(root, &["commit", "-qm", "a step"]);
}

#[test]
fn a_review_says_what_a_change_means() {
    let (_folder, root) = repository();
    let history = ["--input", "data/readings.jsonl", "--labels", "labels/faults.json"];
    let review = |more: &[&str]| run(&root, &[&["review"], more].concat());
    let none = review(&[]);
    assert!(none.status.success() && out(&none).contains("## Weir: no rule changes"), "{}{}", out(&none), err(&none));

    // A changed threshold, a new rule, and one that goes.
    let file = root.join("sql/rules/damp_room.sql");
    let rule = fs::read_to_string(&file).unwrap();
    fs::write(&file, rule.replace("default = 75.0", "default = 95.0").replace("\"30 minutes\"", "\"1 hour\"")).unwrap();
    good(&root, &["add", "no_data"]);
    for part in ["rules/silent_sensor.sql", "tests/silent_sensor.toml"] {
        fs::remove_file(root.join("sql").join(part)).unwrap();
    }
    let changed = review(&history);
    let page = out(&changed);
    assert!(changed.status.success(), "{page}{}", err(&changed));
    for line in [
        "<!-- weir review -->",
        "## Weir: this change may go in",
        "| 1 new, 1 changed, 1 removed |",
        "| damp_room | changed | loses its windows of 30 minutes; sees all after 1 hour |",
        "| silent_sensor | removed | loses its windows of ",
        "### Backtest against `main`",
        "silent_sensor (removed)",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    let json: Value = serde_json::from_str(&out(&review(&[&history[..], &["--json"]].concat()))).unwrap();
    assert_eq!(json["rules"].as_array().unwrap().len(), 3);
    assert_eq!((&json["check"]["errors"], &json["tests"]["failed"]), (&json!(0), &json!(0)));
    assert!(json["backtest"]["rules"].is_array());

    // A case that fails, then a rule that does not compile.
    let tests = root.join("sql/tests/damp_room.toml");
    let cases = fs::read_to_string(&tests).unwrap();
    fs::write(&tests, cases.replace("value = 84.0", "value = 85.0")).unwrap();
    let failed = review(&[]);
    assert_eq!(failed.status.code(), Some(1), "{}", out(&failed));
    assert!(out(&failed).contains("not ready") && out(&failed).contains("1 failed"), "{}", out(&failed));
    fs::write(&tests, cases).unwrap();
    fs::write(&file, rule.replace("avg(value)", "avg(valu)")).unwrap();
    let broken = review(&history);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        out(&broken).contains("sql/rules/damp_room.sql:") && out(&broken).contains("tests were not run"),
        "{}",
        out(&broken)
    );
    assert_eq!(review(&["--base", "nowhere"]).status.code(), Some(1));
}
