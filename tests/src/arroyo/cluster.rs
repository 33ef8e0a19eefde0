//! One `arroyo cluster` (API, controller and compiler in one process), which ends with its value.

use std::{
    env, fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{Api, Job};

/// What listens, as settings name it.
const PORTS: [&str; 4] = ["API__HTTP", "CONTROLLER__RPC", "COMPILER__RPC", "ADMIN__HTTP"];

/// It is up within a second or two; a debug build on a busy machine gets two minutes.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a state is asked for.
const POLL: Duration = Duration::from_millis(50);

/// The `arroyo` to test with: `ARROYO_BIN`, or the one on `PATH`.
#[must_use]
pub fn binary() -> Option<PathBuf> {
    if let Some(named) = env::var_os("ARROYO_BIN").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join("arroyo")).find(|file| file.is_file())
}

/// A running cluster with its catalogue, checkpoints and logs in a folder.
#[derive(Debug)]
pub struct Cluster {
    process: Child,
    folder: PathBuf,
    /// Its API.
    pub api: Api,
    /// The port that nodes register at.
    pub controller_port: u16,
    /// The port that says whether it lives.
    pub admin_port: u16,
}

impl Cluster {
    /// Starts a cluster. `environment` is added to its own: AWS endpoint and credentials, batch sizes.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(binary: &Path, folder: &Path, environment: &[(&str, String)]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let ports: [u16; PORTS.len()] = crate::free_ports()?;
        let log = fs::File::create(folder.join("arroyo.log"))?;
        let mut command = Command::new(binary);
        command.arg("cluster").current_dir(folder).stdout(log.try_clone()?).stderr(log);
        // Its workers are processes of its group, and outlive it otherwise.
        command.process_group(0);
        for (service, port) in PORTS.iter().zip(&ports) {
            command.env(format!("ARROYO__{service}_PORT"), port.to_string());
        }
        for service in ["API", "CONTROLLER", "COMPILER", "ADMIN", "WORKER"] {
            command.env(format!("ARROYO__{service}__BIND_ADDRESS"), "127.0.0.1");
        }
        let place = |name: &str| folder.join(name).display().to_string();
        command
            // Workers are told this name, and listen on it.
            .env("ARROYO__HOSTNAME", "127.0.0.1")
            .env("ARROYO__DATABASE__SQLITE__PATH", place("catalogue.sqlite"))
            .env("ARROYO__CHECKPOINT_URL", place("checkpoints"))
            .env("ARROYO__COMPILER__ARTIFACT_URL", place("artifacts"))
            .env("ARROYO__COMPILER__BUILD_DIR", place("build"))
            // Workers inside the process: the suite runs dozens of programs.
            .env("ARROYO__CONTROLLER__SCHEDULER", "embedded")
            // A program that fails shall say so at once.
            .env("ARROYO__PIPELINE__ALLOWED_RESTARTS", "0")
            .env("ARROYO__DISABLE_TELEMETRY", "true")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // Whatever name it is to have elsewhere: here it listens on a port of this machine.
            .env("ARROYO__CONTROLLER_ENDPOINT", format!("http://127.0.0.1:{}", ports[1]));
        let api = Api::new(ports[0]);
        let process = command.spawn()?;
        let mut cluster =
            Self { process, folder: folder.to_owned(), api, controller_port: ports[1], admin_port: ports[3] };
        let begun = Instant::now();
        while !api.answers() {
            if let Some(status) = cluster.process.try_wait()? {
                return Err(io::Error::other(format!("arroyo ended with {status}: {}", cluster.log())));
            }
            if begun.elapsed() > START_TIMEOUT {
                return Err(io::Error::other(format!("arroyo does not answer: {}", cluster.log())));
            }
            std::thread::sleep(POLL);
        }
        Ok(cluster)
    }

    /// Waits until a pipeline is in one of these states.
    ///
    /// # Errors
    /// When it fails or the time is over.
    pub fn wait(&self, pipeline: &str, states: &[&str], timeout: Duration) -> io::Result<Job> {
        let begun = Instant::now();
        loop {
            // A pipeline has no job for a moment after it was created.
            let job = self.api.job(pipeline).ok();
            if let Some(job) = job.clone().filter(|job| states.contains(&job.state.as_str())) {
                return Ok(job);
            }
            let failed = job.as_ref().is_some_and(|job| job.state == "Failed");
            if failed || begun.elapsed() > timeout {
                let errors = job.as_ref().map(|job| self.api.errors(pipeline, &job.id));
                return Err(io::Error::other(format!("{job:?}: {errors:?}")));
            }
            std::thread::sleep(POLL);
        }
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("arroyo.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.process.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.process.wait();
    }
}
