//! Events at rest: generated, or read from a person's own file.

#[cfg(test)]
mod differential;
pub(crate) mod generate;
pub(crate) mod labels;
pub(crate) mod read;

use weir_decode::Reading;

/// One event, ready to be replayed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimedEvent {
    /// Its columns.
    pub(crate) reading: Reading,
    /// The record that carries it.
    pub(crate) record: Vec<u8>,
}

/// The usual time between two readings of one series, nanoseconds: the median over all series; `None` for fewer than two.
pub(crate) fn sampling_nanos(events: &[TimedEvent]) -> Option<i64> {
    let mut last = std::collections::HashMap::new();
    let mut gaps = Vec::new();
    for TimedEvent { reading, .. } in events {
        if let Some(before) = last.insert(reading.series(), reading.time) {
            let gap = reading.time.since(before);
            if gap > 0 {
                gaps.push(gap);
            }
        }
    }
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}
