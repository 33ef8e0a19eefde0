//! Events at rest: generated, or read from a person's own file.

use weir_decode::Reading;

#[cfg(test)]
mod differential;
pub mod generate;
pub mod labels;
pub mod read;

/// One event, ready to be replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedEvent {
    /// Its columns.
    pub reading: Reading,
    /// The record that carries it.
    pub record: Vec<u8>,
}

/// The usual time between two readings of one series, nanoseconds: the median of the gaps of all series together; `None` for fewer
/// than two readings.
#[must_use]
pub fn median_gap_nanos(events: &[TimedEvent]) -> Option<i64> {
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
