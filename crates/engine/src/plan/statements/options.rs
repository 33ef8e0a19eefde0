//! The entries of `WITH`, taken one by one; what is left at the end is unknown.

use std::collections::BTreeSet;

use crate::error::{Place, PlanError};
use crate::sql::OptionEntry;

/// Entries that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Options {
    entries: Vec<OptionEntry>,
    /// The keys that were asked for: those that the table may have.
    asked: BTreeSet<String>,
    /// Where the table is declared.
    pub(crate) place: Place,
}

impl Options {
    pub(crate) fn new(entries: Vec<OptionEntry>, place: Place) -> Self {
        Self { entries, asked: BTreeSet::new(), place }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn take(&mut self, key: &str) -> Option<OptionEntry> {
        self.asked.insert(key.to_owned());
        let index = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(index))
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, PlanError> {
        match self.take(key) {
            Some(entry) if !entry.quoted => Err(wrong(&entry, "a single-quoted string")),
            entry => Ok(entry.map(|e| e.value)),
        }
    }

    pub(crate) fn required_text(&mut self, key: &str) -> Result<String, PlanError> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn missing(&self, key: &str) -> PlanError {
        PlanError::refused(format!("required option '{key}' not set")).at(self.place)
    }

    pub(crate) fn integer(&mut self, key: &str) -> Result<Option<i64>, PlanError> {
        self.parsed(key, "an integer", |text| text.parse().ok())
    }

    pub(crate) fn float(&mut self, key: &str) -> Result<Option<f64>, PlanError> {
        self.parsed(key, "a number", |text| text.parse().ok())
    }

    pub(crate) fn boolean(&mut self, key: &str) -> Result<Option<bool>, PlanError> {
        self.parsed(key, "a boolean", |text| match text {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        })
    }

    fn parsed<T>(&mut self, key: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, PlanError> {
        match self.take(key) {
            None => Ok(None),
            Some(entry) => parse(&entry.value).map(Some).ok_or_else(|| wrong(&entry, what)),
        }
    }

    /// Every entry must have been taken.
    pub(crate) fn finish(self) -> Result<(), PlanError> {
        let Some(first) = self.entries.first() else { return Ok(()) };
        let keys: Vec<String> = self.entries.iter().map(|e| format!("'{}'", e.key)).collect();
        let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        Err(PlanError::refused(format!("unknown options provided in WITH clause: {}", keys.join(", ")))
            .at(first.place)
            .hint(format!("this table may have {}", known.join(", "))))
    }
}

fn wrong(entry: &OptionEntry, what: &str) -> PlanError {
    PlanError::refused(format!("expected with option '{}' to be {what}, but it was `{}`", entry.key, entry.value))
        .at(entry.place)
}
