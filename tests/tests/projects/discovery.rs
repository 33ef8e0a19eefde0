//! Where a project is found, and what the command says of itself.

use std::fs;

use serde_json::Value;

use crate::common::{bad, data, good, out, project, run};

#[test]
fn a_project_is_found_from_below_and_by_its_folder() {
    let (folder, root) = project("logs");
    let below = root.join("sql/rules");
    good(&below, &["test", "error_burst"]);
    good(folder.path(), &["--project", "plant", "test", "error_burst"]);
    good(folder.path(), &["list", "--project", "plant"]);
    // A file that is named is named from where one is.
    let data = format!("plant/{}", data(&root));
    good(folder.path(), &["--project", "plant", "backtest", "--input", &data, "--as", "lines"]);

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
