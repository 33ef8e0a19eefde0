//! Which rows may travel in one PutRecords request.
//!
//! The service stores the entries of a request one by one, and any of them can fail while a later one succeeds. Rows of one
//! key therefore never share a request: the next one leaves when the one before is stored. Rows without a key have no order.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::api::PutEntry;
use super::backoff::Random;
use super::clock::Clock;
use super::options::{MAX_BYTES_PER_REQUEST, SinkOptions};
use crate::connectors::SinkRow;

/// A record and its key are at most 1 MiB together, unless the stream was set to take more (AWS quota). Larger rows travel
/// alone, so that a refusal concerns them only.
pub(super) const USUAL_MAX_RECORD_BYTES: usize = 1024 * 1024;
/// A partition key has at most 256 characters (AWS API reference).
const MAX_KEY_CHARS: usize = 256;

/// Rows that are not stored yet, in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue {
    clock: Clock,
    entries: VecDeque<Queued>,
    bytes: usize,
    records_per_batch: usize,
    bytes_per_batch: usize,
    random: Random,
}

/// A row that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) entry: PutEntry,
    /// Rows with the same partition key keep their order.
    ordered: bool,
    since: Duration,
}

impl Queued {
    pub(super) fn bytes(&self) -> usize {
        self.entry.data.len() + self.entry.partition_key.len()
    }

    pub(super) fn is_large(&self) -> bool {
        self.bytes() > USUAL_MAX_RECORD_BYTES
    }
}

impl Queue {
    pub(super) fn new(clock: Clock, options: &SinkOptions) -> Self {
        Self {
            clock,
            entries: VecDeque::new(),
            bytes: 0,
            records_per_batch: options.records_per_batch,
            bytes_per_batch: options.bytes_per_batch,
            random: Random::new(),
        }
    }

    pub(super) fn push(&mut self, row: SinkRow) {
        let ordered = row.key.is_some();
        let partition_key = match row.key {
            Some(key) => partition_key(key),
            None => format!("{:016x}{:016x}", self.random.next(), self.random.next()),
        };
        let queued = Queued { entry: PutEntry { partition_key, data: row.payload }, ordered, since: self.clock.now() };
        self.bytes += queued.bytes();
        self.entries.push_back(queued);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a batch need not wait for more rows.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.records_per_batch || self.bytes >= self.bytes_per_batch
    }

    /// How long until the oldest row has waited for `interval`.
    pub(super) fn due_in(&self, interval: Duration) -> Option<Duration> {
        let now = self.clock.now();
        self.entries.front().map(|oldest| interval.saturating_sub(now.saturating_sub(oldest.since)))
    }

    /// Takes the rows of the next request: as many as fit, at most one a key. What is passed over keeps its place.
    pub(super) fn take_batch(&mut self) -> Vec<Queued> {
        let mut batch: Vec<Queued> = Vec::new();
        let mut keys = HashSet::new();
        let mut bytes = 0;
        let mut later = VecDeque::new();
        while let Some(queued) = self.entries.pop_front() {
            let size = queued.bytes();
            if batch.is_empty() && queued.is_large() {
                batch.push(queued);
                break;
            }
            let full = batch.len() >= self.records_per_batch
                || (!batch.is_empty() && bytes + size > self.bytes_per_batch)
                || bytes + size > MAX_BYTES_PER_REQUEST;
            if full {
                later.push_back(queued);
                break;
            }
            // Once a key waits, its later rows wait too.
            if queued.is_large() || (queued.ordered && !keys.insert(queued.entry.partition_key.clone())) {
                keys.insert(queued.entry.partition_key.clone());
                later.push_back(queued);
                continue;
            }
            bytes += size;
            batch.push(queued);
        }
        later.append(&mut self.entries);
        self.entries = later;
        self.bytes -= batch.iter().map(Queued::bytes).sum::<usize>();
        batch
    }

    /// Puts rows that were not stored back in front, in their order.
    pub(super) fn put_back(&mut self, rows: Vec<Queued>) {
        for queued in rows.into_iter().rev() {
            self.bytes += queued.bytes();
            self.entries.push_front(queued);
        }
    }
}

/// The key as the service takes it: one that is too long, or empty, by its digest, which is as good at keeping rows together.
fn partition_key(key: String) -> String {
    if !key.is_empty() && key.chars().count() <= MAX_KEY_CHARS {
        return key;
    }
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The beginning of a payload, for a message.
pub(super) fn excerpt(data: &Bytes) -> String {
    /// Enough to recognise a row.
    const BYTES: usize = 1_024;
    String::from_utf8_lossy(data.get(..BYTES).unwrap_or(data)).into_owned()
}
