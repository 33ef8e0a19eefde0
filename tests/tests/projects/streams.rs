//! Streams added from samples, and their records row by row.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use weir_tests::{Emulator, repo, weir};

use crate::common::{bad, err, good, out, project, run};

#[test]
fn a_stream_is_added_from_a_sample_and_shown_row_by_row() {
    let (_folder, root) = project("web");
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
    // No name leads out of the folder, or to a file that the project then refuses.
    let files = || fs::read_dir(root.join("sql/streams")).unwrap().count();
    let before = files();
    for name in ["../climate", "a b", "events", "Climate", ""] {
        let said = bad(&root, &["streams", "add", name, "--from", &climate], 1);
        assert!(said.contains("is no stream's name") || said.contains("sql/streams/"), "{name}: {said}");
    }
    assert!(!root.join("sql/climate.toml").exists() && files() == before);

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
        let declared = fs::read_to_string(examples.join(name).join(format!("sql/streams/{name}.toml"))).unwrap();
        fs::write(root.join(format!("sql/streams/{name}.toml")), declared).unwrap();
        let output = run(&root, &["rows", name, "--input", &records(name), "--json"]);
        let kept = fs::read_to_string(examples.join(name).join("rows.jsonl")).unwrap();
        let rows =
            |text: &str| text.lines().filter(|line| line.contains("event_time")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(&out(&output)), rows(&kept), "{name}");
    }
    let (listed, _) = good(&root, &["streams"]);
    assert_eq!(listed.lines().count(), 7, "the example's own among them: {listed}");
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
    let (folder, root) = project("web");
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
fn a_project_begins_with_a_sample_of_ones_own() {
    for name in ["climate", "stock_ticker", "nginx_json", "apache_log", "meter_batches", "firelens", "heart_rate"] {
        let folder = tempfile::tempdir().unwrap();
        let sample = repo().join("examples/streams").join(name);
        let records = fs::read_dir(&sample).unwrap().map(|file| file.unwrap().path());
        let records = records.into_iter().find(|file| file.file_stem().is_some_and(|stem| stem == "records")).unwrap();
        let (_, said) = good(folder.path(), &["init", "mine", "--from", records.to_str().unwrap(), "--stream", name]);
        assert!(said.contains(&format!("stream `{name}`: sql/streams/{name}.toml")), "{said}");
        let root = folder.path().join("mine");
        good(&root, &["check", "--deny", "warnings"]);
        let (tested, _) = good(&root, &["test"]);
        assert!(tested.contains("; 0 failed;") && !tested.contains(" 0 passed"), "{name}: {tested}");
        assert!(!fs::read_to_string(root.join("README.md")).unwrap().contains("labels"), "{name}");
        let limit = run(&root, &["rows", name, "--input", records.to_str().unwrap(), "--limit", "5"]);
        assert!(out(&limit).lines().count() >= 5, "{name}: {}", out(&limit));
    }
    // What cannot be looked at leaves nothing behind.
    let folder = tempfile::tempdir().unwrap();
    assert!(
        bad(folder.path(), &["init", "mine", "--from", "not-there.jsonl"], 1)
            .contains("not-there.jsonl cannot be read")
    );
    assert!(!folder.path().join("mine").exists());
}
