//! What Terraform's task definitions run, run: the commands and the environment are read from what `terraform test` planned.
//!
//! Runs where there is an Arroyo, as the other suites, and Terraform with its provider. What a laptop has not is replaced: the
//! catalogue is SQLite in place of PostgreSQL, checkpoints go to a folder in place of S3, and ports are free ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use weir_tests::arroyo::{Cluster, binary};

/// As the secret module makes one: it begins with a letter, since Arroyo takes digits for a number.
const KEY: &str = "k0123456789abcdef";
/// What is not to be had here.
const REPLACED: [&str; 3] = ["ARROYO__CHECKPOINT_URL", "ARROYO__COMPILER__ARTIFACT_URL", "ARROYO__DATABASE__TYPE"];
/// A debug build on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);
const PROGRAM: &str = "\
CREATE TABLE generated WITH (connector = 'impulse', event_rate = '20');
CREATE TABLE nowhere (counter BIGINT UNSIGNED) WITH (connector = 'blackhole');
INSERT INTO nowhere SELECT counter FROM generated;
";

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The containers of an output, by name, as a run of `terraform test` planned them. `None` without Terraform or its provider.
fn containers(run: &str, output: &str) -> Option<BTreeMap<String, Value>> {
    let data = repo().join(".weir/check/terraform");
    let init = Command::new(repo().join("scripts/terraform-init.sh"))
        .arg("-backend=false")
        .env("TF_DATA_DIR", &data)
        .output()
        .ok()?;
    if !init.status.success() {
        return None;
    }
    let tested = Command::new("terraform")
        .arg(format!("-chdir={}", repo().join("terraform").display()))
        .args(["test", "-json", "-verbose", "-filter=tests/arroyo.tftest.hcl"])
        .env("TF_DATA_DIR", &data)
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    let lines = String::from_utf8(tested.stdout).unwrap();
    let state = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["type"] == "test_state" && line["@testrun"] == run)
        .unwrap_or_else(|| panic!("terraform test has no run `{run}`: {lines}"));
    let text = state["test_state"]["outputs"][output]["value"].as_str().unwrap();
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    Some(all.into_iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one)).collect())
}

fn environment(container: &Value) -> BTreeMap<String, String> {
    let pairs = container["environment"].as_array().unwrap().iter();
    pairs
        .map(|pair| (pair["name"].as_str().unwrap().to_owned(), pair["value"].as_str().unwrap().to_owned()))
        .filter(|(name, _)| !REPLACED.contains(&name.as_str()))
        .collect()
}

#[test]
fn the_control_task_runs_pipelines_behind_its_key() {
    let Some(binary) = binary() else {
        println!("skipped: what the task definitions run (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
        return;
    };
    let Some(all) = containers("one_control_task_and_no_nodes", "control_container_definitions") else {
        println!("skipped: what the task definitions run (no Terraform, or no provider for it)");
        return;
    };
    let control = &all["control"];
    assert_eq!(control["command"], serde_json::json!(["cluster"]), "what Cluster::start runs");

    // Secrets arrive as environment, too.
    let mut given = environment(control);
    for secret in control["secrets"].as_array().unwrap() {
        given.insert(secret["name"].as_str().unwrap().to_owned(), KEY.to_owned());
    }
    let given: Vec<(&str, String)> = given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert!(given.contains(&("ARROYO__CONTROLLER__SCHEDULER", "process".to_owned())));
    let folder = tempfile::tempdir().unwrap();
    // Arroyo ends at once on a setting that it does not know.
    let mut cluster = Cluster::start(&binary, folder.path(), &given).unwrap();

    let refused = cluster.api.ping().unwrap_err().to_string();
    assert!(refused.contains(": 401"), "{refused}");
    let api = cluster.api.with_key(KEY);
    api.ping().unwrap();

    let check = control["healthCheck"]["command"][1].as_str().unwrap();
    let check = check.replace(":5114/", &format!(":{}/", cluster.admin_port));
    assert!(Command::new("sh").args(["-c", &check]).output().unwrap().status.success(), "{check}");

    cluster.api = api;
    let pipeline = api.create("probe", PROGRAM, &[]).unwrap();
    cluster
        .wait(&pipeline, &["Running"], Duration::from_secs(120))
        .unwrap_or_else(|e| panic!("{e}\n{}", cluster.log()));
}

#[test]
fn the_catalogue_is_migrated_before_the_control_task_starts() {
    let Some(binary) = binary() else {
        println!("skipped: what the migration runs (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
        return;
    };
    let Some(all) = containers("one_control_task_and_no_nodes", "control_container_definitions") else {
        println!("skipped: what the migration runs (no Terraform, or no provider for it)");
        return;
    };
    let migrate = &all["migrate"];
    let folder = tempfile::tempdir().unwrap();
    let catalogue = folder.path().join("catalogue.sqlite");
    let arguments: Vec<&str> = migrate["command"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let output = Command::new(binary)
        .args(arguments)
        .envs(environment(migrate))
        .env("ARROYO__DATABASE__POSTGRES__PASSWORD", KEY)
        .env("ARROYO__DATABASE__TYPE", "sqlite")
        .env("ARROYO__DATABASE__SQLITE__PATH", &catalogue)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
