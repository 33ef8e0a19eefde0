//! Whether the engine is well, for what looks after its task.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use weir_engine::{RunReport, Stats};

/// A look at the bucket, and the end of a program that was replaced, take less.
const HANGS_AFTER: Duration = Duration::from_secs(240);

/// What is known of the engine. A program that fails ends the process; this is for one that hangs, and for a bucket that was never
/// reached, which no restart of ECS's would be told of otherwise.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When the supervisor was last seen, since it reached the bucket.
    seen: Option<Instant>,
    stats: Option<Arc<Stats>>,
}

impl Health {
    /// The bucket has answered once.
    pub(super) fn reached(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.seen.get_or_insert_with(Instant::now);
    }

    /// The supervisor does its rounds, and this is what runs.
    pub(super) fn seen(&self, stats: Option<&Arc<Stats>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.seen.is_some() {
            known.seen = Some(Instant::now());
        }
        known.stats = stats.cloned();
    }

    /// The counters of what runs, all empty while nothing does; none when the engine is not well.
    pub(super) fn report(&self) -> Option<RunReport> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let well = known.seen.is_some_and(|seen| seen.elapsed() < HANGS_AFTER);
        well.then(|| known.stats.as_ref().map(|stats| stats.report()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_well_from_the_first_answer_of_the_bucket() {
        let health = Health::default();
        health.seen(None);
        assert_eq!(health.report(), None, "a bucket that was never reached is no health");
        health.reached();
        assert_eq!(health.report(), Some(RunReport::default()), "before the first program there is nothing to count");
    }
}
