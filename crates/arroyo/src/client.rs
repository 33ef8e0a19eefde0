//! A client of one Arroyo: what can be asked of it.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ArroyoError, Fault,
    api::{
        Checkpoint, Collection, Diagnostic, Job, JobError, NewPipeline, OperatorMetrics, Patch, Pipeline, Stop, Udf,
        ValidatePost, Validation,
    },
    call::{Call, Caller, Timing},
};

/// Pipelines in one page. Arroyo's default is 10; it knows no largest. One page is also one moment: from page to page a
/// pipeline may go, and Arroyo 0.15 answers an empty page when asked for what comes after one that is gone.
const PAGE: usize = 1000;
/// Listings that are begun again because the list changed under them.
const LISTINGS: usize = 5;

/// How a finding of 0.15's validation ends that is about Arroyo, not about the program: its compiler is up a moment after its API.
const NOT_READY: &str = "-service not available";

/// A client of one Arroyo.
#[derive(Debug)]
pub struct Client(Caller);

/// How fast a job's sources hand out events, and whether what follows keeps up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Events a second, all sources together, as a moving average over about 20 s.
    pub events_per_second: f64,
    /// The fullest queue behind any operator, 0 to 1.
    pub backpressure: f64,
}

impl Client {
    /// A client of the Arroyo at `url` (`http://host:port`), with its API key when it has one.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(url: &str, key: Option<String>, timing: Timing) -> Result<Self, ArroyoError> {
        Caller::new(url, key, timing).map(Self)
    }

    /// The address, without the API's path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Whether an Arroyo answers and takes the key.
    ///
    /// # Errors
    /// As every call.
    pub async fn ping(&self) -> Result<(), ArroyoError> {
        let answer = self.0.retried("ping arroyo", "GET", "/ping", None, self.0.timing.call).await?;
        if String::from_utf8_lossy(&answer.body).to_ascii_lowercase().contains("pong") {
            return Ok(());
        }
        Err(self.0.not_arroyo("ping arroyo", &answer.body))
    }

    /// What Arroyo's planner has against a program; nothing when it takes it. User-defined functions are not compiled.
    ///
    /// # Errors
    /// As every call.
    pub async fn validate(&self, query: &str, udfs: &[Udf]) -> Result<Vec<Diagnostic>, ArroyoError> {
        let body = json("validate the program", &ValidatePost { query, udfs })?;
        let action = "validate the program";
        let path = "/pipelines/validate_query";
        let call = Call { action, method: "POST", path, body: Some(&body), limit: self.0.timing.create, unready };
        let answer = self.0.persist(call).await?;
        let validation: Validation = self.0.read(action, &answer.body)?;
        Ok(validation.errors.into_iter().map(Diagnostic::from).collect())
    }

    /// Every pipeline but previews, newest first.
    ///
    /// # Errors
    /// As every call.
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>, ArroyoError> {
        let action = "list pipelines";
        for _ in 0..LISTINGS {
            let mut all: Vec<Pipeline> = Vec::new();
            let whole = loop {
                let after = all.last().map_or_else(String::new, |last| format!("&starting_after={}", last.id));
                let page: Collection<Pipeline> = self.get(action, &format!("/pipelines?limit={PAGE}{after}")).await?;
                let (empty, more) = (page.data.is_empty(), page.has_more);
                all.extend(page.data);
                if !more {
                    // An empty page after one that promised more: the pipeline that it was to follow is gone.
                    break !empty || after.is_empty();
                }
                if empty {
                    break false;
                }
            };
            if whole {
                return Ok(all);
            }
        }
        Err(ArroyoError::new(Fault::Retryable, action, "the list changed each time it was read"))
    }

    /// One pipeline.
    ///
    /// # Errors
    /// As every call; [`Fault::Absent`] when there is none.
    pub async fn pipeline(&self, id: &str) -> Result<Pipeline, ArroyoError> {
        self.get(&format!("read pipeline {id}"), &format!("/pipelines/{id}")).await
    }

    /// Makes a pipeline, which starts at once. Tried once only: making is not idempotent, and after a fault that is
    /// [`Fault::Retryable`] nobody knows whether it was made.
    ///
    /// # Errors
    /// As every call.
    pub async fn create(&self, pipeline: &NewPipeline) -> Result<Pipeline, ArroyoError> {
        let action = format!("create pipeline {}", pipeline.name);
        let body = json(&action, pipeline)?;
        let answer = self.0.once(&action, "POST", "/pipelines", Some(&body), self.0.timing.create).await?;
        self.0.read(&action, &answer.body)
    }

    /// Changes a pipeline. The answer says that it was noted, not that it was done.
    ///
    /// # Errors
    /// As every call; [`Fault::Absent`] when there is none.
    pub async fn patch(&self, id: &str, patch: Patch) -> Result<(), ArroyoError> {
        let action = format!("change pipeline {id}");
        let body = json(&action, &patch)?;
        let changed =
            self.0.retried(&action, "PATCH", &format!("/pipelines/{id}"), Some(&body), self.0.timing.call).await;
        match changed {
            Ok(_) => Ok(()),
            // 0.15 says 400 where the version after says 404.
            Err(error) if error.kind == Fault::Refused && error.cause.contains("no jobs") => {
                Err(ArroyoError { kind: Fault::Absent, ..error })
            }
            Err(error) => Err(error),
        }
    }

    /// Asks a pipeline to stop, or with [`Stop::None`] to run.
    ///
    /// # Errors
    /// As every call; [`Fault::Absent`] when there is none.
    pub async fn stop(&self, id: &str, stop: Stop) -> Result<(), ArroyoError> {
        self.patch(id, Patch { stop: Some(stop), ..Patch::default() }).await
    }

    /// Starts a failed pipeline again, from its last checkpoint. Twice is no harm: it restarts twice.
    ///
    /// # Errors
    /// As every call.
    pub async fn restart(&self, id: &str) -> Result<(), ArroyoError> {
        let (action, path) = (format!("restart pipeline {id}"), format!("/pipelines/{id}/restart"));
        self.0.retried(&action, "POST", &path, Some(r#"{"force":false}"#), self.0.timing.call).await.map(|_| ())
    }

    /// Deletes a pipeline that has stopped. That it is gone already is no error.
    ///
    /// # Errors
    /// As every call; [`Fault::Refused`] while it runs.
    pub async fn delete(&self, id: &str) -> Result<(), ArroyoError> {
        let (action, path) = (format!("delete pipeline {id}"), format!("/pipelines/{id}"));
        match self.0.retried(&action, "DELETE", &path, None, self.0.timing.call).await {
            Err(error) if error.kind != Fault::Absent => Err(error),
            _ => Ok(()),
        }
    }

    /// The newest job of a pipeline; Arroyo makes one a pipeline.
    ///
    /// # Errors
    /// As every call; [`Fault::Absent`] when there is no such pipeline.
    pub async fn job(&self, pipeline: &str) -> Result<Option<Job>, ArroyoError> {
        let action = format!("read the job of pipeline {pipeline}");
        let jobs: Collection<Job> = self.get(&action, &format!("/pipelines/{pipeline}/jobs")).await?;
        Ok(jobs.data.into_iter().max_by_key(|job| job.created_at))
    }

    /// The checkpoints of a job that are kept.
    ///
    /// # Errors
    /// As every call.
    pub async fn checkpoints(&self, pipeline: &str, job: &str) -> Result<Vec<Checkpoint>, ArroyoError> {
        let action = format!("list checkpoints of pipeline {pipeline}");
        let path = format!("/pipelines/{pipeline}/jobs/{job}/checkpoints");
        self.get::<Collection<Checkpoint>>(&action, &path).await.map(|all| all.data)
    }

    /// The latest errors of a job, at most as many.
    ///
    /// # Errors
    /// As every call.
    pub async fn errors(&self, pipeline: &str, job: &str, most: usize) -> Result<Vec<JobError>, ArroyoError> {
        let action = format!("list errors of pipeline {pipeline}");
        let path = format!("/pipelines/{pipeline}/jobs/{job}/errors?limit={most}");
        self.get::<Collection<JobError>>(&action, &path).await.map(|all| all.data)
    }

    /// How fast a job's sources hand out events; `None` while Arroyo has measured nothing.
    ///
    /// # Errors
    /// As every call.
    pub async fn rates(&self, pipeline: &Pipeline, job: &str) -> Result<Option<Rates>, ArroyoError> {
        let action = format!("read metrics of pipeline {}", pipeline.id);
        let path = format!("/pipelines/{}/jobs/{job}/operator_metric_groups", pipeline.id);
        let operators = self.get::<Collection<OperatorMetrics>>(&action, &path).await?.data;
        let sources: Vec<u32> = pipeline.sources().collect();
        let mut sent: Option<f64> = None;
        let mut backpressure: f64 = 0.0;
        for operator in &operators {
            for group in &operator.metric_groups {
                let last = group.subtasks.iter().filter_map(|subtask| Some(subtask.metrics.last()?.value));
                match group.name.as_str() {
                    "messages_sent" if sources.contains(&operator.node_id) => {
                        sent = last.fold(sent, |sum, value| Some(sum.unwrap_or(0.0) + value));
                    }
                    "backpressure" => backpressure = last.fold(backpressure, f64::max),
                    _ => {}
                }
            }
        }
        Ok(sent.map(|events_per_second| Rates { events_per_second, backpressure }))
    }

    async fn get<T: DeserializeOwned>(&self, action: &str, path: &str) -> Result<T, ArroyoError> {
        let answer = self.0.retried(action, "GET", path, None, self.0.timing.call).await?;
        self.0.read(action, &answer.body)
    }
}

fn json<T: Serialize>(action: &str, value: &T) -> Result<String, ArroyoError> {
    serde_json::to_string(value).map_err(|e| ArroyoError::new(Fault::Configuration, action, e.to_string()))
}

/// What a validation says that is about Arroyo, not about the program.
fn unready(body: &[u8]) -> Option<String> {
    let validation: Validation = serde_json::from_slice(body).ok()?;
    let mut found = validation.errors.into_iter().map(|error| Diagnostic::from(error).message);
    found.find(|message| message.ends_with(NOT_READY))
}
