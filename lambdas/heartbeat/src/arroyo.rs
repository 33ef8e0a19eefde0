//! Arroyo's REST API, as much of it as the heartbeat needs: list pipelines with the state of their jobs, restart one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_smithy_http_client::{
    Connector,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde::{Deserialize, de::DeserializeOwned};
use weir_anomaly::Timestamp;

use crate::ports::{ApiKey, Fault, Pipeline, Pipelines};

/// Arroyo's controller answers from its database: seconds mean that it is not well.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Arroyo's default page is 10; more than this many pipelines are not Weir's.
const PAGE: usize = 100;

/// A client of one Arroyo.
pub struct Arroyo {
    connector: Connector,
    url: String,
    key: Option<Arc<dyn ApiKey>>,
    /// The key as it was read last; none once Arroyo has refused it, so that a changed key is found within a minute.
    known: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
struct PipelineItem {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Job {
    id: String,
    state: String,
    /// Microseconds since the epoch, as all of Arroyo's times.
    #[serde(default)]
    created_at: u64,
    start_time: Option<u64>,
}

#[derive(Deserialize)]
struct Checkpoint {
    /// None while it is being written.
    finish_time: Option<u64>,
}

fn time(micros: u64) -> Option<Timestamp> {
    Some(Timestamp::from_nanos(i64::try_from(micros).ok()?.checked_mul(1000)?))
}

impl Arroyo {
    /// A client of the Arroyo at `url`, with its API key when it has one. The key is read when it is needed first.
    #[must_use]
    pub fn new(url: &str, key: Option<Arc<dyn ApiKey>>) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(TIMEOUT).read_timeout(TIMEOUT).build();
        Self {
            connector: Connector::builder()
                .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
                .connector_settings(settings)
                .build(),
            url: url.to_owned(),
            key,
            known: Mutex::new(None),
        }
    }

    async fn key(&self) -> Result<Option<String>, Fault> {
        let Some(source) = &self.key else { return Ok(None) };
        if let Some(known) = self.know(|known| known.clone()) {
            return Ok(Some(known));
        }
        let read = source.read().await?;
        self.know(|known| *known = Some(read.clone()));
        Ok(Some(read))
    }

