//! A TOML table whose entries are taken one by one; what nobody takes is a fault.

use std::{ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::fault::{Fault, did_you_mean};

/// The file that is read, and what was found wrong with it.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) faults: Vec<(usize, Fault)>,
}

impl Source<'_> {
    pub(super) fn fault(&mut self, at: usize, message: impl Into<String>) {
        self.faults.push((at, Fault::new(self.file, self.text, at, message)));
    }

    pub(super) fn fault_with_hint(&mut self, at: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.push((at, Fault::new(self.file, self.text, at, message).hint(hint)));
    }

    /// Where a character of a text stands that the file has in quotes at `span`: exact when it has no escapes.
    pub(super) fn inside(&self, span: &Range<usize>, offset: usize) -> usize {
        let quotes = match self.text.get(span.clone()) {
            Some(raw) if raw.starts_with("'''") || raw.starts_with("\"\"\"") => 3,
            _ => 1,
        };
        (span.start + quotes + offset).min(span.end)
    }
}

/// A value, and where it stands.
pub(super) type Item<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// An entry: its key, where the key stands, its value.
pub(super) struct Entry<'a, 'i> {
    pub(super) key: &'a str,
    pub(super) at: usize,
    pub(super) value: Item<'a, 'i>,
}

/// The entries of a table, in the order of the file.
pub(super) fn entries<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<_> =
        table.iter().map(|(key, value)| Entry { key: key.get_ref(), at: key.span().start, value }).collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// A table whose keys are known.
pub(super) struct Table<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Where faults of the whole table are placed.
    pub(super) at: usize,
}

impl<'a, 'i> Table<'a, 'i> {
    /// Keys that are not among `known` are faults.
    pub(super) fn new(source: &mut Source<'_>, table: &'a DeTable<'i>, at: usize, known: &[&str]) -> Self {
        for entry in entries(table) {
            if !known.contains(&entry.key) {
                let hint = did_you_mean(entry.key, known.iter().copied());
                source.fault_with_hint(entry.at, format!("there is no key `{}` here", entry.key), hint);
            }
        }
        Self { table, at }
    }

    pub(super) fn get(&self, key: &str) -> Option<Item<'a, 'i>> {
        self.table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
    }

    /// A text, and where it stands.
    pub(super) fn text(&self, source: &mut Source<'_>, key: &str) -> Option<(&'a str, Range<usize>)> {
        let value = self.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some((text, value.span())),
            None => {
                wrong_type(source, value, key, "a text");
                None
            }
        }
    }

    /// True or false.
    pub(super) fn boolean(&self, source: &mut Source<'_>, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            wrong_type(source, value, key, "true or false");
        }
        boolean
    }

    /// A text, or a list of them.
    pub(super) fn texts(&self, source: &mut Source<'_>, key: &str) -> Option<Vec<(&'a str, Range<usize>)>> {
        let value = self.get(key)?;
        let items = match value.get_ref() {
            DeValue::String(text) => return Some(vec![(text, value.span())]),
            DeValue::Array(items) => items,
            _ => {
                wrong_type(source, value, key, "a text or a list of texts");
                return None;
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text, item.span())),
                None => wrong_type(source, item, key, "texts"),
            }
        }
        Some(texts)
    }
}

pub(super) fn wrong_type(source: &mut Source<'_>, value: Item<'_, '_>, key: &str, wanted: &str) {
    source.fault(value.span().start, format!("`{key}` must be {wanted}, this is {}", type_name(value.get_ref())));
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
