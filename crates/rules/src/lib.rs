//! Reads rule files and environments, and compiles a pack into one Arroyo SQL program.
//!
//! The author of a rule writes a header and one `SELECT`. Connectors, `INSERT`s, ids and watermarks are added here.

mod compile;
mod describe;
mod environment;
mod error;
mod guard;
mod header;
mod interval;
pub mod lint;
mod pack;
mod parameter;
mod policy;
mod projection;
mod rule;
mod sampling;
mod source_map;
mod sql;
mod streams;
mod template;
pub mod testfile;
mod tokens;
mod udf;

pub use compile::{Program, Target, compile, compile_for};
pub use describe::{RuleSummary, describe, keeps_state, longest_window};
pub use environment::{DecodeMode, Environment, FutureLimit, RuleSettings, StreamSettings, Streams, TimeMode};
pub use error::RuleError;
pub use header::Header;
pub use interval::Interval;
pub use pack::{OWN_TABLES, Pack};
pub use parameter::{Parameter, ParameterType, ParameterValue};
pub use policy::{Clock, Day, Direction, Policies, Policy, Times, Values};
pub use rule::Rule;
pub use sampling::{Band, Deviations, Edges, Group, Sampling};
pub use source_map::{Origin, SourceMap};
pub use streams::{StreamFile, kinesis_stream, plain_stream, reads, source_table, streams_of, why_gate};
pub use udf::udf_definitions;
