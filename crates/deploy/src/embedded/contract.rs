//! What a deployment and the engine's task tell each other, as objects of the stack's bucket.
//!
//! | object | who writes it | what |
//! |---|---|---|
//! | `packs/HASH.sql` | `weir apply` | a compiled program, under the hash of its content |
//! | `wanted.json` | `weir apply` | [`WantedPack`]: which program is to run |
//! | `observed.json` | `weir serve` | [`Observed`]: what runs, and how it does |
//! | `state/HASH/FORMAT/checkpoint` | `weir serve` | the state of a program (docs/engine.md), in a place of its own for each format that versions of Weir keep it in |
//!
//! The one says what is wanted, the other what is so, and each has one writer. A task that starts reads both: `observed.json` is its
//! memory of which program it had taken over to. The service's task definition names no program. So a change of rules starts no
//! task, needs no right on ECS and is no drift of Terraform's, and an old and a new program run side by side in one process while
//! the new one catches up, which two tasks could not without a second service.

use serde::{Deserialize, Serialize};
use weir_project::STATE_FORMAT;

/// The key of [`WantedPack`].
pub const WANTED: &str = "wanted.json";
/// The key of [`Observed`].
pub const OBSERVED: &str = "observed.json";
/// The longest time between two writings of [`Observed`], in seconds. Each is a request to S3: half a dollar a month.
pub const OBSERVED_SECONDS: u64 = 30;

/// The key of a program.
#[must_use]
pub fn pack_key(hash: &str) -> String {
    format!("packs/{hash}.sql")
}

/// The prefix of a program's state. A version of Weir that keeps it in another format does not find it, and begins with empty windows and
/// what the streams keep: state that it cannot read would end each of its tasks at its start.
#[must_use]
pub fn state_prefix(hash: &str) -> String {
    format!("state/{hash}/{STATE_FORMAT}")
}

/// What a program's content hashes to, as deployments write it down.
#[must_use]
pub fn pack_hash(program: &str) -> String {
    weir_arroyo::content_hash(program, &[])
}

/// Which program is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedPack {
    /// Another one for each writing, so that the engine can say which it answers.
    pub id: String,
    /// The program's hash; none: no rules are to run.
    pub pack: Option<String>,
    /// When it was written, RFC 3339 in UTC.
    pub at: String,
    /// By whom.
    pub by: String,
}

/// What the engine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When it was written, RFC 3339 in UTC.
    pub at: String,
    /// The task, or the process where there is none.
    pub task: String,
    /// When that started.
    pub started: String,
    /// Its version of Weir.
    pub version: String,
    /// The [`WantedPack::id`] that it has read last.
    pub wanted: Option<String>,
    /// The program that runs, and whose anomalies count as up to date.
    pub running: Option<RunningPack>,
    /// A program that catches up, to take over.
    pub coming: Option<RunningPack>,
    /// What was wanted and cannot run.
    pub refused: Option<RefusedPack>,
    /// The last error that ended a program, until another one takes over.
    pub failed: Option<FailedPack>,
}

/// A program that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningPack {
    /// Its hash.
    pub pack: String,
    /// Since when, in this task.
    pub since: String,
    /// How far the source that is furthest behind is behind the tip of its stream, in milliseconds; none before all were read.
    pub lag_millis: Option<u64>,
    /// Records read by this task.
    pub records: u64,
    /// Rows that its rules gave.
    pub rows: u64,
    /// Rows that its rules left out, because an expression failed on them.
    pub rule_errors: u64,
    /// Bytes of window state held.
    pub state_bytes: u64,
    /// Checkpoints written by this task.
    pub checkpoints: u64,
    /// Checkpoints that were put off.
    pub failed_checkpoints: u64,
    /// Seconds for which it has held what no checkpoint holds.
    pub checkpoint_age_seconds: u64,
}

/// A program that cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPack {
    /// The [`WantedPack::id`] that asked for it.
    pub wanted: String,
    /// Its hash.
    pub pack: String,
    /// Why.
    pub reason: String,
}

/// A program that ended with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPack {
    /// Its hash.
    pub pack: String,
    /// When.
    pub at: String,
    /// The error.
    pub reason: String,
}
