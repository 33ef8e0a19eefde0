//! Between a client and a real Arroyo: the same faults as the stand-in's, and the same watch over what runs.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    faults::Faults,
    guard::Guard,
    http::{self, Answer, Backend, Request},
    jobs::{Entry, State},
};

/// A running proxy; dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    arroyo: Arc<Arroyo>,
    faults: Arc<Mutex<Faults>>,
    task: JoinHandle<()>,
}

/// The Arroyo behind it.
#[derive(Debug)]
struct Arroyo {
    /// `host:port`.
    address: String,
    guard: Mutex<Guard>,
}

impl Proxy {
    /// Starts one before the Arroyo at `address` (`host:port`).
    pub async fn start(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let arroyo = Arc::new(Arroyo { address: address.to_owned(), guard: Mutex::default() });
        let faults = Arc::new(Mutex::new(Faults::default()));
        let task = tokio::spawn(http::serve(listener, Arc::clone(&arroyo), Arc::clone(&faults)));
        Self { url, arroyo, faults, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls so far, and what goes wrong with those to come.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    /// From now on a running pipeline of these packs (`weir/dev/rules`) may be stopped only while another copy runs.
    pub fn guard(&self, packs: &[&str]) {
        self.arroyo.guard.lock().unwrap().begin(packs);
    }

    /// Every time a guarded pack was left without a running copy.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.arroyo.guard.lock().unwrap().violations().to_vec()
    }

    /// The pipelines whose names begin so, oldest first, as Arroyo holds them; asked behind the faults' back.
    pub async fn entries(&self, prefix: &str) -> Vec<Entry> {
        self.arroyo.entries(prefix).await
    }

    /// A call behind the faults' back.
    ///
    /// # Errors
    /// With the answer, when it is none of success.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.arroyo.ask(method, path, body).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend for Arroyo {
    async fn answer(&self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let stops = request.method == "PATCH" && body["stop"].as_str().is_some_and(|stop| stop != "none");
        if let Some(id) = request.target.rsplit('/').next().filter(|_| stops) {
            let pipeline = self.ask("GET", &format!("/pipelines/{id}"), &Value::Null).await.unwrap_or_default();
            let pack = pipeline["name"].as_str().and_then(|name| name.split('@').next()).unwrap_or_default();
            let entries = self.entries(pack).await;
            self.guard.lock().unwrap().judge_stop(&entries, id);
        }
        match self.pass_on(request).await {
            Ok(answer) => answer,
            Err(error) => Answer { status: 502, body: serde_json::json!({ "error": error.to_string() }).to_string() },
        }
    }
}

impl Arroyo {
    async fn pass_on(&self, request: &Request) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let key = request.key.as_ref().map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
        // HTTP/1.0: one answer, not chunked, then the connection ends.
        let head = format!(
            "{} {} HTTP/1.0\r\nhost: {}\r\n{key}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            request.method,
            request.target,
            self.address,
            request.body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&request.body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        let parts = answer.split_once("\r\n\r\n").and_then(|(head, body)| Some((head.split(' ').nth(1)?, body)));
        let (status, body) = parts.ok_or_else(|| io::Error::other("no HTTP answer"))?;
        Ok(Answer { status: status.parse().map_err(io::Error::other)?, body: body.to_owned() })
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request { method: method.to_owned(), target: format!("/api/v1{path}"), key: None, body };
        let answer = self.pass_on(&request).await.map_err(|error| error.to_string())?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("{method} {path}: {} {}", answer.status, answer.body));
        }
        Ok(serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        // What was deleted since it was listed is not there.
        let answer = self.ask("GET", path, &Value::Null).await.unwrap_or_default();
        answer["data"].as_array().cloned().unwrap_or_default()
    }

    async fn entries(&self, prefix: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for pipeline in self.list("/pipelines?limit=1000").await {
            let text = |name: &str| pipeline[name].as_str().unwrap_or_default().to_owned();
            if !text("name").starts_with(prefix) {
                continue;
            }
            let id = text("id");
            let Some(job) = self.list(&format!("/pipelines/{id}/jobs")).await.into_iter().next() else { continue };
            let job_id = job["id"].as_str().unwrap_or_default();
            let checkpoints = self.list(&format!("/pipelines/{id}/jobs/{job_id}/checkpoints")).await;
            let whole = |checkpoint: &&Value| checkpoint["finish_time"].as_u64().is_some_and(|time| time > 0);
            let parallelism = pipeline["graph"]["nodes"][0]["parallelism"].as_u64().unwrap_or_default();
            let mut entry = Entry::new(id, text("name"), text("query"), pipeline["udfs"].clone());
            entry.parallelism = u32::try_from(parallelism).unwrap();
            entry.interval = pipeline["checkpoint_interval_micros"].as_u64().unwrap_or_default();
            entry.stop = text("stop");
            entry.created_at = pipeline["created_at"].as_u64().unwrap_or_default();
            entry.state = State::named(job["state"].as_str().unwrap_or_default());
            entry.run_id = job["run_id"].as_u64().unwrap_or_default();
            entry.failure = job["failure_message"].as_str().map(str::to_owned);
            entry.checkpoints = checkpoints.iter().filter(whole).count() as u64;
            entries.push(entry);
        }
        entries.reverse();
        entries
    }
}
