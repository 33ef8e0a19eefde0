//! A new project: the files of an example, and those that every project has.

mod terraform;

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::{files::NewFile, version::Version};

static EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/projects");

/// The files that every project has.
const COMMON: &str = "common";

/// The example projects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Example {
    /// Sensors in rooms: one gets damp, one falls silent
    #[default]
    Iot,
    /// Requests of a site: one route gets slow, one answers with errors
    Web,
    /// Payments: stolen cards are tried, and one payment is far too large
    Payments,
    /// Lines of logs: one service writes errors, one falls silent
    Logs,
}

impl Example {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Iot, Self::Web, Self::Payments, Self::Logs];

    /// Its folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iot => "iot",
            Self::Web => "web",
            Self::Payments => "payments",
            Self::Logs => "logs",
        }
    }

    /// Its stream, whose records are in `data`.
    #[must_use]
    pub const fn stream(self) -> &'static str {
        match self {
            Self::Iot => "climate",
            Self::Web => "requests",
            Self::Payments => "payments",
            Self::Logs => "lines",
        }
    }
}

/// The files of a new project of that name, about an example, or without one: then nothing is replayed, as there are no records.
#[must_use]
pub fn files(name: &str, example: Option<Example>) -> Vec<NewFile> {
    let mut files = Vec::new();
    let fill = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => filled(text, name, example).into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    for folder in [Some(COMMON), example.map(Example::name)].into_iter().flatten() {
        if let Some(folder) = EXAMPLES.get_dir(folder) {
            below(folder, folder.path(), &mut |path, bytes| files.push(NewFile::new(written_as(path), fill(bytes))));
        }
    }
    files.extend(terraform::files(name));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// A name with a dot in front is hidden from packers of crates and of archives.
fn written_as(path: &Path) -> PathBuf {
    if path == Path::new("gitignore") { ".gitignore".into() } else { path.to_owned() }
}

fn below(folder: &'static Dir<'static>, root: &Path, take: &mut dyn FnMut(&Path, &'static [u8])) {
    for file in folder.files() {
        take(file.path().strip_prefix(root).unwrap_or(file.path()), file.contents());
    }
    for inner in folder.dirs() {
        below(inner, root, take);
    }
}

/// A text with its placeholders filled; lines that end with a mark are for projects with records alone.
fn filled(text: &str, name: &str, example: Option<Example>) -> String {
    let mut filled = String::new();
    for line in text.lines() {
        let line = match line.strip_suffix(WITH_RECORDS) {
            Some(_) if example.is_none() => continue,
            Some(line) => line.trim_end(),
            None => line,
        };
        filled.push_str(line);
        filled.push('\n');
    }
    let stream = example.map_or("", Example::stream);
    let filled = filled.replace("{{arguments}}", &terraform::arguments());
    filled.replace("{{name}}", name).replace("{{version}}", &Version::own().to_string()).replace("{{stream}}", stream)
}

/// Ends lines that are for projects with records.
const WITH_RECORDS: &str = "{{with records}}";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn on_disk(folder: &Path, root: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                on_disk(&path, root, found);
            } else {
                found.insert(written_as(path.strip_prefix(root).unwrap()));
            }
        }
    }

    #[test]
    fn an_example_is_what_lies_in_its_folder() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/projects");
        for example in Example::ALL {
            let mut expected = BTreeSet::new();
            for folder in [COMMON, example.name()] {
                let root = examples.join(folder);
                on_disk(&root, &root, &mut expected);
            }
            let files = files("plant", Some(example));
            let written: BTreeSet<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
            assert_eq!(written.len(), files.len(), "no file twice");
            let missing: Vec<_> = expected.difference(&written).collect();
            assert!(missing.is_empty(), "{example:?}: {missing:?}");
            for path in ["weir.toml", ".gitignore", ".github/workflows/weir.yml", "terraform/weir/main.tf", "README.md"]
            {
                assert!(written.contains(Path::new(path)), "{example:?}: {path}");
            }
            let left = files.iter().find(|file| {
                !file.path.starts_with("terraform/weir") && file.bytes.windows(3).any(|w| w == b"{{n" || w == b"{{v")
            });
            assert_eq!(left.map(|file| &file.path), None, "every placeholder is filled");
        }
    }

    #[test]
    fn without_an_example_nothing_is_said_of_records() {
        let files = files("plant", None);
        let text = |path: &str| {
            let file = files.iter().find(|file| file.path == Path::new(path)).unwrap();
            String::from_utf8(file.bytes.clone()).unwrap()
        };
        assert!(!files.iter().any(|file| file.path.starts_with("data") || file.path.starts_with("sql/rules")));
        assert!(!text("README.md").contains("labels") && !text(".github/workflows/weir.yml").contains("backtest"));
    }
}
