//! The counters of a running engine, as `weir run --stats` writes them.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

/// What the demo reads of a running engine's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Records read.
    pub(crate) events: u64,
    /// Rows that came after their window had closed.
    pub(crate) late: u64,
    /// How far behind the tip of the stream the source is.
    pub(crate) lag_millis: Option<u64>,
}

impl Stats {
    /// From a file that `weir run --stats` keeps; `None` until it is there.
    pub(crate) fn load(file: &Path) -> Option<Self> {
        #[derive(Deserialize)]
        struct Report {
            sources: Vec<Source>,
        }
        #[derive(Deserialize)]
        struct Source {
            records: u64,
            late: u64,
            lag_millis: Option<u64>,
        }
        let report: Report = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        Some(Self {
            events: report.sources.iter().map(|source| source.records).sum(),
            late: report.sources.iter().map(|source| source.late).sum(),
            lag_millis: report.sources.iter().filter_map(|source| source.lag_millis).max(),
        })
    }
}
