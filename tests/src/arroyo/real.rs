//! A real Arroyo as the law of applying needs one: behind a proxy, with programs that run without AWS.

use std::{
    fmt::Write as _,
    fs, io,
    path::PathBuf,
    sync::MutexGuard,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_arroyo_stand_in::{Entry, Faults, Proxy, State};

use super::law::{Server, stranger};

/// Lines of a file that a pipeline reads, one a checkpoint: more than it comes to in a test.
const LINES: usize = 20_000;
/// Until a seeded pipeline is in its state. A debug build on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(200);

/// One trial's view of the cluster: a proxy, an environment and a folder of its own.
#[derive(Debug)]
pub struct Real {
    proxy: Proxy,
    folder: PathBuf,
    /// Whether a program's source is a file that may be missing, which fails it; Arroyo's generator otherwise.
    fragile: bool,
}

impl Real {
    /// A view of the Arroyo at this port.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn new(api_port: u16, folder: PathBuf, fragile: bool) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { proxy: Proxy::start(&format!("127.0.0.1:{api_port}")).await, folder, fragile })
    }

    /// Stops and deletes what a trial leaves.
    ///
    /// # Errors
    /// What did not go.
    pub async fn clear(&self, environment: &str) -> Result<(), String> {
        for entry in self.entries(environment).await {
            self.proxy.call("PATCH", &path(&entry.id), &json!({ "stop": "immediate" })).await?;
            self.reaches(&entry.id, &[State::Stopped, State::Failed, State::Finished]).await?;
            self.proxy.call("DELETE", &path(&entry.id), &Value::Null).await?;
        }
        Ok(())
    }

    async fn reaches(&self, id: &str, states: &[State]) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let jobs = self.proxy.call("GET", &format!("{}/jobs", path(id)), &Value::Null).await?;
            let state = jobs["data"][0]["state"].as_str().unwrap_or_default();
            if states.iter().any(|wanted| format!("{wanted:?}") == state) {
                return Ok(());
            }
            if begun.elapsed() > TIMEOUT {
                return Err(format!("{id} is {state}, not {states:?}: {jobs}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn seeded(&self, name: &str, query: &str, parallelism: u32, state: State) -> Result<String, String> {
        let hidden = self.folder.with_extension("hidden");
        if state == State::Failed {
            fs::rename(&self.folder, &hidden).map_err(|e| e.to_string())?;
        }
        let body = json!({ "name": name, "query": query, "parallelism": parallelism });
        let made = self.proxy.call("POST", "/pipelines", &body).await?;
        let id = made["id"].as_str().ok_or_else(|| made.to_string())?.to_owned();
        match state {
            State::Created => {}
            State::Running => self.reaches(&id, &[state]).await?,
            State::Stopped | State::CheckpointStopping => {
                self.reaches(&id, &[State::Running]).await?;
                self.proxy.call("PATCH", &path(&id), &json!({ "stop": "checkpoint" })).await?;
                if state == State::Stopped {
                    self.reaches(&id, &[state]).await?;
                }
            }
            State::Failed => {
                self.reaches(&id, &[state]).await?;
                fs::rename(&hidden, &self.folder).map_err(|e| e.to_string())?;
            }
            other => return Err(format!("a real pipeline is not put into {other:?}")),
        }
        Ok(id)
    }
}

fn path(id: &str) -> String {
    format!("/pipelines/{id}")
}

impl Server for Real {
    fn url(&self) -> &str {
        self.proxy.url()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.proxy.faults()
    }

    fn guard(&self, packs: &[&str]) {
        self.proxy.guard(packs);
    }

    fn violations(&self) -> Vec<String> {
        self.proxy.violations()
    }

    #[allow(clippy::expect_used, reason = "a test may stop at a surprise")]
    fn program(&self, text: &str) -> String {
        let source = if self.fragile {
            let file = self.folder.join("lines");
            if !file.exists() {
                let lines = (0..LINES).fold(String::new(), |mut lines, n| {
                    let _ = writeln!(lines, r#"{{"counter":{n}}}"#);
                    lines
                });
                fs::write(&file, lines).expect("a file of lines");
            }
            let file = file.display();
            format!(
                "CREATE TABLE source (counter BIGINT UNSIGNED) WITH (connector = 'single_file', type = 'source', \
                 path = '{file}', format = 'json');"
            )
        } else {
            "CREATE TABLE source WITH (connector = 'impulse', event_rate = '10');".to_owned()
        };
        format!(
            "-- {text}\n{source}\nCREATE TABLE nowhere (counter BIGINT UNSIGNED) WITH (connector = 'blackhole');\n\
             INSERT INTO nowhere SELECT counter FROM source;\n"
        )
    }

    #[allow(clippy::panic, reason = "a test may stop at a surprise")]
    async fn seed(&self, name: &str, query: &str, parallelism: u32, state: State) -> String {
        self.seeded(name, query, parallelism, state).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn entries(&self, environment: &str) -> Vec<Entry> {
        let mut all = self.proxy.entries(&format!("weir/{environment}/")).await;
        all.extend(self.proxy.entries(&stranger(environment)).await);
        all
    }
}
