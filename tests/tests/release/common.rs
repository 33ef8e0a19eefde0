//! What the tests of releases share.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use tempfile::TempDir;
use weir_tests::{repo, weir};

/// Terraform's name of what AWS runs, and ours of what it runs.
pub(crate) const FUNCTIONS: [&str; 3] = ["alerter", "gate", "heartbeat"];

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) fn architecture() -> &'static str {
    std::env::consts::ARCH
}

/// This build's version.
pub(crate) fn version() -> String {
    let text = fs::read_to_string(repo().join("Cargo.toml")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap().trim_end_matches('"').to_owned()
}

/// A shell's command where nothing but the system's own programs is.
pub(crate) fn clean(folder: &Path, command: &str) -> Output {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).current_dir(folder).env_clear();
    shell.env("PATH", "/usr/bin:/bin").env("HOME", folder).output().unwrap()
}

pub(crate) fn install(folder: &Path, arguments: &str) -> Output {
    clean(folder, &format!("{} {arguments}", repo().join("install.sh").display()))
}

/// Writes a program.
pub(crate) fn program(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes an archive of what was built for the tests. `make build` made the packages for this machine; those for AWS are none.
pub(crate) fn release(folder: &Path, out: &str) -> Output {
    let lambdas = folder.join("lambdas");
    fs::create_dir_all(lambdas.join("local")).unwrap();
    for function in FUNCTIONS {
        fs::write(lambdas.join(format!("{function}.zip")), "a package").unwrap();
        fs::write(lambdas.join(format!("{function}.zip.arch")), "arm64").unwrap();
        let local = format!("local/{function}.zip");
        fs::copy(repo().join("dist").join(&local), lambdas.join(local)).expect("make build makes dist/local");
    }
    let mut script = Command::new(repo().join("scripts/release.sh"));
    script.args([architecture(), "--out"]).arg(folder.join(out)).env("WEIR_LAMBDAS", lambdas);
    script.env("WEIR_BINARY", weir(&[]).get_program()).env("WEIR_GZIP", "1").output().unwrap()
}

/// A folder with a release of what was built, in `release`: made once for all tests of a run.
pub(crate) fn released() -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let output = release(folder.path(), "release");
        assert!(output.status.success(), "{}", said(&output));
        folder
    });
    folder.path().join("release")
}
