//! What a connector counts of its own: faults, and what it did about them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Live counters of a connector that speaks to a service.
#[derive(Debug, Default)]
pub struct ConnectorCounters {
    pub(crate) throttles: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) expired_iterators: AtomicU64,
    pub(crate) reshards: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) set_aside: AtomicU64,
}

/// Counts of a connector that speaks to a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ConnectorStats {
    /// Calls, and entries of calls, that the service refused because there were too many.
    pub throttles: u64,
    /// Calls, and calls with refused entries, that were repeated, those after a throttle among them.
    pub retries: u64,
    /// Shard iterators that were held too long and replaced.
    pub expired_iterators: u64,
    /// Shards that a reshard had closed and that were read to their end.
    pub reshards: u64,
    /// Stretches of a shard that were gone before they were read: data is lost.
    pub gaps: u64,
    /// Rows that the service refuses for their size: they were not written.
    pub set_aside: u64,
}

impl ConnectorCounters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> ConnectorStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectorStats {
            throttles: get(&self.throttles),
            retries: get(&self.retries),
            expired_iterators: get(&self.expired_iterators),
            reshards: get(&self.reshards),
            gaps: get(&self.gaps),
            set_aside: get(&self.set_aside),
        }
    }
}
