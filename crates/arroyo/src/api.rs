//! What Arroyo's REST API says, as far as Weir reads it: the shapes of 0.15 and of the next version.
//!
//! Unknown fields are passed over, so that an addition breaks nothing. Times are microseconds since the epoch.

use serde::{Deserialize, Serialize};

/// A user-defined function that a program calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Udf {
    /// Its source.
    pub definition: String,
    /// `rust` or `python`.
    #[serde(default = "rust")]
    pub language: String,
}

fn rust() -> String {
    "rust".to_owned()
}

/// One pipeline.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pipeline {
    /// Its id, `pl_…`.
    pub id: String,
    /// Its name. Names are not unique.
    pub name: String,
    /// Its program.
    pub query: String,
    /// The functions that its program calls.
    #[serde(default)]
    pub udfs: Vec<Udf>,
    /// Time between checkpoints.
    #[serde(default)]
    pub checkpoint_interval_micros: u64,
    /// How it was asked to stop: `none` when it is to run.
    #[serde(default)]
    pub stop: Stop,
    /// When it was made.
    #[serde(default)]
    pub created_at: u64,
    /// Its operators.
    #[serde(default)]
    pub graph: Graph,
}

/// How a pipeline is to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Not at all: run.
    #[default]
    None,
    /// After a last checkpoint: the clean way.
    Checkpoint,
    /// After what is in flight, without a checkpoint.
    Graceful,
    /// At once.
    Immediate,
    /// At once, by ending the workers.
    Force,
}

/// A pipeline's operators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Graph {
    /// Each with its parallelism.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// From one to the next.
    #[serde(default)]
    pub edges: Vec<Edge>,
}

/// One operator, or a chain of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its id in the graph.
    pub node_id: u32,
    /// Its subtasks.
    #[serde(default)]
    pub parallelism: u32,
}

/// From one operator to the next.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Edge {
    /// From.
    pub src_id: u32,
    /// To.
    pub dest_id: u32,
}

impl Pipeline {
    /// The parallelism of its operators; they all have the same (the API knows no other). `None` when it tells none.
    #[must_use]
    pub fn parallelism(&self) -> Option<u32> {
        self.graph.nodes.iter().map(|node| node.parallelism).filter(|p| *p > 0).max()
    }

    /// The operators that nothing leads into.
    pub(crate) fn sources(&self) -> impl Iterator<Item = u32> {
        let fed: Vec<u32> = self.graph.edges.iter().map(|edge| edge.dest_id).collect();
        self.graph.nodes.iter().map(|node| node.node_id).filter(move |id| !fed.contains(id))
    }
}

/// One run of a pipeline. Arroyo makes one a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// How often it was started: the first run is 1.
    #[serde(default)]
    pub run_id: u64,
    /// When this run began.
    #[serde(default)]
    pub start_time: Option<u64>,
    /// When it was made.
    #[serde(default)]
    pub created_at: u64,
    /// Why it failed, in 0.15.
    #[serde(default)]
    failure_message: Option<String>,
    /// Why it failed, in the version after.
    #[serde(default)]
    failure_reason: Option<FailureReason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct FailureReason {
    error: String,
    #[serde(default)]
    domain: Option<String>,
}

impl Job {
    /// Why the job failed, when it says so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let reason = self.failure_reason.as_ref().map(|reason| match &reason.domain {
            Some(domain) => format!("{} ({domain})", reason.error),
            None => reason.error.clone(),
        });
        reason.or_else(|| self.failure_message.clone()).filter(|text| !text.trim().is_empty())
    }
}

/// The states of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum JobState {
    /// It processes events.
    Running,
    /// On its way to `Running`, or back to it: created, compiling, scheduling, recovering, restarting, rescaling.
    Starting(String),
    /// On its way to an end.
    Stopping(String),
    /// It was stopped and may be started again from its last checkpoint.
    Stopped,
    /// Its sources have ended. It cannot be started again.
    Finished,
    /// Arroyo gave it up: after 20 restarts without two healthy minutes between, or at once where nothing could run.
    Failed,
    /// A state that this version of Weir does not know.
    Unknown(String),
}

