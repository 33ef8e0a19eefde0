//! What is in an archive.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use weir_tests::{repo, weir};

use crate::common::{clean, install, release, released, said, version};

#[test]
fn the_same_source_gives_the_same_archive_and_it_works_alone() {
    let folder = tempfile::tempdir().unwrap();
    let again = release(folder.path(), "again");
    assert!(again.status.success(), "{}", said(&again));
    let sums = |out: &Path| fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&released()), sums(&folder.path().join("again")), "twice the same bytes");
    let output = install(folder.path(), &released().display().to_string());
    assert!(output.status.success(), "{}", said(&output));

    let home = fs::read_dir(folder.path().join(".local/lib/weir")).unwrap().next().unwrap().unwrap().path();
    let sound = clean(&home, "sha256sum --quiet --check SHA256SUMS");
    assert!(sound.status.success(), "{}", said(&sound));
    for part in [
        "lambda/alerter.zip",
        "lambda/gate.zip",
        "lambda/gate.zip.arch",
        "lambda/heartbeat.zip.arch",
        "lambda/local/alerter.zip",
        "lambda/local/gate.zip",
        "lambda/local/heartbeat.zip",
        "terraform/main.tf",
        "terraform/modules/store/main.tf",
        "scripts/local-aws.sh",
        "scripts/terraform-init.sh",
        "completions/_weir",
        "man/man1/weir-rows.1",
        "licences/THIRD-PARTY.txt",
        "licences/bom.json",
        "LICENSE",
    ] {
        assert!(home.join(part).is_file(), "{part}");
    }
    assert!(!home.join("terraform/tests").exists());

    // Where there is no checkout and no compiler.
    let tried = clean(
        folder.path(),
        "set -e; PATH=$HOME/.local/bin:$PATH\nweir self version\nweir init plant --example iot\ncd plant\nweir check --deny warnings\nweir test\nweir backtest --input data/readings.jsonl --as climate --labels labels/faults.json --plot plot.svg",
    );
    assert!(tried.status.success(), "{}", said(&tried));
    let text = said(&tried);
    assert!(text.contains("; 0 failed;") && text.contains("damp_room"), "{text}");
    assert!(folder.path().join("plant/plot.svg").is_file());
}

#[test]
fn licences_of_the_pages_libraries_and_of_the_lambdas_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(install(folder.path(), &released().display().to_string()).status.success());
    let licences = folder.path().join(".local/lib/weir").join(version()).join("licences");
    let text = fs::read_to_string(licences.join("THIRD-PARTY.txt")).unwrap();
    let bill: Value = serde_json::from_slice(&fs::read(licences.join("bom.json")).unwrap()).unwrap();
    let components = bill["components"].as_array().unwrap();
    let page = fs::read_to_string(repo().join("crates/studio/web/vendor/LICENSES.md")).unwrap();
    let mut libraries = 0;
    for section in page.split("\n## ").skip(1) {
        let (heading, licence) = section.split_once('\n').unwrap();
        let (name, rest) = heading.split_once(' ').unwrap();
        let (version, expression) = rest.split_once(" (").unwrap();
        assert!(text.contains(&format!("\n{name} {version}: ")), "{heading}");
        assert!(text.contains(licence.trim()), "the text of {heading}");
        let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        let component = components.iter().find(|component| component["purl"] == purl.as_str()).expect(&purl);
        assert_eq!(component["licenses"][0]["expression"], expression.trim_end_matches(')'));
        libraries += 1;
    }
    assert!(libraries > 10);
    for name in ["datafusion", "lambda_runtime", "aws-sdk-sns"] {
        assert!(components.iter().any(|component| component["name"] == name), "{name}");
    }
}

#[test]
fn a_package_that_is_missing_makes_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lambdas")).unwrap();
    for file in ["alerter.zip", "alerter.zip.arch", "heartbeat.zip", "heartbeat.zip.arch"] {
        fs::write(folder.path().join("lambdas").join(file), "a package").unwrap();
    }
    let mut script = Command::new(repo().join("scripts/release.sh"));
    script.arg("--out").arg(folder.path().join("out")).env("WEIR_BINARY", weir(&[]).get_program());
    let output = script.env("WEIR_LAMBDAS", folder.path().join("lambdas")).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("lambdas/gate.zip is missing"), "{}", said(&output));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_command_that_does_not_run_here_makes_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Command::new(repo().join("scripts/release.sh"));
    let output = script.arg("--out").arg(folder.path()).env("WEIR_BINARY", "/dev/null").output().unwrap();
    assert!(said(&output).contains("does not run on this machine") && !output.status.success(), "{}", said(&output));
    let output = Command::new(repo().join("scripts/release.sh")).arg("sparc").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
