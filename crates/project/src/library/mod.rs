//! The library of rules, as this build has it: rules with their tests, their sections of the runbook and their functions.

mod runbook;

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use include_dir::{Dir, include_dir};
use weir_rules::Rule;
use weir_stream::did_you_mean;

use crate::files::NewFile;
pub use runbook::{Section, with_section};

static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql/rules");
static TESTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql/tests");
static FUNCTIONS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql/udfs");
static RUNBOOKS: &str = include_str!("../../../../docs/runbooks.md");

/// A rule of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryRule {
    /// Its name.
    pub name: &'static str,
    /// Its file's text.
    pub text: &'static str,
    /// Its tests' text.
    pub tests: &'static str,
}

/// The rules of the library, in the order of their names.
#[must_use]
pub fn rules() -> Vec<LibraryRule> {
    let mut rules: Vec<LibraryRule> = RULES
        .files()
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?;
            let tests = TESTS.get_file(format!("{name}.toml")).and_then(|file| file.contents_utf8());
            Some(LibraryRule { name, text: file.contents_utf8()?, tests: tests.unwrap_or_default() })
        })
        .collect();
    rules.sort_by_key(|rule| rule.name);
    rules
}

/// The rule of that name.
///
/// # Errors
/// When there is none: with the name that is most like it.
pub fn rule(name: &str) -> Result<LibraryRule> {
    let rules = rules();
    let found = rules.iter().find(|rule| rule.name == name).copied();
    found.ok_or_else(|| {
        let known = rules.iter().map(|rule| rule.name);
        anyhow!("the library has no rule `{name}`\n  hint: {}", did_you_mean(name, known))
    })
}

impl LibraryRule {
    /// The rule's text under another name, with its section of the runbook under that name, too.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        let (own, anchor) = (format!("-- name = \"{}\"", self.name), format!("docs/runbooks.md#{}\"", self.name));
        self.text.replacen(&own, &format!("-- name = \"{name}\""), 1).replacen(
            &anchor,
            &format!("docs/runbooks.md#{name}\""),
            1,
        )
    }

    /// The rule's section of the runbook, under that name.
    #[must_use]
    pub fn section(&self, name: &str) -> Section {
        Section { name: name.to_owned(), text: runbook::section(RUNBOOKS, self.name).unwrap_or_default() }
    }

    /// The files of the rule under that name, below a folder `sql`: the rule, its tests, and the functions that it calls and
    /// that are not there yet.
    ///
    /// # Errors
    /// When it is no name of a rule.
    pub fn files(&self, name: &str, sql: &Path) -> Result<Vec<NewFile>> {
        let file = PathBuf::from("rules").join(format!("{name}.sql"));
        let text = self.named(name);
        Rule::parse(&sql.join(&file), &text)?;
        // The tests first: whoever finds the rule finds its tests.
        let tests = NewFile::new(PathBuf::from("tests").join(format!("{name}.toml")), self.tests);
        let mut files = vec![tests, NewFile::new(file, text)];
        for function in FUNCTIONS.files() {
            let path = PathBuf::from("udfs").join(function.path());
            let called = function.path().file_stem().is_some_and(|name| calls(self.text, &name.to_string_lossy()));
            if called && !sql.join(&path).exists() {
                files.push(NewFile::new(path, function.contents()));
            }
        }
        Ok(files)
    }
}

/// Whether a rule calls a function.
fn calls(text: &str, function: &str) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("--")).any(|line| line.contains(&format!("{function}(")))
}

/// What a rule of a project is to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The library has it, word for word; perhaps under this other name.
    Library(&'static str),
    /// The library has a rule of this name, which differs.
    Changed(&'static str),
    /// The library has nothing of it.
    Own,
}

/// What a rule's file is to the library.
#[must_use]
pub fn origin(name: &str, text: &str) -> Origin {
    let rules = rules();
    let text = text.replace("\r\n", "\n");
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let same = |rule: &&LibraryRule| rule.named(name).trim_end() == text;
    if let Some(rule) = rules.iter().find(|rule| rule.name == name && same(rule)).or_else(|| rules.iter().find(same)) {
        return Origin::Library(rule.name);
    }
    match rules.iter().find(|rule| rule.name == name) {
        Some(rule) => Origin::Changed(rule.name),
        None => Origin::Own,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_library_is_what_lies_in_sql() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/rules");
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let rules = rules();
        assert_eq!(rules.iter().map(|rule| rule.name).collect::<Vec<_>>(), names);
        for rule in rules {
            assert!(!rule.tests.is_empty(), "{} has tests", rule.name);
            assert!(rule.section(rule.name).text.lines().count() > 1, "{} has a section", rule.name);
            assert_eq!(origin(rule.name, rule.text), Origin::Library(rule.name));
        }
    }

    #[test]
    fn a_copy_has_its_own_name_and_brings_its_functions() {
        let rule = rule("adaptive").unwrap();
        let text = rule.named("mine");
        assert!(text.starts_with("-- name = \"mine\"") && text.contains("docs/runbooks.md#mine\""));
        let sql = tempfile::tempdir().unwrap();
        let paths = |name: &str| -> Vec<String> {
            rule.files(name, sql.path()).unwrap().iter().map(|file| file.path.display().to_string()).collect()
        };
        assert_eq!(paths("mine"), ["tests/mine.toml", "rules/mine.sql", "udfs/adaptive_verdict.rs"]);
        fs::create_dir(sql.path().join("udfs")).unwrap();
        fs::write(sql.path().join("udfs/adaptive_verdict.rs"), "").unwrap();
        assert_eq!(paths("mine"), ["tests/mine.toml", "rules/mine.sql"]);
        assert!(rule.files("No Name", sql.path()).is_err());
    }

    #[test]
    fn what_differs_from_the_library_is_seen() {
        let zscore = rule("zscore").unwrap();
        assert_eq!(origin("spikes", &zscore.named("spikes")), Origin::Library("zscore"));
        assert_eq!(origin("zscore", &zscore.text.replace('\n', "\r\n")), Origin::Library("zscore"));
        assert_eq!(origin("zscore", &zscore.text.replace("5.0", "6.0")), Origin::Changed("zscore"));
        assert_eq!(origin("spikes", &zscore.text.replace("5.0", "6.0")), Origin::Own);
        assert!(rule("zscroe").unwrap_err().to_string().ends_with("hint: did you mean `zscore`?"));
    }
}
