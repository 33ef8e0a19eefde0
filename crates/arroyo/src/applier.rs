//! What every step of applying shares: the cluster, how long things may take, and who is told.

use std::time::Duration;

use crate::{
    ArroyoError, Client, Fault,
    api::{Job, Pipeline},
};

/// Tells a person what is being done, a line at a time.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// Applies to one cluster.
pub struct Applier<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// How long things may take.
    pub patience: Patience,
    /// Who is told.
    pub progress: Progress<'a>,
}

impl std::fmt::Debug for Applier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier")
            .field("client", &self.client)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks. Arroyo's controller itself looks twice a second.
    pub poll: Duration,
    /// From the order to start until a pipeline runs and its first checkpoint is whole: planning, compiling functions,
    /// scheduling, and a checkpoint interval.
    pub start: Duration,
    /// From there until a new pipeline is as far as the old one: it may have a stream's whole retention to read.
    pub catch_up: Duration,
    /// For a checkpoint and the end. Past it the pipeline is stopped without a checkpoint.
    pub stop: Duration,
    /// How long Arroyo may take to act on a change before its old state is believed.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            start: Duration::from_secs(600),
            catch_up: Duration::from_secs(3600),
            stop: Duration::from_secs(300),
            settle: Duration::from_secs(15),
        }
    }
}

impl Applier<'_> {
    /// A pipeline and its job; `None` when it is gone.
    pub(crate) async fn look(&self, id: &str) -> Result<Option<(Pipeline, Option<Job>)>, ArroyoError> {
        let gone = |error: ArroyoError| if error.kind == Fault::Absent { Ok(None) } else { Err(error) };
        let pipeline = match self.client.pipeline(id).await {
            Ok(pipeline) => pipeline,
            Err(error) => return gone(error),
        };
        match self.client.job(id).await {
            Ok(job) => Ok(Some((pipeline, job))),
            Err(error) => gone(error),
        }
    }
}
