//! New files of a project: all of them, or none.

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
    for file in files {
        let path = folder.join(&file.path);
        if let Err(error) = create(&path, &file.bytes) {
            // Written a moment ago by this very command.
            for path in &written {
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
        written.push(path);
    }
    Ok(())
}

fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let what = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(what)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).with_context(what)?;
    file.write_all(bytes).with_context(what)
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
    }
}
