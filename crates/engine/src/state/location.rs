//! Where a run keeps its checkpoint.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::StateError;

/// Where a run keeps its checkpoint: a local folder, or a prefix of an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// A folder; it is made where it is not there.
    Folder(PathBuf),
    /// A prefix of a bucket, which is there.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix, without a `/` at either end; may be empty.
        prefix: String,
    },
}

impl FromStr for StateLocation {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let refused = |reason: &str| StateError::Location { given: text.to_owned(), reason: reason.to_owned() };
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some((scheme, _)) => Err(refused(&format!("`{scheme}` is not known"))),
                None if text.is_empty() => Err(refused("it is empty")),
                None => Ok(Self::Folder(text.into())),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if bucket.is_empty() || !bucket.chars().all(is_bucket) {
            return Err(refused("a bucket's name has lower-case letters, digits, `-` and `.`"));
        }
        // What needs no encoding in a URL: the key that is signed is then the key that is sent, letter by letter.
        let is_key = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
        let prefix = prefix.trim_matches('/');
        if !prefix.chars().all(is_key) || prefix.split('/').any(|part| part == "." || part == "..") {
            return Err(refused("a prefix may have letters, digits, `-`, `_`, `.`, `~` and `/`"));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl From<PathBuf> for StateLocation {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl From<&Path> for StateLocation {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl fmt::Display for StateLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_told_apart() {
        let s3 = |bucket: &str, prefix: &str| StateLocation::S3 { bucket: bucket.into(), prefix: prefix.into() };
        for (text, location) in [
            ("state", StateLocation::Folder("state".into())),
            ("/var/lib/weir", StateLocation::Folder("/var/lib/weir".into())),
            ("s3://b-1/weir/dev/", s3("b-1", "weir/dev")),
            ("s3://b", s3("b", "")),
        ] {
            assert_eq!(text.parse::<StateLocation>().unwrap(), location);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "s3://", "s3:///x", "s3://Bucket/x", "s3://b/a b", "s3://b/../x", "gs://b/x"] {
            let error = text.parse::<StateLocation>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no place for state: ")), "{error}");
        }
    }
}
