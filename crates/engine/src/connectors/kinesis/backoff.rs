//! Waiting between attempts: longer each time, up to a cap, and never in step with others.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::clock::Clock;

/// The first wait: shorter than the 200 ms in which a shard allows its next read.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait: an outage of hours costs six calls a minute, and its end is seen within seconds.
const CAP: Duration = Duration::from_secs(10);

/// Capped exponential backoff with jitter over the upper half (AWS Builders' Library, "Timeouts, retries, and backoff with jitter").
#[derive(Debug)]
pub(super) struct Backoff {
    attempt: u32,
    random: Random,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { attempt: 0, random: Random::new() }
    }

    /// How many waits there were since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempt
    }

    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    pub(super) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(2_u32.saturating_pow(self.attempt)).min(CAP);
        self.attempt = self.attempt.saturating_add(1);
        let half = full / 2;
        half + half.mul_f64((self.random.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    pub(super) async fn wait(&mut self, clock: &Clock) {
        let wait = self.next();
        clock.sleep(wait).await;
    }
}

/// Numbers that differ between processes and spread evenly (SplitMix64): for jitter and for keys of rows that have none.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        // The standard library seeds its hasher from the operating system.
        Self(RandomState::new().hash_one(std::process::id()))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next()).collect();
        for (attempt, wait) in waits.iter().enumerate() {
            let full = FIRST.saturating_mul(2_u32.saturating_pow(attempt as u32)).min(CAP);
            assert!(*wait >= full / 2 && *wait <= full, "{attempt}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
