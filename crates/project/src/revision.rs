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
    // By -z names come as they are: git else quotes those that are not ASCII.
    let listed = git(root, &[&["ls-tree", "-r", "-z", "--name-only", revision, "--"], paths].concat())
        .with_context(|| format!("{revision} is neither a folder with rules nor a git revision"))?;
    let files = std::str::from_utf8(&listed).context("git's list of files")?;
    let files: Vec<&str> = files.split_terminator('\0').collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_ascii_are_read_as_they_are() {
        let repository = tempfile::tempdir().unwrap();
        let root = repository.path().join("Fühler");
        let files = ["sql/rules/Küche/größe.sql", "sql/rules/a \"quoted\" name.sql", "sql/tests/два\nlines.toml"];
        for file in files {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "text").unwrap();
        }
        git(repository.path(), &["init", "-q"]).unwrap();
        git(&root, &["add", "-A"]).unwrap();
        git(&root, &["-c", "user.name=n", "-c", "user.email=e@localhost", "commit", "-qm", "a step"]).unwrap();
        let folder = checkout(&root, "HEAD", &["sql"]).unwrap();
        for file in files {
            assert_eq!(fs::read(folder.path().join(file)).unwrap(), b"text", "{file}");
        }
        assert!(checkout(&root, "HEAD", &["sql/none"]).is_err());
    }
}
