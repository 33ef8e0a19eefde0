//! A project of rules: where it is, what it compiles to, what is wrong with it, and its program in memory.
//!
//! Nothing here prints. With the feature `clap`, [`EnvironmentOptions`] and [`EngineKind`] are options of a command line.

pub mod check;
pub mod compile;
mod distribution;
mod embedded;
pub mod engine;
pub mod files;
pub mod library;
pub mod manifest;
mod repo;
pub mod revision;
pub mod scaffold;
pub mod streams;
mod version;

pub use check::in_rule_file;
pub use compile::EnvironmentOptions;
pub use distribution::Distribution;
pub use embedded::{Output, Planned, Poison, check_program, rule_errors};
pub use engine::EngineKind;
pub use manifest::Manifest;
pub use repo::Repo;
pub use version::Version;
pub use weir_engine::STATE_FORMAT;
