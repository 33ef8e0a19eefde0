//! One call to an Arroyo: with a time-out, and tried again where that cannot do the same thing twice.

use std::fmt;
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
use serde::de::DeserializeOwned;

use crate::{ArroyoError, Fault};

/// Bytes of an answer that is shown to a person.
const SHOWN: usize = 400;

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

/// The way to one Arroyo.
pub(crate) struct Caller {
    connector: Connector,
    pub(crate) url: String,
    key: Option<String>,
    pub(crate) timing: Timing,
}

/// The key is not shown.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("url", &self.url).field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// The answer to a call: status and body.
pub(crate) struct Answer {
    status: u16,
    pub(crate) body: Vec<u8>,
}

/// A call that may be made twice without harm.
pub(crate) struct Call<'a> {
    pub(crate) action: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: Option<&'a str>,
    pub(crate) limit: Duration,
    /// Why an answer of success means "not now".
    pub(crate) unready: fn(&[u8]) -> Option<String>,
}

impl Caller {
    /// The way to the Arroyo at `url` (`http://host:port`), with its API key when it has one.
    ///
    /// # Errors
    /// When the address is none.
    pub(crate) fn new(url: &str, key: Option<String>, timing: Timing) -> Result<Self, ArroyoError> {
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

    pub(crate) fn read<T: DeserializeOwned>(&self, action: &str, body: &[u8]) -> Result<T, ArroyoError> {
        serde_json::from_slice(body).map_err(|_| self.not_arroyo(action, body))
    }

    pub(crate) fn not_arroyo(&self, action: &str, body: &[u8]) -> ArroyoError {
        let cause = format!("an answer that is not Arroyo's: {}", shown(body));
        ArroyoError::new(Fault::Configuration, action, cause)
            .hint(format!("is {} the address of Arroyo's API?", self.url))
    }

    /// A call that may be made twice without harm.
    pub(crate) async fn retried(
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
    pub(crate) async fn persist(&self, call: Call<'_>) -> Result<Answer, ArroyoError> {
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

    /// A call that is made once, and judged by its answer.
    pub(crate) async fn once(
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
