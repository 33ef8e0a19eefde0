//! The header of a rule file: TOML in the leading SQL comments.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_anomaly::{Severity, Stage};

use crate::{Band, Interval, Parameter, Policies, Sampling};

/// What a rule says of itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Lower-case letters, digits and `_`; the same as the file's name.
    pub name: String,
    /// How urgent an anomaly of this rule is.
    pub severity: Severity,
    /// One sentence: what the rule looks for.
    pub description: String,
    /// Who is responsible.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: String,
    /// Words to find the rule by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The declared stream whose metrics `events` and `activity` are; Weir's own `events` when absent.
    pub stream: Option<String>,
    /// At most one alert a key in each such period; the alerter's default when absent.
    pub dedup: Option<Interval>,
    /// `active`, `shadow` (stored, never alerted) or `off` (not compiled).
    #[serde(default)]
    pub stage: Stage,
    /// What the `SELECT` may name as `${name}`.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// How many events the rule must see before it says anything.
    pub sampling: Option<Sampling>,
    /// Between which values the rule finds nothing.
    pub band: Option<Band>,
    /// Which findings do not count, for all keys or by key pattern.
    #[serde(default, rename = "policy")]
    pub policies: Policies,
}
