//! What must never happen: that a pack which runs is left without a copy that does its work.

use std::collections::BTreeSet;

use crate::jobs::Entry;

/// Watches over packs.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// By the part of the name before `@`.
    packs: BTreeSet<String>,
    violations: Vec<String>,
}

impl Guard {
    /// From now on a running pipeline of these packs may be stopped only while another copy runs.
    pub(crate) fn begin(&mut self, packs: &[&str]) {
        self.packs = packs.iter().map(|pack| (*pack).to_owned()).collect();
    }

    /// Every time a pack was left without a running copy.
    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// A stop of a pipeline that runs is judged against what else runs of its pack.
    pub(crate) fn judge_stop(&mut self, entries: &[Entry], id: &str) {
        let Some(entry) = entries.iter().find(|entry| entry.id == id) else { return };
        if !entry.runs() || !self.packs.contains(entry.pack()) {
            return;
        }
        let covers = |other: &Entry| {
            other.id != entry.id && other.pack() == entry.pack() && other.runs() && other.checkpoints > 0
        };
        if !entries.iter().any(covers) {
            self.violations.push(format!("{} ({id}) was stopped and no other copy runs", entry.name));
        }
    }
}