    fn know<R>(&self, with: impl FnOnce(&mut Option<String>) -> R) -> R {
        with(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(&self, method: &str, path: &str, body: Option<&str>) -> Result<Vec<u8>, Fault> {
        let address = format!("{}/api/v1{path}", self.url);
        let wrong = |e: &dyn std::fmt::Display| Fault::Configuration(format!("{method} {address}: {e}"));
        let mut request = HttpRequest::new(body.map_or_else(SdkBody::empty, SdkBody::from));
        request.set_method(method).map_err(|e| wrong(&e))?;
        request.set_uri(address.as_str()).map_err(|e| wrong(&e))?;
        if body.is_some() {
            request.headers_mut().insert("content-type", "application/json");
        }
        if let Some(key) = self.key().await? {
            let value = format!("Bearer {key}");
            request.headers_mut().try_insert("authorization", value).map_err(|e| wrong(&e))?;
        }
        let response =
            self.connector.call(request).await.map_err(|e| Fault::Retryable(format!("{method} {address}: {e:?}")))?;
        let status = response.status();
        let bytes = ByteStream::new(response.into_body()).collect().await;
        let bytes = bytes.map_err(|e| Fault::Retryable(format!("{method} {address}: {e}")))?.to_vec();
        match status.as_u16() {
            200..=299 => Ok(bytes),
            401 | 403 => {
                self.know(|known| *known = None);
                Err(wrong(&"the API key is refused; check WEIR_ARROYO_API_KEY_SECRET"))
            }
            code => {
                let text: String = String::from_utf8_lossy(&bytes).chars().take(200).collect();
                Err(Fault::Retryable(format!("{method} {address}: {code} {text}")))
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let bytes = self.call("GET", path, None).await?;
        serde_json::from_slice(&bytes).map_err(|e| Fault::Retryable(format!("GET {path}: unexpected answer: {e}")))
    }
}

#[async_trait]
impl Pipelines for Arroyo {
    async fn list(&self) -> Result<Vec<Pipeline>, Fault> {
        let page: Page<PipelineItem> = self.get(&format!("/pipelines?limit={PAGE}")).await?;
        let mut pipelines = Vec::with_capacity(page.data.len());
        for item in page.data {
            let jobs: Page<Job> = self.get(&format!("/pipelines/{}/jobs", item.id)).await?;
            let newest = jobs.data.into_iter().max_by_key(|job| job.created_at);
            let began_at = newest.as_ref().and_then(|job| time(job.start_time.unwrap_or(job.created_at)));
            let (job, state) = newest.map_or_else(|| (String::new(), "Unknown".to_owned()), |job| (job.id, job.state));
            pipelines.push(Pipeline { id: item.id, name: item.name, state, job, began_at });
        }
        Ok(pipelines)
    }

    async fn last_checkpoint(&self, pipeline: &Pipeline) -> Result<Option<Timestamp>, Fault> {
        // The few that are neither compacted nor failed.
        let path = format!("/pipelines/{}/jobs/{}/checkpoints", pipeline.id, pipeline.job);
        let checkpoints: Page<Checkpoint> = self.get(&path).await?;
        let newest = checkpoints.data.iter().filter_map(|checkpoint| checkpoint.finish_time).max();
        Ok(newest.and_then(time).or(pipeline.began_at))
    }

    async fn restart(&self, id: &str) -> Result<(), Fault> {
        self.call("POST", &format!("/pipelines/{id}/restart"), Some(r#"{"force":false}"#)).await.map(|_| ())
    }

    async fn authorize(&self) -> Result<(), Fault> {
        self.key().await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Keys, one a reading.
    struct Keys(Mutex<Vec<&'static str>>);

    #[async_trait]
    impl ApiKey for Keys {
        async fn read(&self) -> Result<String, Fault> {
            Ok(self.0.lock().unwrap().remove(0).to_owned())
        }
    }

    fn keys(keys: &[&'static str]) -> Option<Arc<dyn ApiKey>> {
        Some(Arc::new(Keys(Mutex::new(keys.to_vec()))))
    }

    /// Answers each request by its first line; returns the requests that it saw.
    async fn stub(listener: TcpListener, answers: Vec<(&'static str, u16, &'static str)>) -> Vec<String> {
        let mut seen = Vec::new();
        for (line, code, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            loop {
                let n = socket.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&request);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length =
                        head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    body.len() >= length.unwrap_or(0)
                });
                if whole || n == 0 {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with(line), "{request}");
            let answer =
                format!("HTTP/1.1 {code} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
            seen.push(request);
        }
        seen
    }

    #[tokio::test]
    async fn reads_the_newest_job_of_each_pipeline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let arroyo = Arroyo::new(&format!("http://{}", listener.local_addr().unwrap()), keys(&["k-1"]));
        let server = tokio::spawn(stub(
            listener,
            vec![
                (
                    "GET /api/v1/pipelines?limit=100 ",
                    200,
                    r#"{"data":[{"id":"pl_1","name":"weir","query":"…"}],"hasMore":false}"#,
                ),
                (
                    "GET /api/v1/pipelines/pl_1/jobs ",
                    200,
                    r#"{"data":[{"id":"job_1","state":"Failed","created_at":1},{"id":"job_2","state":"Running","created_at":2}]}"#,
                ),
            ],
        ));
        let pipelines = arroyo.list().await.unwrap();
        assert_eq!((pipelines[0].name.as_str(), pipelines[0].state.as_str()), ("weir", "Running"));
        assert_eq!(pipelines[0].job, "job_2");
        let seen = server.await.unwrap();
        assert!(seen.iter().all(|request| request.to_lowercase().contains("authorization: bearer k-1")));
    }

    #[tokio::test]
    async fn a_checkpoint_counts_when_it_is_finished() {
        let line = "GET /api/v1/pipelines/pl_1/jobs/job_2/checkpoints ";
        let written = r#"{"data":[{"epoch":7,"backend":"parquet","start_time":1,"finish_time":2000000,"events":[]},
            {"epoch":8,"backend":"parquet","start_time":3000000,"finish_time":null,"events":[]}]}"#;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let arroyo = Arroyo::new(&format!("http://{}", listener.local_addr().unwrap()), None);
        tokio::spawn(stub(listener, vec![(line, 200, written), (line, 200, r#"{"data":[]}"#)]));
        let pipeline = Pipeline {
            id: "pl_1".to_owned(),
            name: "weir".to_owned(),
            state: "Running".to_owned(),
            job: "job_2".to_owned(),
            began_at: Timestamp::from_millis(500),
        };
        assert_eq!(arroyo.last_checkpoint(&pipeline).await.unwrap(), Timestamp::from_millis(2_000));
        assert_eq!(arroyo.last_checkpoint(&pipeline).await.unwrap(), pipeline.began_at, "none yet");
    }

    #[tokio::test]
    async fn restarts_from_the_last_checkpoint() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let arroyo = Arroyo::new(&format!("http://{}", listener.local_addr().unwrap()), None);
        let server = tokio::spawn(stub(listener, vec![("POST /api/v1/pipelines/pl_1/restart ", 200, "{}")]));
        arroyo.restart("pl_1").await.unwrap();
        assert!(server.await.unwrap()[0].ends_with(r#"{"force":false}"#));
    }

    #[tokio::test]
    async fn a_refused_key_is_for_somebody_to_change_and_is_read_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let arroyo = Arroyo::new(&format!("http://{}", listener.local_addr().unwrap()), keys(&["old", "new"]));
        let server = tokio::spawn(stub(listener, vec![("GET ", 401, ""), ("GET ", 200, r#"{"data":[]}"#)]));
        assert!(matches!(arroyo.list().await, Err(Fault::Configuration(_))));
        assert_eq!(arroyo.list().await, Ok(Vec::new()));
        let seen = server.await.unwrap();
        assert!(seen[0].to_lowercase().contains("bearer old") && seen[1].to_lowercase().contains("bearer new"));
    }

    #[tokio::test]
    async fn nobody_there_may_be_there_in_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let arroyo = Arroyo::new(&format!("http://{address}"), None);
        assert!(matches!(arroyo.list().await, Err(Fault::Retryable(_))));
    }
}
