//! What runs: Weir's pipelines of one environment, found by their names.

use crate::{
    ArroyoError, Client, Fault,
    api::{Job, JobState, Pipeline, Stop},
    pack::PipelineName,
};

/// What an Arroyo holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Weir's pipelines of the environment, newest first.
    pub ours: Vec<Deployed>,
    /// All others: never touched, but they may read the same stream.
    pub foreign: Vec<Pipeline>,
}

/// One of Weir's pipelines.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// As Arroyo holds it.
    pub pipeline: Pipeline,
    /// What its name says.
    pub name: PipelineName,
    /// The hash of what it holds.
    pub content: String,
    /// Its run.
    pub job: Option<Job>,
}

impl Deployed {
    /// Whether its name and its content agree: otherwise somebody made it by hand.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        self.name.hash == self.content
    }

    /// Whether it processes events, or is on its way to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let state = self.state();
        self.pipeline.stop == Stop::None
            && matches!(state, JobState::Running | JobState::Starting(_) | JobState::Unknown(_))
    }

    /// The state of its job.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.job.as_ref().map_or_else(|| JobState::Starting("Created".to_owned()), |job| job.state.clone())
    }

    /// Whether it processes events now.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state() == JobState::Running && self.pipeline.stop == Stop::None
    }
}

impl Cluster {
    /// Looks.
    ///
    /// # Errors
    /// As every call.
    pub async fn observe(client: &Client, environment: &str) -> Result<Self, ArroyoError> {
        let mut cluster = Self { ours: Vec::new(), foreign: Vec::new() };
        for pipeline in client.pipelines().await? {
            let Some(name) = pipeline.weir_name(environment) else {
                cluster.foreign.push(pipeline);
                continue;
            };
            let job = match client.job(&pipeline.id).await {
                Ok(job) => job,
                // Deleted since it was listed.
                Err(error) if error.kind == Fault::Absent => continue,
                Err(error) => return Err(error),
            };
            cluster.ours.push(Deployed { content: pipeline.content_hash(), pipeline, name, job });
        }
        Ok(cluster)
    }

    /// The pipelines of a pack.
    pub fn of<'a>(&'a self, pack: &'a str) -> impl Iterator<Item = &'a Deployed> {
        self.ours.iter().filter(move |deployed| deployed.name.pack == pack)
    }

    /// Of the pipelines that hold exactly this content, the one to keep: one that runs before one that does not, then the
    /// newest. One whose sources have ended can never run again.
    #[must_use]
    pub fn keeper(&self, name: &PipelineName) -> Option<&Deployed> {
        let rank = |deployed: &Deployed| match deployed.state() {
            _ if deployed.is_running() => 4,
            JobState::Starting(_) | JobState::Running | JobState::Unknown(_) => 3,
            JobState::Stopped | JobState::Stopping(_) => 2,
            JobState::Failed | JobState::Finished => 1,
        };
        self.ours
            .iter()
            .filter(|deployed| {
                deployed.name == *name && deployed.is_genuine() && deployed.state() != JobState::Finished
            })
            .max_by_key(|deployed| (rank(deployed), deployed.pipeline.created_at))
    }
}
