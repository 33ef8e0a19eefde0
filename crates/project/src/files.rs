//! Files of a project: new ones, all of them or none, and one that takes the place of another in one step.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A file to be written: its path below some folder, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Below the folder.
    pub path: PathBuf,
    /// What it will hold.
    pub bytes: Vec<u8>,
}

impl NewFile {
    /// A file of that text.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }
}

/// Writes new files below a folder; a file that is there is never overwritten. After a failure, none of them is left.
///
/// # Errors
/// When one of them is there, or cannot be written.
pub fn write_new(folder: &Path, files: &[NewFile]) -> Result<()> {
    write_new_and(folder, files, || Ok(()))
}

/// The same, with something that belongs to them: where that fails, none of the files is left.
///
/// # Errors
/// When one of them is there, or cannot be written, or what `then` gives.
pub fn write_new_and(folder: &Path, files: &[NewFile], then: impl FnOnce() -> Result<()>) -> Result<()> {
    let there: Vec<String> = files
        .iter()
        .map(|file| folder.join(&file.path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        bail!("{} is there already\n  hint: nothing is overwritten, and nothing was written", there.join(", "));
    }
    let mut written: Vec<PathBuf> = Vec::new();
    let done = files.iter().try_for_each(|file| create(folder.join(&file.path), &file.bytes, &mut written));
    done.and_then(|()| then()).inspect_err(|_| {
        // Written a moment ago by this very command.
        for path in &written {
            let _ = fs::remove_file(path);
        }
    })
}

fn create(path: PathBuf, bytes: &[u8], written: &mut Vec<PathBuf>) -> Result<()> {
    let what = format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| what.clone())?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).with_context(|| what.clone())?;
    // From here on it is there, whole or not.
    written.push(path);
    file.write_all(bytes).context(what)
}

/// Writes a file so that its readers find either what was there or all that is new. Where a link leads to it, the link stays.
///
/// # Errors
/// When it cannot be written, or is a link to nowhere.
pub fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let what = || format!("{} cannot be written", file.display());
    let linked = file.symlink_metadata().is_ok_and(|known| known.is_symlink());
    let file = if linked { fs::canonicalize(file).with_context(what)? } else { file.to_owned() };
    let folder = file.parent().context("a file without a folder")?;
    let mut part = tempfile::Builder::new().prefix(".weir-").tempfile_in(folder).with_context(what)?;
    part.write_all(bytes).with_context(what)?;
    // A temporary file is its maker's alone; the rules are everybody's who works in the project.
    let permissions = fs::metadata(&file).map(|known| known.permissions());
    let permissions = permissions.unwrap_or_else(|_| std::os::unix::fs::PermissionsExt::from_mode(0o644));
    fs::set_permissions(part.path(), permissions).with_context(what)?;
    part.persist(&file).map_err(|error| error.error).with_context(what)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let files = [NewFile::new("a/b.txt", "one"), NewFile::new("c.txt", "two")];
        write_new(folder.path(), &files).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a/b.txt")).unwrap(), "one");
        let more = [NewFile::new("d.txt", "three"), NewFile::new("c.txt", "four")];
        assert!(write_new(folder.path(), &more).unwrap_err().to_string().contains("c.txt is there already"));
        assert!(!folder.path().join("d.txt").exists());
        assert_eq!(fs::read_to_string(folder.path().join("c.txt")).unwrap(), "two");
        // A file in place of a folder.
        let broken = [NewFile::new("e.txt", "five"), NewFile::new("c.txt/f.txt", "six")];
        assert!(write_new(folder.path(), &broken).is_err());
        assert!(!folder.path().join("e.txt").exists());
        // What belongs to them fails.
        let last = [NewFile::new("g.txt", "seven")];
        assert!(write_new_and(folder.path(), &last, || bail!("no")).is_err());
        assert!(!folder.path().join("g.txt").exists());
    }

    #[test]
    fn a_file_is_replaced_where_its_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("there.md"), folder.path().join("link.md"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        fs::remove_file(&file).unwrap();
        assert!(replace(&link, b"newer").is_err() && !file.exists(), "a link to nowhere");
    }
}
