//! `weir.toml`: what marks a project, and what it says.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use weir_rules::RuleError;
use weir_stream::did_you_mean;

use crate::{compile::joined, version::Version};

/// The file's name.
pub const FILE: &str = "weir.toml";

/// The keys of the file, and of its table `paths`.
const KEYS: [&str; 4] = ["weir", "name", "environment", "paths"];
const PATHS: [&str; 2] = ["sql", "terraform"];

/// What a project says of itself. Everything has a default: an empty file is a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The version of Weir that it is written for.
    pub weir: Option<Version>,
    /// Its name; the folder's where there is none.
    pub name: Option<String>,
    /// The environment that commands take where `--env` names none.
    pub environment: String,
    /// Where streams, rules, tests and environments lie, from the project's folder.
    pub sql: PathBuf,
    /// Where Terraform's root lies.
    pub terraform: PathBuf,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            weir: None,
            name: None,
            environment: "local".to_owned(),
            sql: "sql".into(),
            terraform: "terraform".into(),
        }
    }
}

impl Manifest {
    /// Reads the file of a project's folder; `None`: there is none.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(root: &Path) -> Result<Option<Self>> {
        let file = root.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(&file, &text).map(Some).map_err(joined),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(joined(vec![RuleError {
                file,
                line: 0,
                column: 0,
                message: format!("cannot be read: {error}"),
                hint: None,
            }])),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its place.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<RuleError>> {
        let mut reader = Reader { file, text: text.strip_prefix('\u{feff}').unwrap_or(text), faults: Vec::new() };
        let table = match DeTable::parse(reader.text) {
            Ok(table) => table,
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join(" ");
                reader.fault(error.span().map_or(0, |span| span.start), message, None);
                return Err(reader.faults);
            }
        };
        let mut manifest = Self::default();
        let table = table.get_ref();
        reader.known(table, &KEYS, "");
        if let Some((text, at)) = reader.text(table, "weir") {
            match text.parse() {
                Ok(version) => manifest.weir = Some(version),
                Err(message) => reader.fault(at, message, Some("weir = \"0.1.0\"".to_owned())),
            }
        }
        manifest.name = reader.named(table, "name");
        if let Some(name) = reader.named(table, "environment") {
            manifest.environment = name;
        }
        if let Some(value) = get(table, "paths") {
            match value.get_ref() {
                DeValue::Table(paths) => {
                    reader.known(paths, &PATHS, "paths.");
                    for (key, place) in [("sql", &mut manifest.sql), ("terraform", &mut manifest.terraform)] {
                        if let Some((text, at)) = reader.text(paths, key) {
                            match inside(text) {
                                Some(path) => *place = path,
                                None => reader.fault(
                                    at,
                                    format!("`{text}` is no folder of the project"),
                                    Some("paths begin at the folder of weir.toml and stay in it".to_owned()),
                                ),
                            }
                        }
                    }
                }
                _ => reader.fault(value.span().start, "`paths` must be a table: [paths]".to_owned(), None),
            }
        }
        if reader.faults.is_empty() { Ok(manifest) } else { Err(reader.faults) }
    }
}

/// A path below the project.
fn inside(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (plain && !text.is_empty()).then(|| path.to_owned())
}

fn get<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    faults: Vec<RuleError>,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, message: String, hint: Option<String>) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        self.faults.push(RuleError { file: self.file.to_owned(), line, column, message, hint });
    }

    fn known(&mut self, table: &DeTable<'_>, keys: &[&str], prefix: &str) {
        let mut unknown: Vec<(usize, String)> = table
            .iter()
            .filter(|(key, _)| !keys.contains(&key.get_ref().as_ref()))
            .map(|(key, _)| (key.span().start, key.get_ref().to_string()))
            .collect();
        unknown.sort();
        for (at, key) in unknown {
            let hint = did_you_mean(&key, keys.iter().copied());
            self.fault(at, format!("there is no key `{prefix}{key}`"), Some(hint));
        }
    }

    fn text<'a>(&mut self, table: &'a DeTable<'_>, key: &str) -> Option<(&'a str, usize)> {
        let value = get(table, key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.fault(value.span().start, format!("`{key}` must be a text"), None);
        }
        text.map(|text| (text, value.span().start))
    }

    /// A name of something: one word.
    fn named(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let (text, at) = self.text(table, key)?;
        let valid = text.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        if !valid || text.is_empty() || text.starts_with('.') {
            self.fault(at, format!("`{text}` is no name: letters, digits, `_`, `-` and `.`"), None);
            return None;
        }
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Manifest, String> {
        Manifest::parse(Path::new(FILE), text)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn defaults_need_no_line() {
        assert_eq!(parsed("").unwrap(), Manifest::default());
        let text = "\u{feff}weir = \"0.1\"\nname = \"plant\"\nenvironment = \"dev\"\n[paths]\nsql = \"rules/sql\"\n";
        let manifest = parsed(text).unwrap();
        assert_eq!(manifest.weir.unwrap().to_string(), "0.1");
        assert_eq!((manifest.name.as_deref(), manifest.environment.as_str()), (Some("plant"), "dev"));
        assert_eq!((manifest.sql, manifest.terraform), ("rules/sql".into(), "terraform".into()));
    }

    #[test]
    fn each_fault_has_its_place_and_its_hint() {
        let cases = [
            ("nmae = \"x\"", "weir.toml:1:1: there is no key `nmae`\n  hint: did you mean `name`?"),
            ("[paths]\nsqll = \"x\"", "weir.toml:2:1: there is no key `paths.sqll`\n  hint: did you mean `sql`?"),
            ("weir = \"one\"", "weir.toml:1:8: `one` is no version\n  hint: weir = \"0.1.0\""),
            ("weir = 1", "weir.toml:1:8: `weir` must be a text"),
            ("name = \"a b\"", "weir.toml:1:8: `a b` is no name: letters, digits, `_`, `-` and `.`"),
            ("paths = \"sql\"", "weir.toml:1:9: `paths` must be a table: [paths]"),
        ];
        for (text, said) in cases {
            assert_eq!(parsed(text).unwrap_err(), said);
        }
        for outside in ["/etc", "../sql", "", "a/../.."] {
            assert!(parsed(&format!("[paths]\nsql = \"{outside}\"")).unwrap_err().contains("no folder of the project"));
        }
        assert!(parsed("name = ").unwrap_err().starts_with("weir.toml:1:"));
        assert_eq!(parsed("a = 1\nb = 2").unwrap_err().lines().filter(|line| line.starts_with("weir.toml")).count(), 2);
    }
}
