//! A project as it was at a revision of git.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Writes files and folders as they were at a revision into a folder of its own. The working tree and the index stay as they
/// are.
///
/// # Errors
/// When there is no such revision, or it has none of the files, or the folder cannot be written.
pub fn checkout(root: &Path, revision: &str, paths: &[&str]) -> Result<TempDir> {
    let folder = tempfile::tempdir().context("a folder for the revision")?;
    // Relative to the project's folder, which need not be the repository's.
    let listed = git(root, &[&["ls-tree", "-r", "--name-only", revision, "--"], paths].concat())
        .with_context(|| format!("{revision} is neither a folder with rules nor a git revision"))?;
    let files: Vec<&str> = std::str::from_utf8(&listed).context("git's list of files")?.lines().collect();
    if files.is_empty() {
        bail!("there is no {} at revision {revision}", paths.join(", "));
    }
    for file in files {
        let text = git(root, &["show", &format!("{revision}:./{file}")])?;
        let to = folder.path().join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).context("a folder for the revision")?;
        }
        fs::write(&to, text).context("a file of the revision")?;
    }
    Ok(folder)
}

/// What a git command prints.
///
/// # Errors
/// When git is not there, or says no.
pub fn git(root: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().context("git cannot be run")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git {}: {}", arguments.first().unwrap_or(&""), said.lines().next().unwrap_or("failed").trim());
    }
    Ok(output.stdout)
}
