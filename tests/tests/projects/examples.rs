//! The projects that `weir init` writes.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use weir_tests::repo;

use crate::common::{data, err, good, out, project};

#[test]
fn each_example_passes_its_tests_and_finds_its_faults_and_nothing_else() {
    for (example, stream) in [("iot", "climate"), ("web", "requests"), ("payments", "payments"), ("logs", "lines")] {
        let (_folder, root) = project(example);
        good(&root, &["check", "--deny", "warnings"]);
        for environment in ["dev", "prod"] {
            good(&root, &["check", "--env", environment, "--deny", "warnings"]);
        }
        let (tested, _) = good(&root, &["test"]);
        assert!(tested.contains("; 0 failed;") && !tested.contains(" 0 passed"), "{example}: {tested}");
        let data = data(&root);
        let replay = ["backtest", "--input", &data, "--as", stream, "--labels", "labels/faults.json"];
        let replay = [&replay[..], &["--plot", "plot.svg", "--json"]].concat();
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
        let line = line.replace("\"$WEIR_ENV\"", "prod");
        let words: Vec<&str> = line.split(" >").next().unwrap().split(' ').collect();
        // What README's last command wrote is a rule without a runbook, as its author is told.
        if words[0] != "check" {
            good(&root, &words);
        }
        seen += 1;
    }
    assert_eq!(seen, 4);
}
