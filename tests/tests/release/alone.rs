//! A release alone: no checkout, no compiler, and of programs only what it says that it needs.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use weir_tests::free_ports;

use crate::common::{clean, install, released, said};

/// Of coreutils, what the scripts of a release call.
const COREUTILS: [&str; 7] = ["cat", "dirname", "env", "mkdir", "mktemp", "mv", "rm"];

/// A release in place, where the path has Terraform, Python and these of coreutils.
struct Alone(TempDir);

impl Alone {
    fn new() -> Self {
        let alone = Self(tempfile::tempdir().unwrap());
        let output = install(alone.0.path(), &released().display().to_string());
        assert!(output.status.success(), "{}", said(&output));
        let tools = alone.0.path().join("tools");
        fs::create_dir(&tools).unwrap();
        for name in COREUTILS {
            symlink(found(name), tools.join(name)).unwrap();
        }
        symlink(found("terraform"), tools.join("terraform")).unwrap();
        // Itself, and not what may stand before it on a path.
        let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        symlink(String::from_utf8(python.stdout).unwrap().trim(), tools.join("python3")).unwrap();
        alone
    }

    fn weir(&self, folder: &Path, arguments: &[&str]) -> Output {
        let home = self.0.path();
        let mut command = Command::new(home.join(".local/bin/weir"));
        command.args(arguments).current_dir(folder).env_clear().env("HOME", home).env("PATH", home.join("tools"));
        // How this machine reaches packages of Python and providers of Terraform is its own affair.
        let kept = ["PIP_", "WEIR_TF_PLUGIN_DIR", "TF_CLI_CONFIG_FILE", "HTTPS_PROXY", "https_proxy", "SSL_CERT_"];
        command.envs(std::env::vars().filter(|(name, _)| kept.iter().any(|kept| name.starts_with(kept))));
        command.output().unwrap()
    }

    fn good(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.weir(folder, arguments);
        assert!(output.status.success(), "weir {arguments:?}: {}", said(&output));
        said(&output)
    }

    fn installed(&self) -> PathBuf {
        let versions = fs::read_dir(self.0.path().join(".local/lib/weir")).unwrap();
        versions.map(|entry| entry.unwrap().path()).next().unwrap()
    }
}

/// Where a program lies.
fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()).expect(name)
}

fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.insert(path).then_some(()).unwrap() }
    }
}

#[test]
fn a_project_is_begun_tested_replayed_and_its_alerts_counted() {
    let alone = Alone::new();
    let folder = alone.0.path();
    let before = {
        let mut found = BTreeSet::new();
        files(&alone.installed(), &mut found);
        found
    };
    alone.good(folder, &["init", "plant"]);
    let plant = folder.join("plant");
    alone.good(&plant, &["add", "static_threshold"]);
    assert!(alone.good(&plant, &["test"]).contains("; 0 failed;"));
    let replay = ["backtest", "--input", "data", "--as", "climate", "--labels", "labels/faults.json"];
    assert!(alone.good(&plant, &replay).contains("damp_room"));

    let [port] = free_ports().unwrap();
    let port = port.to_string();
    // A week in a few seconds.
    let demo = ["demo", "--port", &port, "--days", "7", "--speed", "100000", "--json", "report.json"];
    let told = alone.good(&plant, &demo);
    let report: Value = serde_json::from_slice(&fs::read(plant.join("report.json")).unwrap()).unwrap();
    let rules = report["rules"].as_array().unwrap();
    let row = rules.iter().find(|row| row["rule"] == "static_threshold").expect("its own rule");
    assert!(row["alerts"].as_u64() > Some(0), "{told}");
    assert_eq!(row["anomalies"], row["stored"]);
    assert_eq!(report["quarantined"], report["poison"], "its own stream is not written to: {told}");

    let after = {
        let mut found = BTreeSet::new();
        files(&alone.installed(), &mut found);
        found
    };
    assert_eq!(before, after, "what may belong to another is not written to");
    assert!(clean(&alone.installed(), "sha256sum --quiet --check SHA256SUMS").status.success());
}

#[test]
fn what_is_not_what_its_hash_says_is_not_used() {
    let alone = Alone::new();
    let folder = alone.0.path();
    alone.good(folder, &["init", "plant"]);
    fs::write(alone.installed().join("lambda/local/gate.zip"), "another").unwrap();
    let output = alone.weir(&folder.join("plant"), &["up"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("gate.zip is not what SHA256SUMS says\n  hint: install the release again"),
        "{}",
        said(&output)
    );
    // A command that was copied somewhere has none of it.
    fs::create_dir(folder.join("own")).unwrap();
    fs::copy(alone.installed().join("bin/weir"), folder.join("own/weir")).unwrap();
    let command = format!("cd plant && PATH={}/tools:/usr/bin:/bin {}/own/weir up", folder.display(), folder.display());
    let output = clean(folder, &command);
    assert!(
        said(&output).contains("stands alone") && said(&output).contains("hint: install.sh 0."),
        "{}",
        said(&output)
    );
}
