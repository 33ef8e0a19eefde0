//! The pipelines of a stand-in, and how they move.

use serde_json::Value;

use crate::{guard::Guard, jobs::Entry};

/// Whose answers are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// 0.15.
    #[default]
    V015,
    /// The version in development after it.
    Next,
}

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whose answers.
    pub version: Version,
    /// The API key it wants.
    pub key: Option<String>,
    /// The most that one page holds, for any number asked for; Arroyo itself knows no most, and answers 10 where nothing is
    /// asked for.
    pub page: Option<usize>,
    /// When checkpoints begin, microseconds since the epoch; long ago where nothing is said.
    pub now: Option<u64>,
}

impl Options {
    pub(crate) fn now(&self) -> u64 {
        self.now.unwrap_or(1_700_000_000_000_000)
    }
}

/// What a stand-in holds.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) entries: Vec<Entry>,
    pub(crate) next_id: u64,
    pub(crate) validations: u32,
    pub(crate) guard: Guard,
}

impl World {
    pub(crate) fn tick(&mut self) {
        for entry in &mut self.entries {
            entry.tick();
        }
    }

    pub(crate) fn make(&mut self, name: &str, query: &str, udfs: &Value, parallelism: u32, interval: u64) -> String {
        let id = format!("pl_{:04}", self.next_id);
        let mut entry = Entry::new(id.clone(), name.to_owned(), query.to_owned(), udfs.clone());
        (entry.parallelism, entry.interval) = (parallelism, interval);
        entry.created_at = 1_700_000_000_000_000 + self.next_id;
        self.entries.push(entry);
        self.next_id += 1;
        id
    }
}
