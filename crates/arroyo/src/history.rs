//! What was deployed, when, by whom and from which commit: enough to deploy it again.

use serde::{Deserialize, Serialize};

use crate::Pack;

/// Which engine a deployment was for. What is compiled for one is no program for the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// An Arroyo cluster; also what deployments were for that name none.
    #[default]
    Arroyo,
    /// The embedded engine's service.
    Embedded,
}

/// One deployment that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number in the environment, from 1.
    pub number: u64,
    /// The environment.
    pub environment: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The Git commit that the rules were compiled from; with `+` where files differed from it.
    #[serde(default)]
    pub commit: Option<String>,
    /// What was done: `apply`, or `rollback to N`.
    pub how: String,
    /// Which engine it was for.
    #[serde(default)]
    pub engine: Engine,
    /// Subtasks of each operator.
    pub parallelism: u32,
    /// The packs, whole.
    pub packs: Vec<Pack>,
}

impl Deployment {
    /// The packs' names with their hashes, for a line of a list.
    #[must_use]
    pub fn packs_in_short(&self) -> String {
        let named: Vec<String> = self.packs.iter().map(|pack| format!("{}@{}", pack.name, pack.hash())).collect();
        named.join(", ")
    }
}