impl From<String> for JobState {
    fn from(name: String) -> Self {
        match name.as_str() {
            "Running" => Self::Running,
            "Created" | "Compiling" | "Scheduling" | "Rescaling" | "Recovering" | "Restarting" => Self::Starting(name),
            "CheckpointStopping" | "Stopping" | "Finishing" => Self::Stopping(name),
            "Stopped" => Self::Stopped,
            "Finished" => Self::Finished,
            "Failed" => Self::Failed,
            _ => Self::Unknown(name),
        }
    }
}

impl JobState {
    /// The name as Arroyo writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Running => "Running",
            Self::Stopped => "Stopped",
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::Starting(name) | Self::Stopping(name) | Self::Unknown(name) => name,
        }
    }

    /// Whether Arroyo lets a pipeline be deleted in it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Stopped | Self::Finished | Self::Failed)
    }
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Checkpoint {
    /// Its number within the job.
    pub epoch: u64,
    /// When it began.
    #[serde(default)]
    pub start_time: u64,
    /// When it was whole; `None` while it is written.
    #[serde(default)]
    pub finish_time: Option<u64>,
}

/// An error that a running job met.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobError {
    /// Its id, which paging goes by.
    pub id: String,
    /// When.
    #[serde(default)]
    pub created_at: u64,
    /// Which operator.
    #[serde(default)]
    pub operator_id: Option<String>,
    /// In short.
    pub message: String,
    /// At length.
    #[serde(default)]
    pub details: String,
}

/// What is wrong with a program, as Arroyo's planner says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What.
    pub message: String,
    /// Line and column in the program, from 1; 0.15 does not tell them.
    pub place: Option<(u64, u64)>,
}

/// A list, or a page of one.
#[derive(Debug, Deserialize)]
pub(crate) struct Collection<T> {
    pub(crate) data: Vec<T>,
    /// Absent where lists are whole.
    #[serde(default, rename = "hasMore")]
    pub(crate) has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Validation {
    pub(crate) errors: Vec<WireDiagnostic>,
}

/// A string in 0.15, an object in the version after.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum WireDiagnostic {
    Text(String),
    Object {
        message: String,
        #[serde(default)]
        span: Option<WireSpan>,
    },
}

#[derive(Debug, Deserialize)]
pub(crate) struct WireSpan {
    start: WireLocation,
}

#[derive(Debug, Deserialize)]
struct WireLocation {
    line: u64,
    column: u64,
}

impl From<WireDiagnostic> for Diagnostic {
    fn from(wire: WireDiagnostic) -> Self {
        match wire {
            WireDiagnostic::Text(message) => Self { message, place: None },
            WireDiagnostic::Object { message, span } => {
                Self { message, place: span.map(|span| (span.start.line, span.start.column)).filter(|p| p.0 > 0) }
            }
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ValidatePost<'a> {
    pub(crate) query: &'a str,
    pub(crate) udfs: &'a [Udf],
}

/// A pipeline to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPipeline {
    /// Its name.
    pub name: String,
    /// Its program.
    pub query: String,
    /// The functions that its program calls.
    pub udfs: Vec<Udf>,
    /// Subtasks of each operator.
    pub parallelism: u32,
    /// Time between checkpoints; the cluster's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_interval_micros: Option<u64>,
}

/// What is to change in a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Subtasks of each operator: a running job writes a checkpoint and goes on with as many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Time between checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_interval_micros: Option<u64>,
    /// Stop, or with [`Stop::None`] start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OperatorMetrics {
    pub(crate) node_id: u32,
    #[serde(default)]
    pub(crate) metric_groups: Vec<MetricGroup>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MetricGroup {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) subtasks: Vec<SubtaskMetrics>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SubtaskMetrics {
    #[serde(default)]
    pub(crate) metrics: Vec<Metric>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Metric {
    pub(crate) value: f64,
}
