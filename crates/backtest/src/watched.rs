//! A history that is being read, seen from elsewhere.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

/// A reading that somebody follows from elsewhere, and may end.
#[derive(Debug, Default)]
pub struct Watched {
    events: AtomicUsize,
    records: AtomicUsize,
    ended: AtomicBool,
}

impl Watched {
    /// How many events were read so far.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    /// How many records were looked at so far, those among them that are no events.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// Ends the reading at the next record, with an error.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// After a record.
    pub(crate) fn look(&self, events: usize) -> Result<()> {
        self.events.store(events, Ordering::Relaxed);
        self.records.fetch_add(1, Ordering::Relaxed);
        if self.ended.load(Ordering::Relaxed) { Err(anyhow!("the reading was ended")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_followed_and_ended() {
        let watched = Watched::default();
        watched.look(1).unwrap();
        watched.look(1).unwrap();
        assert_eq!((watched.events(), watched.records()), (1, 2));
        watched.end();
        assert!(watched.look(2).is_err());
    }
}
