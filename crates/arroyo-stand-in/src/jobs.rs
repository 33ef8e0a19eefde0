//! Pipelines and the states of their jobs.

use serde_json::Value;

/// Runs that a job begins before it is given up; 21 in Arroyo, few here.
const RUNS: u64 = 3;
/// Looks at the metrics for which a pipeline with a backlog reads fast.
const BACKLOG_LOOKS: u32 = 4;

/// The states of a job, as Arroyo names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Arroyo's")]
pub enum State {
    Created,
    Compiling,
    Scheduling,
    Running,
    Rescaling,
    CheckpointStopping,
    Recovering,
    Restarting,
    Stopping,
    Stopped,
    Finishing,
    Finished,
    Failed,
}

impl State {
    const ALL: [Self; 13] = [
        Self::Created,
        Self::Compiling,
        Self::Scheduling,
        Self::Running,
        Self::Rescaling,
        Self::CheckpointStopping,
        Self::Recovering,
        Self::Restarting,
        Self::Stopping,
        Self::Stopped,
        Self::Finishing,
        Self::Finished,
        Self::Failed,
    ];

    pub(crate) fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|state| format!("{state:?}") == name);
        found.unwrap_or_else(|| panic!("Arroyo has a state that is not known here: `{name}`"))
    }
}

/// A pipeline and its job.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of Arroyo's answers")]
pub struct Entry {
    pub id: String,
    pub name: String,
    pub query: String,
    pub udfs: Value,
    pub parallelism: u32,
    pub interval: u64,
    pub stop: String,
    pub created_at: u64,
    pub state: State,
    pub run_id: u64,
    pub failure: Option<String>,
    /// Whole checkpoints.
    pub checkpoints: u64,
    /// A restart or a rescale that the controller has yet to see.
    pub(crate) restart: bool,
    pub(crate) rescale: bool,
    /// The state machine has panicked: nothing moves any more.
    pub(crate) dead: bool,
    pub(crate) ticks: u64,
    pub(crate) looks: u32,
}

impl Entry {
    /// As it is made.
    pub(crate) fn new(id: String, name: String, query: String, udfs: Value) -> Self {
        Self {
            id,
            name,
            query,
            udfs,
            parallelism: 1,
            interval: 10_000_000,
            stop: "none".to_owned(),
            created_at: 0,
            state: State::Created,
            run_id: 0,
            failure: None,
            checkpoints: 0,
            restart: false,
            rescale: false,
            dead: false,
            ticks: 0,
            looks: 0,
        }
    }

    fn says(&self, word: &str) -> bool {
        self.query.contains(word)
    }

    /// The part of the name that says which pack it is.
    #[must_use]
    pub fn pack(&self) -> &str {
        self.name.split('@').next().unwrap_or_default()
    }

    /// Whether it processes events and will go on to.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Running | State::Rescaling) && self.stop == "none"
    }

    pub(crate) fn put_into(&mut self, state: State) {
        self.state = state;
        match state {
            State::Running | State::Finished => (self.run_id, self.checkpoints) = (1, 3),
            State::Stopped => (self.run_id, self.checkpoints, self.stop) = (1, 3, "checkpoint".to_owned()),
            State::CheckpointStopping | State::Stopping => (self.run_id, self.stop) = (1, "checkpoint".to_owned()),
            State::Failed => {
                self.run_id = RUNS;
                self.failure = Some("task panicked".to_owned());
            }
            _ => {}
        }
    }

    /// The controller looks once.
    pub(crate) fn tick(&mut self) {
        if self.dead {
            return;
        }
        self.ticks += 1;
        let run = self.stop == "none";
        self.state = match self.state {
            State::Created | State::Compiling | State::Scheduling | State::Recovering if !run => State::Stopped,
            State::Created => State::Compiling,
            State::Compiling => State::Scheduling,
            State::Scheduling if self.says("#stuck ") => State::Scheduling,
            State::Scheduling | State::Recovering | State::Restarting => {
                self.run_id += 1;
                State::Running
            }
            State::Running if self.stop == "checkpoint" => State::CheckpointStopping,
            State::Running if !run => State::Stopping,
            State::Running if self.says("#fails") && self.run_id >= RUNS => {
                self.failure = Some("panicked at source.rs: assertion failed: !self.is_terminated()".to_owned());
                State::Failed
            }
            State::Running if self.says("#fails") => State::Recovering,
            State::Running if self.rescale => State::Rescaling,
            State::Running => {
                if self.ticks.is_multiple_of(2) && !self.says("#no-checkpoint") {
                    self.checkpoints += 1;
                }
                State::Running
            }
            State::Rescaling => {
                self.rescale = false;
                self.checkpoints += 1;
                State::Scheduling
            }
            State::CheckpointStopping if self.stop == "immediate" => State::Stopped,
            State::CheckpointStopping if self.says("#stuck-stopping") => State::CheckpointStopping,
            State::CheckpointStopping => {
                self.checkpoints += 1;
                State::Stopped
            }
            State::Stopping => State::Stopped,
            State::Stopped if run => State::Scheduling,
            State::Failed if self.restart => {
                self.failure = None;
                self.run_id = 0;
                State::Restarting
            }
            State::Finishing => State::Finished,
            stays => stays,
        };
        if self.state != State::Failed {
            self.restart = false;
        }
    }

    /// Events a second, and how full the queues are: what the metrics say.
    pub(crate) fn rate(&mut self) -> (f64, f64) {
        self.looks += 1;
        if self.says("#backlog") && self.looks <= BACKLOG_LOOKS { (27_000.0, 0.9) } else { (1000.0, 0.0) }
    }
}
