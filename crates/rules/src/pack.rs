//! A pack: the rules that are compiled into one pipeline, and the tables that they share.

use std::{
    fs,
    path::{Path, PathBuf},
};

use weir_anomaly::Stage;

use crate::{Rule, RuleError, StreamFile};

/// The rules that are compiled into one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// `tables.sql`: sources, sinks and the views that rules select from. A project without one has Weir's own.
    pub tables_file: PathBuf,
    /// Its text.
    pub tables: String,
    /// The declared streams, in the order of their names.
    pub streams: Vec<StreamFile>,
    /// The rules, in the order of their names.
    pub rules: Vec<Rule>,
}

/// The tables of a project that has no `tables.sql` of its own.
pub const OWN_TABLES: &str = include_str!("../../../sql/tables.sql");

impl Pack {
    /// Reads `tables.sql`, every `streams/NAME.toml` and every `.sql` file below `rules` in a folder. Folders below `rules` group rules for people: all are
    /// one pack, and a name is given once.
    ///
    /// # Errors
    /// Every fault that was found, so that an author mends them in one go.
    pub fn load(folder: &Path) -> Result<Self, Vec<RuleError>> {
        match Self::load_readable(folder) {
            Ok((pack, faults)) if faults.is_empty() => Ok(pack),
            Ok((_, faults)) => Err(faults),
            Err(fault) => Err(vec![fault]),
        }
    }

    /// The same, with the rules that can be read and what is wrong with the others: one fault a file. A pack with faults is
    /// for checks, not for running.
    ///
    /// # Errors
    /// When `tables.sql` or the folder cannot be read, or holds no rule.
    pub fn load_readable(folder: &Path) -> Result<(Self, Vec<RuleError>), RuleError> {
        let (mut pack, mut faults) = Self::load_without_rules(folder)?;
        let rules_folder = folder.join("rules");
        let rules = &mut pack.rules;
        for file in sql_files(&rules_folder)? {
            match read(&file).and_then(|text| Rule::parse(&file, &text)) {
                Ok(rule) => match rules.iter().find(|other| other.header.name == rule.header.name) {
                    None => rules.push(rule),
                    Some(other) => faults.push(
                        RuleError::new(&rule.file, format!("there is a rule of this name in {}", other.file.display()))
                            .hint("ids, alerts and silences go by the name: give it another"),
                    ),
                },
                Err(fault) => faults.push(fault),
            }
        }
        if rules.is_empty() && faults.is_empty() {
            return Err(RuleError::new(rules_folder, "there are no rules here").hint(
                "a rule is a file NAME.sql: `weir add zscore` copies one of the library, `weir new NAME` writes one",
            ));
        }
        Ok((pack, faults))
    }

    /// The tables and streams of a folder, without a rule, and what is wrong with the streams.
    ///
    /// # Errors
    /// When `tables.sql` or the folder of streams cannot be read.
    pub fn load_without_rules(folder: &Path) -> Result<(Self, Vec<RuleError>), RuleError> {
        let tables_file = folder.join("tables.sql");
        let tables = if tables_file.exists() { read(&tables_file)? } else { OWN_TABLES.to_owned() };
        let (streams, faults) = crate::streams::load(&folder.join("streams"))?;
        Ok((Self { tables_file, tables, streams, rules: Vec::new() }, faults))
    }

    /// The rule of that name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.header.name == name)
    }

    /// The same pack with one rule only, which is compiled even where its header says `off`: a rule that is picked is wanted.
    #[must_use]
    pub fn only(&self, name: &str) -> Self {
        let mut rules: Vec<Rule> = self.rules.iter().filter(|rule| rule.header.name == name).cloned().collect();
        for rule in rules.iter_mut().filter(|rule| rule.header.stage == Stage::Off) {
            rule.header.stage = Stage::Active;
        }
        Self { rules, ..self.clone() }
    }
}

pub(crate) fn read(file: &Path) -> Result<String, RuleError> {
    let text = fs::read_to_string(file).map_err(|e| RuleError::new(file, format!("cannot be read: {e}")))?;
    Ok(without_byte_order_mark(&text).to_owned())
}

/// The text without the mark that some editors put before it.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Every `.sql` file below a folder, in the order of their names.
fn sql_files(folder: &Path) -> Result<Vec<PathBuf>, RuleError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    // A project of a moment ago has no folder of rules yet.
    if !folder.exists() && folder.symlink_metadata().is_err() {
        return Ok(files);
    }
    while let Some(folder) = folders.pop() {
        let fault = |e| RuleError::new(&folder, format!("cannot be read: {e}"));
        for entry in fs::read_dir(&folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let path = entry.path();
            if entry.file_type().map_err(fault)?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                files.push(path);
            }
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()).then_with(|| a.cmp(b)));
    Ok(files)
}
