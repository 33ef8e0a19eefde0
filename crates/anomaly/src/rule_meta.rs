//! What an anomaly says of the rule that found it.

use serde::{Deserialize, Serialize};

/// What an anomaly says of its rule. It travels with the record, so that the alerter needs no catalogue and two
/// versions of a rule can overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleMeta {
    /// One sentence: what the rule looks for.
    pub description: String,
    /// Who is responsible.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: String,
    /// The dedup period, seconds; `None` leaves it to the alerter's default.
    pub dedup_seconds: Option<u64>,
    /// Whether people are alerted.
    pub stage: Stage,
}

/// Whether a rule's anomalies reach people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Stored and alerted.
    #[default]
    Active,
    /// Stored, never alerted: a rule on trial.
    Shadow,
    /// Not compiled at all.
    Off,
}
