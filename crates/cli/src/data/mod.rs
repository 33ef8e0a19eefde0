//! Events at rest: generated, or read from a person's own file.

pub(crate) mod generate;
pub(crate) mod labels;
pub(crate) mod read;

use weir_anomaly::{Timestamp, event::Event};

/// One event with its time taken apart, ready to be replayed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimedEvent {
    pub(crate) time: Timestamp,
    pub(crate) event: Event,
}

impl TimedEvent {
    pub(crate) fn source(&self) -> &str {
        self.event.source.as_deref().unwrap_or("unknown")
    }

    pub(crate) fn metric(&self) -> &str {
        self.event.metric.as_deref().unwrap_or("value")
    }

    /// The name that `tables.sql` gives to a metric of a source.
    pub(crate) fn series(&self) -> String {
        format!("{}/{}", self.source(), self.metric())
    }
}

/// The usual time between two readings of one series, nanoseconds: the median over all series; `None` for fewer than two.
pub(crate) fn sampling_nanos(events: &[TimedEvent]) -> Option<i64> {
    let mut last = std::collections::HashMap::new();
    let mut gaps = Vec::new();
    for event in events {
        if let Some(before) = last.insert(event.series(), event.time.nanos()) {
            let gap = event.time.nanos() - before;
            if gap > 0 {
                gaps.push(gap);
            }
        }
    }
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}
