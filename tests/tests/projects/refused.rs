//! What is refused before anything is written or read, with what to do about it.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::common::{bad, err, good, out, project, run};

#[test]
fn a_project_that_would_be_refused_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let record = "{\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"temperature\":1.5}\n";
    for name in ["events", "poison"] {
        fs::write(folder.path().join(format!("{name}.jsonl")), record.repeat(5)).unwrap();
        let said = bad(folder.path(), &["init", "plant", "--from", &format!("{name}.jsonl")], 1);
        assert!(said.contains(&format!("`{name}`")) && said.contains("hint: "), "{said}");
        assert!(!folder.path().join("plant").exists(), "{said}");
    }
    let said = bad(folder.path(), &["init", "plant", "--from", "events.jsonl", "--stream", "../x"], 1);
    assert!(said.contains("is no stream's name") && !folder.path().join("plant").exists(), "{said}");
    good(folder.path(), &["init", "plant", "--from", "events.jsonl", "--stream", "climate"]);
    good(&folder.path().join("plant"), &["check"]);
}

#[test]
fn a_weir_toml_that_is_faulty_is_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let none = run(folder.path(), &["self", "version"]);
    assert!(none.status.success() && out(&none).contains("there is no project"), "{}", out(&none));
    fs::write(&file, "weir = \n").unwrap();
    for arguments in [&["self", "version"][..], &["self", "version", "--json"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(out(&output).contains(env!("CARGO_PKG_VERSION")), "its own version is known: {}", out(&output));
        assert!(err(&output).contains("weir.toml:1:"), "{}", err(&output));
    }
    // A release has three parts.
    fs::write(&file, "weir = \"99.0\"\n").unwrap();
    let output = run(folder.path(), &["self", "version"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(out(&output).contains("wants 99.0: install.sh 99.0.0 gets it"), "{}", out(&output));
    assert!(bad(folder.path(), &["list"], 1).contains("hint: install.sh 99.0.0 gets the version that it wants"));
    // And an empty one is a project without rules yet.
    fs::write(&file, "").unwrap();
    for command in ["list", "test", "compile"] {
        let said = bad(folder.path(), &[command], 1);
        assert!(said.contains("there are no rules here") && said.contains("`weir add zscore`"), "{said}");
    }
    let checked = run(folder.path(), &["check"]);
    assert!(out(&checked).contains("`weir new NAME`"), "{}", out(&checked));
    good(folder.path(), &["add", "zscore"]);
    good(folder.path(), &["check"]);
}

#[test]
fn a_rule_is_added_whole_or_not_at_all() {
    let (folder, root) = project("iot");
    let page = root.join("docs/runbooks.md");
    let there = fs::read_to_string(&page).unwrap();
    let of_rule =
        |name: &str| [root.join(format!("sql/rules/{name}.sql")), root.join(format!("sql/tests/{name}.toml"))];
    for spoil in [&|page: &Path| fs::write(page, b"\xff").unwrap() as _, &|page: &Path| fs::create_dir(page).unwrap()]
        as [&dyn Fn(&Path); 2]
    {
        fs::remove_file(&page).unwrap();
        spoil(&page);
        assert!(bad(&root, &["add", "adaptive"], 1).contains("runbooks.md"));
        assert!(
            of_rule("adaptive").iter().all(|file| !file.exists())
                && !root.join("sql/udfs").join("adaptive_verdict.rs").exists()
        );
        if page.is_dir() {
            fs::remove_dir(&page).unwrap()
        }
        fs::write(&page, &there).unwrap();
    }
    // A page that many projects share is a link, and stays one.
    let shared = folder.path().join("shared.md");
    fs::rename(&page, &shared).unwrap();
    std::os::unix::fs::symlink(&shared, &page).unwrap();
    good(&root, &["add", "adaptive"]);
    assert!(page.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&shared).unwrap().contains("\n## adaptive\n"));
}

#[test]
fn options_that_can_mean_nothing_are_refused() {
    let (_folder, root) = project("iot");
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-qm", "a step"]] {
        let identity = ["-c", "user.email=a@b", "-c", "user.name=a"];
        assert!(Command::new("git").current_dir(&root).args(identity).args(arguments).status().unwrap().success());
    }
    assert!(bad(&root, &["review", "--labels", "labels/faults.json"], 2).contains("--input"));
    // A history that cannot be replayed leaves the change unjudged.
    let failed = run(&root, &["review", "--input", "nowhere.jsonl", "--as", "climate"]);
    assert_eq!(failed.status.code(), Some(1), "{}", out(&failed));
    assert!(out(&failed).contains("not ready") && out(&failed).contains("could not be replayed"), "{}", out(&failed));
    let json = run(&root, &["review", "--input", "nowhere.jsonl", "--as", "climate", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out(&json)).unwrap()["replay_failed"], true);
    let said = bad(&root, &["backtest", "--input", "data/readings.jsonl", "--as", "climate", "--rules", "damp_rom"], 1);
    assert!(said.contains("there is no rule `damp_rom`\n  hint: did you mean `damp_room`?"), "{said}");
    // An environment that is not there is no environment of defaults.
    let said = bad(&root, &["studio", "--no-open", "--parameters-of", "lcoal"], 1);
    assert!(said.contains("there is no environment `lcoal`\n  hint: did you mean --parameters-of local?"), "{said}");
    let manifest = fs::read_to_string(root.join("weir.toml")).unwrap();
    fs::write(root.join("weir.toml"), format!("environment = \"nowhere\"\n{manifest}")).unwrap();
    assert!(bad(&root, &["studio", "--no-open"], 1).contains("there is no environment `nowhere`"));
}
