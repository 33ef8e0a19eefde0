//! What a change of a project means.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{err, good, out, project, run};

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
    let history = ["--input", "data/readings.jsonl", "--as", "climate", "--labels", "labels/faults.json"];
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
    fs::write(&file, rule.replace("avg(humidity)", "avg(humidty)")).unwrap();
    let broken = review(&history);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        out(&broken).contains("sql/rules/damp_room.sql:") && out(&broken).contains("tests were not run"),
        "{}",
        out(&broken)
    );
    assert_eq!(review(&["--base", "nowhere"]).status.code(), Some(1));
}
