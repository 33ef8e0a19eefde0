//! As much of Arroyo's REST API as running a program takes.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

/// Planning a program takes well under a second; a debug build on a busy machine takes longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Arroyo's API on a port of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    port: u16,
    key: Option<&'static str>,
}

/// What Arroyo says of the job of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `Running`, `Finished`, `Failed`, …
    pub state: String,
    /// Why it failed.
    pub failure: Option<String>,
}

impl Api {
    /// The API on this loopback port.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port, key: None }
    }

    /// The same, with an API key.
    #[must_use]
    pub fn with_key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The port.
    #[must_use]
    pub fn port(self) -> u16 {
        self.port
    }

    /// The address.
    #[must_use]
    pub fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether it answers, be it that it wants a key.
    #[must_use]
    pub fn answers(self) -> bool {
        match self.call("GET", "/ping", None) {
            Ok(_) => true,
            Err(error) => error.to_string().contains(": 401"),
        }
    }

    /// What the ping says.
    ///
    /// # Errors
    /// When Arroyo does not answer, or refuses the key.
    pub fn ping(self) -> io::Result<()> {
        self.call("GET", "/ping", None).map(|_| ())
    }

    /// What Arroyo's planner finds wrong in a program; nothing when it accepts it.
    ///
    /// # Errors
    /// When Arroyo does not answer.
    pub fn validate(self, query: &str) -> io::Result<Vec<String>> {
        let answer = self.call("POST", "/pipelines/validate_query", Some(&json!({ "query": query })))?;
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        Ok(errors.iter().map(text).collect())
    }

    /// Creates and starts a pipeline; returns its id.
    ///
    /// # Errors
    /// When Arroyo does not answer or refuses it.
    pub fn create(self, name: &str, query: &str, udfs: &[String]) -> io::Result<String> {
        let udfs: Vec<Value> = udfs.iter().map(|u| json!({ "definition": u, "language": "rust" })).collect();
        let body = json!({
            "name": name, "query": query, "udfs": udfs, "parallelism": 1, "checkpoint_interval_micros": 1_000_000,
        });
        let answer = self.call("POST", "/pipelines", Some(&body))?;
        answer["id"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other(answer.to_string()))
    }

    /// The pipelines that there are, ids and names, newest first.
    ///
    /// # Errors
    /// When Arroyo does not answer.
    pub fn pipelines(self) -> io::Result<Vec<(String, String)>> {
        let answer = self.call("GET", "/pipelines", None)?;
        let all = answer["data"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().map(|one| (text(&one["id"]), text(&one["name"]))).collect())
    }

    /// The job of a pipeline.
    ///
    /// # Errors
    /// When Arroyo does not answer, or the pipeline has no job yet.
    pub fn job(self, pipeline: &str) -> io::Result<Job> {
        let answer = self.call("GET", &format!("/pipelines/{pipeline}/jobs"), None)?;
        let job = &answer["data"][0];
        let field = |name: &str| job[name].as_str().map(str::to_owned);
        Ok(Job {
            id: field("id").ok_or_else(|| io::Error::other("no job yet"))?,
            state: field("state").unwrap_or_default(),
            failure: field("failure_message"),
        })
    }

    /// The errors that a job has logged.
    ///
    /// # Errors
    /// When Arroyo does not answer.
    pub fn errors(self, pipeline: &str, job: &str) -> io::Result<Vec<String>> {
        let answer = self.call("GET", &format!("/pipelines/{pipeline}/jobs/{job}/errors"), None)?;
        let rows = answer["data"].as_array().cloned().unwrap_or_default();
        Ok(rows.iter().map(|row| format!("{}: {}", text(&row["message"]), text(&row["details"]))).collect())
    }

    /// Asks a pipeline to stop: `checkpoint`, `graceful`, `immediate` or `force`.
    ///
    /// # Errors
    /// When Arroyo does not answer or refuses.
    pub fn stop(self, pipeline: &str, how: &str) -> io::Result<()> {
        self.call("PATCH", &format!("/pipelines/{pipeline}"), Some(&json!({ "stop": how }))).map(|_| ())
    }

    fn call(self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, CALL_TIMEOUT)?;
        stream.set_read_timeout(Some(CALL_TIMEOUT))?;
        // HTTP/1.0: one answer, not chunked, then the connection ends.
        let key = self.key.map_or_else(String::new, |key| format!("Authorization: Bearer {key}\r\n"));
        let head = format!(
            "{method} /api/v1{path} HTTP/1.0\r\nHost: localhost\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP answer"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            return Err(io::Error::other(format!("{method} {path}: {status} {body}")));
        }
        serde_json::from_str(body).or_else(|e| if body.is_empty() { Ok(Value::Null) } else { Err(e.into()) })
    }
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
