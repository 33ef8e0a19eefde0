//! What the tests of projects share.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;
use weir_tests::weir;

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    weir(arguments).current_dir(folder).output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Both, of a command that must succeed.
pub(crate) fn good(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "weir {arguments:?}\n{}{}", out(&output), err(&output));
    (out(&output), err(&output))
}

/// What is said on standard error by a command that must end with that code.
pub(crate) fn bad(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "weir {arguments:?}\n{}{}", out(&output), err(&output));
    err(&output)
}

pub(crate) fn project(example: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("plant");
    good(folder.path(), &["init", "plant", "--example", example]);
    (folder, root)
}

/// The first file of records in `data`.
pub(crate) fn data(root: &Path) -> String {
    let file = fs::read_dir(root.join("data")).unwrap().next().unwrap().unwrap().path();
    file.strip_prefix(root).unwrap().display().to_string()
}
