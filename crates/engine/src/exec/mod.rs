//! Runs programs: operators over columnar batches, driven by sources and watermarks.

mod accumulate;
mod bin_state;
mod bins;
mod chunk;
mod driver;
mod edge;
mod emitted;
mod error;
mod evaluate;
mod hop;
mod instant;
mod join;
mod join_keys;
mod join_side;
mod keys;
mod lane;
mod lanes;
mod operator;
mod operator_task;
mod options;
mod pairs;
mod record;
mod rows;
mod session;
mod sink_task;
mod source_task;
mod stats;
mod variance;
mod watermark;
mod window;
mod workers;

pub use driver::run;
pub use error::RunError;
pub use options::RunOptions;
pub use stats::{RuleStats, RunReport, SinkStats, SourceStats, Stats};
