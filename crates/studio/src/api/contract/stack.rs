//! What runs and what it found.

use serde::{Deserialize, Serialize};

use super::Fault;

/// What runs.
#[derive(Debug, Serialize)]
pub struct RunningStatus {
    /// What a person calls it.
    pub name: String,
    /// What `weir status` says of its parts; none where only the commands of AWS know.
    pub status: Option<serde_json::Value>,
    /// Of an environment, what `weir status` says of its pipelines: each with its name, state, problems and age of the checkpoint.
    pub pipelines: Option<Vec<serde_json::Value>>,
    /// Why the pipelines cannot be asked.
    pub pipelines_fault: Option<Fault>,
    /// Whether it can be reached, and why not.
    pub fault: Option<Fault>,
}

/// An anomaly of the store, or one that just came by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredEntry {
    /// Its id.
    pub id: String,
    /// The rule that found it.
    pub rule: String,
    /// That rule's version.
    pub rule_version: String,
    /// How urgent it is.
    pub severity: String,
    /// What is anomalous.
    pub key: String,
    /// Its time, milliseconds.
    pub time: i64,
    /// The window's start.
    pub window_start: Option<i64>,
    /// The window's end.
    pub window_end: Option<i64>,
    /// What was seen.
    pub value: Option<f64>,
    /// What was expected.
    pub expected: Option<f64>,
    /// How unusual it is.
    pub score: f64,
    /// What the rule looks for.
    pub description: String,
    /// Who is responsible.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: String,
    /// Further columns of the rule.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// `alert`, `shadow`, `below_floor` or `silenced`; none of one that is not stored yet.
    pub disposition: Option<String>,
    /// When it was stored, milliseconds.
    pub first_seen: Option<i64>,
    /// How often it arrived.
    pub times_seen: Option<i64>,
    /// The alert that it counts for.
    pub alert_id: Option<String>,
}

/// Anomalies of the store to list: of a rule, or of a key.
#[derive(Debug, Deserialize)]
pub struct StoredRequest {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this key.
    pub key: Option<String>,
    /// Only those before this time, milliseconds.
    pub before: Option<i64>,
    /// At most so many.
    pub most: Option<usize>,
}

/// Anomalies of the store, the newest first.
#[derive(Debug, Serialize)]
pub struct StoredPage {
    /// They.
    pub anomalies: Vec<StoredEntry>,
    /// Where to go on: those before this time, milliseconds; none where these are all.
    pub next: Option<i64>,
}

/// What is known of a stored anomaly.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// It.
    pub anomaly: StoredEntry,
    /// The rule as it was; none where that version is nowhere to be found.
    pub rule_text: Option<String>,
    /// Where that text was found.
    pub found_in: Option<String>,
    /// The environments that give this version.
    pub environments: Vec<String>,
    /// Its parameters as they were: name and value.
    pub parameters: Vec<(String, String)>,
}

/// The same computed again from the events.
#[derive(Debug, Serialize)]
pub struct Recomputation {
    /// The events of the window and around it: series, times and values.
    pub series: Vec<ExplainedSeries>,
    /// Whether the same comes of the same events, in words.
    pub said: String,
    /// Whether the very same anomaly came of them.
    pub same: bool,
}

/// The events of a series.
#[derive(Debug, Serialize)]
pub struct ExplainedSeries {
    /// `source/metric`.
    pub name: String,
    /// Times, milliseconds.
    pub x: Vec<f64>,
    /// Values.
    pub y: Vec<f64>,
}

/// An alert that is not closed.
#[derive(Debug, Serialize)]
pub struct OpenAlert {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The key.
    pub key: String,
    /// How urgent it is.
    pub severity: String,
    /// `due` or `open`.
    pub state: String,
    /// When it became due, milliseconds.
    pub since: i64,
    /// The end of its period.
    pub until: i64,
    /// Its first anomaly.
    pub first_id: String,
}

/// A silence.
#[derive(Debug, Serialize)]
pub struct SilenceEntry {
    /// Its id.
    pub id: String,
    /// Which rules.
    pub rule: String,
    /// Which keys.
    pub key: String,
    /// Its end, milliseconds.
    pub until: i64,
    /// Who made it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// A silence to make.
#[derive(Debug, Clone, Deserialize)]
pub struct SilenceRequest {
    /// Which rules; `*` stands for any text.
    pub rule: String,
    /// Which keys.
    pub key: String,
    /// How long it lasts, as `2h`.
    pub lasts: String,
    /// Why.
    pub why: String,
}

/// A record to send again.
#[derive(Debug, Deserialize)]
pub struct SendAgainRequest {
    /// The record.
    pub record_id: String,
    /// The stream that it came from.
    pub stream: String,
}
