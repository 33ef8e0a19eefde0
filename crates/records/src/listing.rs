//! The files below a folder, as Hive, Spark, Athena and Firehose lay them out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Why a file or folder is passed over whose name begins with a dot or an underscore: tools keep their own notes there
/// (`_SUCCESS`, `_temporary`, `.part-0.crc`).
pub const HIDDEN: &str = "begins with `.` or `_`";
/// Why a mark of a folder in S3 is passed over.
pub const FOLDER: &str = "stands for a folder";

/// What there is to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of their names.
    pub files: Vec<PathBuf>,
    /// What is passed over, and why.
    pub skipped: Vec<(String, String)>,
    /// Whether it is the file itself that was asked for.
    pub is_file: bool,
}

/// A file, or every file below a folder.
///
/// # Errors
/// When it cannot be read.
pub fn of(path: &Path) -> Result<Listing> {
    let metadata = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !metadata.is_dir() {
        return Ok(Listing { files: vec![path.to_owned()], is_file: true, ..Listing::default() });
    }
    let mut listing = Listing::default();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let what = || format!("{} cannot be read", folder.display());
        for entry in fs::read_dir(&folder).with_context(what)? {
            let entry = entry.with_context(what)?;
            let (place, kind) = (entry.path(), entry.file_type().with_context(what)?);
            let name = entry.file_name();
            let skip = |why: &str| (place.display().to_string(), why.to_owned());
            if is_hidden(&name.to_string_lossy()) {
                listing.skipped.push(skip(HIDDEN));
            } else if kind.is_dir() {
                folders.push(place);
            } else if kind.is_symlink() && fs::metadata(&place).is_ok_and(|metadata| metadata.is_dir()) {
                listing.skipped.push(skip("a link to a folder"));
            } else {
                listing.files.push(place);
            }
        }
    }
    listing.files.sort();
    listing.skipped.sort();
    Ok(listing)
}

/// Whether a tool keeps something for itself under this name.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Why an object is passed over.
#[must_use]
pub fn skipped_object(key: &str) -> Option<&'static str> {
    if key.ends_with('/') || key.ends_with("_$folder$") {
        Some(FOLDER)
    } else {
        key.split('/').any(is_hidden).then_some(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_as_hive_and_firehose_lay_them_out() {
        let folder = tempfile::tempdir().unwrap();
        for file in
            ["dt=2026-01-01/hour=05/part-0", "dt=2026-01-01/_SUCCESS", "_temporary/0/part-1", ".a.crc", "b.jsonl"]
        {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let listing = of(folder.path()).unwrap();
        let names = |paths: Vec<String>| -> Vec<String> {
            paths.iter().map(|path| path.strip_prefix(folder.path().to_str().unwrap()).unwrap().to_owned()).collect()
        };
        let files = listing.files.iter().map(|file| file.display().to_string()).collect();
        assert_eq!(names(files), ["/b.jsonl", "/dt=2026-01-01/hour=05/part-0"]);
        let skipped = listing.skipped.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names(skipped), ["/.a.crc", "/_temporary", "/dt=2026-01-01/_SUCCESS"]);
    }

    #[test]
    fn marks_of_folders_and_hidden_keys_are_no_objects_of_events() {
        assert_eq!(skipped_object("a/"), Some(FOLDER));
        assert_eq!(skipped_object("a_$folder$"), Some(FOLDER));
        assert_eq!(skipped_object("_temporary/x"), Some(HIDDEN));
        assert_eq!(skipped_object("a/_SUCCESS"), Some(HIDDEN));
        assert_eq!(skipped_object("a_b/c.d"), None);
    }
}
