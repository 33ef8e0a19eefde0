//! A client of one Arroyo: each call with a time-out, and tried again where that cannot do the same thing twice.

use std::time::Duration;

use aws_smithy_http_client::{
    Connector,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ArroyoError, Fault,
    api::{
        Checkpoint, Collection, Diagnostic, Job, JobError, NewPipeline, OperatorMetrics, Patch, Pipeline, Stop, Udf,
        ValidatePost, Validation,
    },
};

/// Pipelines in one page. Arroyo's default is 10; it knows no largest. One page is also one moment: from page to page a
/// pipeline may go, and Arroyo 0.15 answers an empty page when asked for what comes after one that is gone.
const PAGE: usize = 1000;
/// Listings that are begun again because the list changed under them.
const LISTINGS: usize = 5;
/// Bytes of an answer that is shown to a person.
const SHOWN: usize = 400;

/// How a finding of 0.15's validation ends that is about Arroyo, not about the program: its compiler is up a moment after its API.
const NOT_READY: &str = "-service not available";

/// How long to wait and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// One call. Arroyo answers from its database: it takes seconds only when it is not well.
    pub call: Duration,
    /// Making or validating a pipeline: the program is planned, and user-defined functions are compiled, the first one with all
    /// that it depends on (six minutes of CPU for the one of `sql/udfs`).
    pub create: Duration,
    /// Tries for a call, the first included.
    pub attempts: u32,
    /// The pause before the second try; doubled each time.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(15),
            create: Duration::from_secs(1200),
            attempts: 6,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(8),
        }
    }
}

/// A client of one Arroyo.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    url: String,
    key: Option<String>,
    timing: Timing,
}

/// How fast a job's sources hand out events, and whether what follows keeps up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Events a second, all sources together, as a moving average over about 20 s.
    pub events_per_second: f64,
    /// The fullest queue behind any operator, 0 to 1.
    pub backpressure: f64,
}

/// The answer to a call: status and body.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// A call that may be made twice without harm.
struct Call<'a> {
    action: &'a str,
    method: &'a str,
    path: &'a str,
    body: Option<&'a str>,
    limit: Duration,
    /// Why an answer of success means "not now".
    unready: fn(&[u8]) -> Option<String>,
}

