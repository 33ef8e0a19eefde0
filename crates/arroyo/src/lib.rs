//! Deploys compiled packs to an Arroyo cluster: a client of its REST API, a plan, and what carries it out.
//!
//! What Arroyo's answers mean was read in its source, 0.15.0 and the version in development after it.

pub mod api;
mod applier;
mod apply;
mod call;
mod client;
mod cluster;
mod error;
pub mod history;
pub mod local;
mod pack;
pub mod parallelism;
mod plan;
pub mod status;
mod wait;

pub use applier::{Applier, Patience, Progress};
pub use call::Timing;
pub use client::{Client, Rates};
pub use cluster::{Cluster, Deployed};
pub use error::{ArroyoError, Fault};
pub use pack::{Pack, PipelineName, content_hash};
pub use plan::{
    Action, PackPlan, Plan, Readers, RuleChange, RuleChanges, SHARD_READS_PER_SECOND, Wanted, compare, plan,
};
