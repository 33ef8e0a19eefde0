//! What a process remembers between invocations, to ask the table less. Nothing in it decides anything: a process that has
//! just begun, and remembers nothing, does the same with more calls.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use weir_anomaly::{Timestamp, store::Silence};

/// A silence that was added or removed is heeded after so long at the latest.
pub const SILENCES_KEPT_SECONDS: i64 = 5;
/// Alerts in one generation. Two of them, of the longest ids, take 5 MB.
const MOST_ALERTS: usize = 2_000;
/// How long a generation grows. An alert's item stays for at least a day, so what is remembered for two of these is there.
const GENERATION_SECONDS: i64 = 1_800;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// As they were read, and up to when that holds.
    silences: Option<(Timestamp, Arc<[Silence]>)>,
    /// Ids of alerts whose items are in the table.
    young: HashSet<String>,
    old: HashSet<String>,
    /// When the young become the old.
    turns: Option<Timestamp>,
}

impl Memory {
    /// The silences, when they were read a moment ago.
    pub(crate) fn silences(&self, now: Timestamp) -> Option<Arc<[Silence]>> {
        let remembered = self.lock();
        let (until, silences) = remembered.silences.as_ref()?;
        (now < *until).then(|| Arc::clone(silences))
    }

    /// Remembers silences that were asked for at `asked`.
    pub(crate) fn keep_silences(&self, silences: &Arc<[Silence]>, asked: Timestamp) {
        self.lock().silences = Some((asked.plus_seconds(SILENCES_KEPT_SECONDS), Arc::clone(silences)));
    }

    /// Whether an alert's item is known to be in the table.
    pub(crate) fn knows_alert(&self, id: &str, now: Timestamp) -> bool {
        let mut remembered = self.lock();
        remembered.turn(now);
        remembered.young.contains(id) || remembered.old.contains(id)
    }

    /// Remembers that an alert's item is in the table: its writer sends, or the sweep does.
    pub(crate) fn keep_alert(&self, id: String, now: Timestamp) {
        let mut remembered = self.lock();
        remembered.turn(now);
        remembered.young.insert(id);
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn turn(&mut self, now: Timestamp) {
        let turns = match self.turns {
            Some(at) if now < at && self.young.len() < MOST_ALERTS => return,
            Some(at) if now >= at.plus_seconds(GENERATION_SECONDS) => {
                // Nobody asked for a whole generation: the young are too old as well.
                self.young.clear();
                now.plus_seconds(GENERATION_SECONDS)
            }
            Some(at) if now >= at => at.plus_seconds(GENERATION_SECONDS),
            _ => now.plus_seconds(GENERATION_SECONDS),
        };
        self.old = std::mem::take(&mut self.young);
        self.turns = Some(turns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 1_000_000_000)
    }

    #[test]
    fn silences_are_read_again_after_seconds() {
        let memory = Memory::default();
        assert_eq!(memory.silences(seconds(0)), None);
        memory.keep_silences(&Arc::from([]), seconds(10));
        assert!(memory.silences(seconds(10 + SILENCES_KEPT_SECONDS - 1)).is_some());
        assert_eq!(memory.silences(seconds(10 + SILENCES_KEPT_SECONDS)), None);
    }

    #[test]
    fn an_alert_is_remembered_for_an_hour_at_most() {
        let memory = Memory::default();
        assert!(!memory.knows_alert("a", seconds(0)));
        memory.keep_alert("a".to_owned(), seconds(0));
        assert!(memory.knows_alert("a", seconds(1_799)) && memory.knows_alert("a", seconds(3_599)));
        assert!(!memory.knows_alert("a", seconds(3_601)));
        memory.keep_alert("b".to_owned(), seconds(3_602));
        assert!(!memory.knows_alert("b", seconds(3_602 + 7_200)), "nobody asked in the meantime");
    }

    #[test]
    fn it_stays_small() {
        let memory = Memory::default();
        for n in 0..10 * MOST_ALERTS {
            memory.keep_alert(n.to_string(), seconds(0));
        }
        let remembered = memory.lock();
        assert!(remembered.young.len() + remembered.old.len() <= 2 * MOST_ALERTS);
    }
}