impl Client {
    /// A client of the Arroyo at `url` (`http://host:port`), with its API key when it has one.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(url: &str, key: Option<String>, timing: Timing) -> Result<Self, ArroyoError> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/api/v1").unwrap_or(url);
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            let cause = format!("`{url}` is no address");
            return Err(ArroyoError::new(Fault::Configuration, "reach arroyo", cause)
                .hint("it looks like http://127.0.0.1:5115, without /api/v1"));
        }
        let settings = HttpConnectorSettings::builder().connect_timeout(timing.call).build();
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .connector_settings(settings)
            .build();
        Ok(Self { connector, url: url.to_owned(), key, timing })
    }

    /// The address, without the API's path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether an Arroyo answers and takes the key.
    ///
    /// # Errors
    /// As every call.
    pub async fn ping(&self) -> Result<(), ArroyoError> {
        let answer = self.retried("ping arroyo", "GET", "/ping", None, self.timing.call).await?;
        if String::from_utf8_lossy(&answer.body).to_ascii_lowercase().contains("pong") {
            return Ok(());
        }
        Err(self.not_arroyo("ping arroyo", &answer.body))
    }

    /// What Arroyo's planner has against a program; nothing when it takes it. User-defined functions are not compiled.
    ///
    /// # Errors
    /// As every call.
    pub async fn validate(&self, query: &str, udfs: &[Udf]) -> Result<Vec<Diagnostic>, ArroyoError> {
        let body = json("validate the program", &ValidatePost { query, udfs })?;
        let action = "validate the program";
        let path = "/pipelines/validate_query";
        let call = Call { action, method: "POST", path, body: Some(&body), limit: self.timing.create, unready };
        let answer = self.persist(call).await?;
        let validation: Validation = self.read(action, &answer.body)?;
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
        let answer = self.once(&action, "POST", "/pipelines", Some(&body), self.timing.create).await?;
        self.read(&action, &answer.body)
    }

    /// Changes a pipeline. The answer says that it was noted, not that it was done.
    ///
    /// # Errors
    /// As every call; [`Fault::Absent`] when there is none.
    pub async fn patch(&self, id: &str, patch: Patch) -> Result<(), ArroyoError> {
        let action = format!("change pipeline {id}");
        let body = json(&action, &patch)?;
        let changed = self.retried(&action, "PATCH", &format!("/pipelines/{id}"), Some(&body), self.timing.call).await;
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
        self.retried(&action, "POST", &path, Some(r#"{"force":false}"#), self.timing.call).await.map(|_| ())
    }

    /// Deletes a pipeline that has stopped. That it is gone already is no error.
    ///
    /// # Errors
    /// As every call; [`Fault::Refused`] while it runs.
    pub async fn delete(&self, id: &str) -> Result<(), ArroyoError> {
        let (action, path) = (format!("delete pipeline {id}"), format!("/pipelines/{id}"));
        match self.retried(&action, "DELETE", &path, None, self.timing.call).await {
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
        let answer = self.retried(action, "GET", path, None, self.timing.call).await?;
        self.read(action, &answer.body)
    }

    fn read<T: DeserializeOwned>(&self, action: &str, body: &[u8]) -> Result<T, ArroyoError> {
        serde_json::from_slice(body).map_err(|_| self.not_arroyo(action, body))
    }

    fn not_arroyo(&self, action: &str, body: &[u8]) -> ArroyoError {
        let cause = format!("an answer that is not Arroyo's: {}", shown(body));
        ArroyoError::new(Fault::Configuration, action, cause)
            .hint(format!("is {} the address of Arroyo's API?", self.url))
    }

    /// A call that may be made twice without harm.
    async fn retried(
        &self,
        action: &str,
        method: &str,
        path: &str,
        body: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, ArroyoError> {
        self.persist(Call { action, method, path, body, limit, unready: |_| None }).await
    }

    /// Makes a call again while its answer says "not now".
    async fn persist(&self, call: Call<'_>) -> Result<Answer, ArroyoError> {
        let mut pause = self.timing.first_pause;
        let mut tries = 1;
        loop {
            let answered = self.once(call.action, call.method, call.path, call.body, call.limit).await;
            let answered = answered.and_then(|answer| match (call.unready)(&answer.body) {
                Some(cause) => Err(ArroyoError::new(Fault::Retryable, call.action, cause)),
                None => Ok(answer),
            });
            match answered {
                Err(error) if error.kind == Fault::Retryable && tries < self.timing.attempts => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.timing.longest_pause);
                    tries += 1;
                }
                Err(mut error) if error.kind == Fault::Retryable => {
                    error.cause = format!("{} (tried {tries} times)", error.cause);
                    return Err(error);
                }
                answered => return answered,
            }
        }
    }

    async fn once(
        &self,
        action: &str,
        method: &str,
        path: &str,
        body: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, ArroyoError> {
        let late = || {
            let cause = format!("{} did not answer within {} s", self.url, limit.as_secs_f64());
            ArroyoError::new(Fault::Retryable, action, cause)
        };
        let answer = tokio::time::timeout(limit, self.send(action, method, path, body)).await.map_err(|_| late())??;
        self.judge(action, answer)
    }

    async fn send(&self, action: &str, method: &str, path: &str, body: Option<&str>) -> Result<Answer, ArroyoError> {
        let address = format!("{}/api/v1{path}", self.url);
        let wrong = |cause: String| ArroyoError::new(Fault::Configuration, action, cause);
        let lost = |cause: String| {
            let cause = format!("{} cannot be reached: {cause}", self.url);
            ArroyoError::new(Fault::Retryable, action, cause)
                .hint("is Arroyo up, and is the tunnel open? `weir ui` opens one")
        };
        let mut request = HttpRequest::new(body.map_or_else(SdkBody::empty, SdkBody::from));
        request.set_method(method).map_err(|e| wrong(e.to_string()))?;
        request.set_uri(address).map_err(|e| wrong(e.to_string()))?;
        if body.is_some() {
            request.headers_mut().insert("content-type", "application/json");
        }
        if let Some(key) = &self.key {
            let value = format!("Bearer {key}");
            // The value itself must not be said.
            request
                .headers_mut()
                .try_insert("authorization", value)
                .map_err(|_| wrong("the API key holds characters that no header can".to_owned()))?;
        }
        let response = self.connector.call(request).await.map_err(|e| lost(chain(&e)))?;
        let status = response.status().as_u16();
        let bytes = ByteStream::new(response.into_body()).collect().await.map_err(|e| lost(chain(&e)))?;
        Ok(Answer { status, body: bytes.to_vec() })
    }

    fn judge(&self, action: &str, answer: Answer) -> Result<Answer, ArroyoError> {
        let said = said(&answer.body);
        let fault = |kind, cause| Err(ArroyoError::new(kind, action, cause));
        match answer.status {
            200..=299 => Ok(answer),
            401 | 403 => {
                let what = if self.key.is_some() { "the API key is refused" } else { "arroyo wants an API key" };
                let hint = "WEIR_ARROYO_KEY is the key; without it, it is read from the stack's secret";
                fault(Fault::Configuration, what.to_owned()).map_err(|e| e.hint(hint))
            }
            404 => fault(Fault::Absent, said),
            408 | 429 | 500..=599 => fault(Fault::Retryable, format!("{} {said}", answer.status)),
            _ => fault(Fault::Refused, said),
        }
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

/// The `error` of Arroyo's own answers, or what else was answered.
fn said(body: &[u8]) -> String {
    let own = serde_json::from_slice::<serde_json::Value>(body).ok();
    own.and_then(|value| Some(value.get("error")?.as_str()?.to_owned())).unwrap_or_else(|| shown(body))
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "an empty answer".to_owned() } else { text.chars().take(SHOWN).collect() }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}
