//! How each pipeline is, in plain words.

use serde::Serialize;

use crate::{
    ArroyoError, Client,
    api::{JobState, Stop},
    cluster::{Cluster, Deployed},
    parallelism::idle_subtasks,
};

/// Errors that are shown of a pipeline.
const ERRORS: usize = 3;
/// A checkpoint that is older than this many intervals is late.
const LATE_INTERVALS: u64 = 6;

/// 0.15 tells the panic of a task nowhere else.
pub(crate) const UNSAID: &str = "what ended it stands in the log of Arroyo's control task only";

/// How one pipeline is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PipelineStatus {
    /// Its name in Arroyo.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The state of its job, as Arroyo names it.
    pub state: String,
    /// Whether it does its work.
    pub well: bool,
    /// What is wrong, in plain words.
    pub problems: Vec<String>,
    /// How often it was started again.
    pub restarts: u64,
    /// Subtasks of each operator.
    pub parallelism: Option<u32>,
    /// Seconds since its newest whole checkpoint began.
    pub checkpoint_age_seconds: Option<u64>,
    /// That checkpoint's number.
    pub checkpoint: Option<u64>,
    /// Events that its source hands out.
    pub events_per_second: Option<f64>,
    /// The fullest queue, 0 to 1.
    pub backpressure: Option<f64>,
    /// The latest errors.
    pub errors: Vec<String>,
}

impl PipelineStatus {
    /// Holds the pipeline against the open shards of the stream that it reads: after a reshard one of its tasks may own none, which
    /// ends the pipeline, and Arroyo does not say so.
    pub fn check_shards(&mut self, open_shards: &[String]) {
        let idle = idle_subtasks(open_shards, self.parallelism.unwrap_or_default());
        if idle.is_empty() {
            return;
        }
        let idle = idle.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        self.well = false;
        self.problems.push(format!(
            "of the stream's {} open shards none falls to its task {idle}, and arroyo ends a pipeline with such a task; was the stream \
             resharded? `weir apply --after-reshard`",
            open_shards.len()
        ));
    }
}

/// Looks at every one of Weir's pipelines of an environment.
///
/// # Errors
/// As every call; a figure that cannot be had is left out.
pub async fn status(client: &Client, environment: &str, now_micros: u64) -> Result<Vec<PipelineStatus>, ArroyoError> {
    let cluster = Cluster::observe(client, environment).await?;
    let mut all = Vec::with_capacity(cluster.ours.len());
    for deployed in &cluster.ours {
        all.push(one(client, deployed, now_micros).await?);
    }
    Ok(all)
}

async fn one(client: &Client, deployed: &Deployed, now: u64) -> Result<PipelineStatus, ArroyoError> {
    let pipeline = &deployed.pipeline;
    let mut status = PipelineStatus {
        name: pipeline.name.clone(),
        id: pipeline.id.clone(),
        state: deployed.state().name().to_owned(),
        well: false,
        problems: Vec::new(),
        restarts: 0,
        parallelism: pipeline.parallelism(),
        checkpoint_age_seconds: None,
        checkpoint: None,
        events_per_second: None,
        backpressure: None,
        errors: Vec::new(),
    };
    let Some(job) = &deployed.job else {
        status.problems.push("it has no job: delete it and apply again".to_owned());
        return Ok(status);
    };
    status.restarts = job.run_id.saturating_sub(1);
    let checkpoints = client.checkpoints(&pipeline.id, &job.id).await?;
    let whole = checkpoints.iter().filter(|c| c.finish_time.is_some_and(|t| t > 0)).max_by_key(|c| c.epoch);
    status.checkpoint = whole.map(|c| c.epoch);
    status.checkpoint_age_seconds = whole.map(|c| now.saturating_sub(c.start_time) / 1_000_000);
    if deployed.is_running() {
        let rates = client.rates(pipeline, &job.id).await.ok().flatten();
        status.events_per_second = rates.map(|rates| rates.events_per_second);
        status.backpressure = rates.map(|rates| rates.backpressure);
    }
    let errors = client.errors(&pipeline.id, &job.id, ERRORS).await?;
    status.errors = errors.into_iter().map(|error| in_words(&error.message)).collect();
    status.problems = problems(deployed, &status);
    status.well = status.problems.is_empty();
    Ok(status)
}

fn problems(deployed: &Deployed, status: &PipelineStatus) -> Vec<String> {
    let mut found = Vec::new();
    match deployed.state() {
        JobState::Failed => {
            let reason = deployed.job.as_ref().and_then(crate::api::Job::failure).map(|text| in_words(&text));
            let reason = reason.unwrap_or_else(|| "it says no reason".to_owned());
            let reason = if status.errors.is_empty() { format!("{reason} ({UNSAID})") } else { reason };
            let after =
                if status.restarts > 0 { format!(" after {} restarts", status.restarts) } else { String::new() };
            found.push(format!("arroyo gave it up{after}: {reason}; `weir apply` starts it again"));
        }
        JobState::Stopped => {
            found.push("it is stopped; `weir apply` starts it again from its last checkpoint".to_owned())
        }
        JobState::Finished => found.push("its sources have ended; `weir apply` makes it anew".to_owned()),
        JobState::Running if deployed.pipeline.stop == Stop::None => {
            let interval = deployed.pipeline.checkpoint_interval_micros / 1_000_000;
            match status.checkpoint_age_seconds {
                Some(age) if interval > 0 && age > interval * LATE_INTERVALS => found.push(format!(
                    "its last whole checkpoint is {age} s old, and one is due every {interval} s: a failure now would read \
                     that much again"
                )),
                None => found.push("it has no checkpoint yet".to_owned()),
                Some(_) => {}
            }
            if status.backpressure.is_some_and(|full| full > 0.9) {
                found.push("its queues are full: it does not keep up with the stream".to_owned());
            }
        }
        state => found.push(format!("it is {}, not running", state.name())),
    }
    if !deployed.is_genuine() {
        found.push("it holds another program than its name says: made by hand; `weir apply` replaces it".to_owned());
    }
    found
}

/// Messages of Arroyo 0.15 that a person would have to look up.
fn in_words(message: &str) -> String {
    let known = [
        ("self.is_terminated", "a source task owns no open shard (after a reshard: `weir apply --after-reshard`)"),
        ("select_next_some", "a source task owns no open shard (after a reshard: `weir apply --after-reshard`)"),
        (
            "ResourceNotFoundException",
            "the stream, or a shard that it had, is gone (after a reshard: `weir apply --after-reshard`)",
        ),
        ("ProvisionedThroughputExceeded", "the shard's five reads a second are used up: too many readers"),
        ("ExpiredToken", "the task's credentials have expired"),
        ("AccessDenied", "the task's role may not do this"),
        ("dispatch failure", "AWS could not be reached from the task, or it has no credentials"),
    ];
    match known.iter().find(|(pattern, _)| message.contains(pattern)) {
        Some((_, words)) => format!("{words}: {message}"),
        None => message.to_owned(),
    }
}
