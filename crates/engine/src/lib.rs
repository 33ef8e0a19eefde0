//! The embedded engine: plans and runs Arroyo SQL programs in-process.
//!
//! [`plan`] reads a program and refuses what Arroyo refuses; [`run`] runs it until its finite sources end. A test gives
//! sources and collects sinks in memory:
//!
//! ```
//! # use weir_engine::{MemorySink, MemorySource, PlanOptions, RunOptions, plan, run};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let program = plan(
//!     "CREATE TABLE readings (value DOUBLE) WITH (connector = 'single_file', path = '-', type = 'source', format = 'json');
//!      SELECT value FROM readings WHERE value > 1;",
//!     &PlanOptions::default(),
//! )?;
//! let output = MemorySink::new();
//! let mut options = RunOptions::default();
//! options.sources.insert("readings".into(), MemorySource::lines("{\"value\": 1}\n{\"value\": 2}"));
//! options.sinks.insert("stdout".into(), output.clone());
//! run(&program, options, std::future::pending()).await?;
//! assert_eq!(output.lines(), ["{\"value\":2.0}"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod aws;
pub mod connectors;
mod error;
mod exec;
pub mod formats;
mod functions;
mod plan;
mod program;
mod sql;
mod state;

pub use connectors::{ConnectorStats, MemorySink, MemorySource, RawRecord, StoredRecords};
pub use error::{PlanError, PlanErrorKind};
pub use exec::{
    DecodedRows, RuleStats, RunError, RunOptions, RunReport, SinkStats, SourceStats, Stats, StreamStats, run,
};
pub use functions::{FunctionDoc, Udf, UdfCall, UdfKind, function_docs};
pub use plan::{Mismatches, PlanOptions, plan};
pub use program::{BadData, Format, FutureLimit, Program, TableInfo, TableKind};
pub use state::{STATE_FORMAT, StateError, StateLocation};
