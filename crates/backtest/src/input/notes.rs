//! What a person must know of the history that was read: what was read, what was not and why, a few lines of it.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    history::{History, Stray},
    replay::grouped,
};

/// So many of the names of one kind are told.
const NAMES: usize = 3;
const DAY_NANOS: i64 = 86_400_000_000_000;

/// The files that were read, and those that were not.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: usize,
    /// Those that held nothing at all.
    empty: Vec<String>,
    /// By reason.
    skipped: BTreeMap<String, Vec<String>>,
}

impl Files {
    pub(super) fn read(&mut self, name: &str, events: usize) {
        self.read += 1;
        if events == 0 {
            self.empty.push(name.to_owned());
        }
    }

    pub(super) fn skipped(&mut self, name: String, why: String) {
        self.skipped.entry(why).or_default().push(name);
    }

    /// One line for each kind of thing. Nothing is said of a single file that was read.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.read > 1 || !self.skipped.is_empty() {
            notes.push(format!("read: {} files", grouped(self.read)));
        }
        if self.read > 1 && !self.empty.is_empty() {
            notes.push(format!("without events: {}", some(&self.empty)));
        }
        for (why, names) in &self.skipped {
            notes.push(skipped(why, names));
        }
        notes
    }
}

/// What was passed over for one reason.
pub(super) fn skipped(why: &str, names: &[String]) -> String {
    format!("skipped: {} ({why})", some(names))
}

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES {
        let _ = write!(text, " and {} more", grouped(names.len() - NAMES));
    }
    text
}

/// What is strange about a history.
pub(super) fn of(history: &History) -> Vec<String> {
    let mut notes = Vec::new();
    let refused = &history.refused;
    if refused.count() > 0 {
        let records =
            if refused.count() == 1 { "record is no event and was" } else { "records are no events and were" };
        let kinds = refused.by_reason.iter().map(|(reason, (count, _))| format!("{reason} {}", grouped(*count)));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        notes.push(format!("{} {records} left out: {kinds}", grouped(refused.count())));
        for (reason, (_, first)) in &refused.by_reason {
            notes.push(format!("  the first {reason}: {first}"));
        }
    }
    if refused.ignored > 0 {
        notes.push(format!(
            "{} rows are left out by the stream's `ignore`",
            grouped(usize::try_from(refused.ignored).unwrap_or(usize::MAX))
        ));
    }
    if refused.without_source > 0 {
        notes.push(format!(
            "{} events name no source: they are of `unknown`, as on the stream",
            grouped(refused.without_source)
        ));
    }
    notes.extend(history.strays.iter().map(stray));
    notes
}

fn stray(stray: &Stray) -> String {
    let (count, lies) = (grouped(stray.events), if stray.events == 1 { "event lies" } else { "events lie" });
    let days = stray.distance / DAY_NANOS;
    let distance = if days < 730 { format!("{days} days") } else { format!("{} years", days / 365) };
    let side = if stray.before { "before" } else { "after" };
    let at = if stray.events == 1 { stray.first.to_string() } else { format!("{} to {}", stray.first, stray.last) };
    format!("{count} {lies} {distance} {side} all others ({at}): rules see them, the days of history do not count them")
}

#[cfg(test)]
mod tests {
    use weir_anomaly::Timestamp;

    use super::*;

    #[test]
    fn a_few_names_stand_for_all() {
        let mut files = Files::default();
        files.read("a", 1);
        assert!(files.notes().is_empty(), "one file that was read is no news");
        for name in ["b", "c", "d", "e", "f"] {
            files.skipped(name.to_owned(), "because".to_owned());
        }
        assert_eq!(files.notes(), ["read: 1 files", "skipped: b, c, d and 2 more (because)"]);
    }

    #[test]
    fn a_stray_is_named_with_its_time_and_distance() {
        let at: Timestamp = "1980-01-06T00:00:00Z".parse().unwrap();
        let of = Stray { events: 1, first: at, last: at, distance: 46 * 365 * DAY_NANOS, before: true };
        assert!(stray(&of).starts_with("1 event lies 46 years before all others (1980-01-06T00:00:00Z)"));
    }
}
