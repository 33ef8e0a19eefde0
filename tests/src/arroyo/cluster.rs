//! One `arroyo cluster` (API, controller and compiler in one process), which ends with its value.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use weir_arroyo::local;

use super::{Api, Job};

/// It is up within a second or two; a debug build on a busy machine gets two minutes.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a state is asked for.
const POLL: Duration = Duration::from_millis(50);

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
        let (mut command, ports) = local::command(binary, folder, environment)?;
        // Its workers are processes of its group, and outlive it otherwise.
        let process = command.process_group(0).spawn()?;
        let api = Api::new(ports.api);
        let mut cluster = Self {
            process,
            folder: folder.to_owned(),
            api,
            controller_port: ports.controller,
            admin_port: ports.admin,
        };
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
        local::log(&self.folder)
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
