//! What a process remembers from one invocation to the next: how far it came with records that were given back to the stream.
//!
//! A batch in which one lane failed comes again from the lowest record that is not safe, with rows of other lanes that were put.
//! The same process mostly gets it, and does not put them again. A new process puts them again, under the same ids.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::lanes::Lane;

/// What was done of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How many rows were put, by lane.
    pub(crate) rows: BTreeMap<Lane, usize>,
    /// Its refusals are in quarantine.
    pub(crate) quarantined: bool,
}

/// A place in a shard. Decimal digits in order of their number: the longer one is the larger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(usize, String);

/// By shard, then by place.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, BTreeMap<Place, Progress>>>);

impl Memory {
    /// A batch of this shard begins at this place: what lies before it never comes again.
    pub(crate) fn begin(&self, shard: &str, sequence_number: &str) {
        if sequence_number.is_empty() {
            return;
        }
        let place = place(sequence_number);
        if let Some(known) = self.lock().get_mut(shard) {
            *known = known.split_off(&place);
        }
    }

    /// What was done of a record before.
    pub(crate) fn progress(&self, shard: &str, sequence_number: &str) -> Progress {
        // A broken envelope names no place: what is known of one is nothing that is known of another.
        if sequence_number.is_empty() {
            return Progress::default();
        }
        let known = self.lock();
        known.get(shard).and_then(|known| known.get(&place(sequence_number))).cloned().unwrap_or_default()
    }

    /// Notes how far a record came.
    pub(crate) fn keep(&self, shard: &str, sequence_number: &str, progress: Progress) {
        if sequence_number.is_empty() {
            return;
        }
        self.lock().entry(shard.to_owned()).or_default().insert(place(sequence_number), progress);
    }

    /// Nothing of this shard comes again.
    pub(crate) fn forget(&self, shard: &str) {
        self.lock().remove(shard);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<Place, Progress>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(sequence_number: &str) -> Place {
    let digits = sequence_number.trim_start_matches('0');
    Place(digits.len(), digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_a_batch_is_forgotten() {
        let memory = Memory::default();
        let done = Progress { quarantined: true, ..Progress::default() };
        for number in ["9", "10", "11"] {
            memory.keep("a", number, done.clone());
        }
        memory.begin("a", "10");
        assert_eq!(memory.progress("a", "9"), Progress::default());
        assert_eq!((memory.progress("a", "10"), memory.progress("a", "11")), (done.clone(), done.clone()));
        assert_eq!(memory.progress("b", "10"), Progress::default());
        memory.keep("a", "", done.clone());
        memory.begin("a", "");
        assert_eq!(memory.progress("a", ""), Progress::default(), "no place is no place of another record");
        assert_eq!(memory.progress("a", "11"), done);
        memory.forget("a");
        assert_eq!(memory.progress("a", "11"), Progress::default());
    }
}
