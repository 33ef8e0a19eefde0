//! Rules of the library in a project.

use std::{fs, process::Stdio};

use serde_json::{Value, json};

use weir_tests::weir as command;

use crate::common::{bad, err, good, project};

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

/// A reader that stops is no fault, and an answer that cannot be written is one; neither is a panic.
#[test]
fn what_cannot_be_written_ends_in_no_panic() {
    let (_folder, root) = project("iot");
    let weir = |stdout: Stdio| {
        let arguments = ["list", "--library"];
        command(&arguments).current_dir(&root).stdout(stdout).stderr(Stdio::piped()).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = weir(writer.into());
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = weir(full.into());
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("error: standard output: "), "{}", err(&output));
}
