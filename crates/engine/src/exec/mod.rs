//! Runs programs: operators over columnar batches, driven by sources and watermarks.
//!
//! | folder | what it holds |
//! |---|---|
//! | `runtime` | the tasks of a run and what passes between them: driver, sources, operators, sinks, watermarks, checkpoints |
//! | `windows` | operators that wait for the watermark: tumbling, hopping and session windows, and plans over whole timestamps |
//! | `joins` | the join of un-windowed streams |
//! | `aggregates` | groups of rows: their keys, their accumulators and partial states |
//! | `rows` | expressions and plans over batches, and the rows on which they fail |
//!
//! A folder uses those below it, never those above.

mod aggregates;
mod error;
mod joins;
mod options;
mod rows;
mod runtime;
mod stats;
mod time;
mod windows;

pub use error::RunError;
pub use options::RunOptions;
pub use runtime::{DecodedRows, run};
pub use stats::{RuleStats, RunReport, SinkStats, SourceStats, Stats, StreamStats};
