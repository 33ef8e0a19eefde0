//! Child processes: each in a group of its own, with a log, and ended as a group.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

/// How long a process may take to end by itself before it is killed: the engine writes a last checkpoint.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// A child that ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) record: ProcessRecord,
    pub(crate) log: PathBuf,
    detached: bool,
}

/// Enough to find a process again, and to be sure that it is the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    pub(crate) name: String,
    pub(crate) pid: i32,
    /// When it started, as `ps` says: a pid is used again, the pair is not.
    started: String,
}

impl Process {
    /// Starts a command; both its outputs go to the log.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("{} cannot be written", log.display()))?;
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("`{program}` cannot be started\n  hint: is it installed and on PATH?"))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).context("the process ended at once")?;
        let record = ProcessRecord { name: name.to_owned(), pid, started: started(pid).unwrap_or_default() };
        Ok(Self { child, record, log: log.to_owned(), detached: false })
    }

    /// The status, when the process has ended.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the end and demands success.
    pub(crate) async fn finish(mut self) -> Result<()> {
        let status = self.child.wait().await?;
        self.detached = true;
        if !status.success() {
            bail!("{} ended with {status}", self.record.name);
        }
        Ok(())
    }

    /// Ends the process's group: first with a request, after a while by force.
    pub(crate) async fn stop(mut self) {
        let _ = killpg(Pid::from_raw(self.record.pid), Signal::SIGTERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            eprintln!("  {} did not end within {} s: killed", self.record.name, GRACE.as_secs());
        }
        // The group may outlive its leader.
        let _ = killpg(Pid::from_raw(self.record.pid), Signal::SIGKILL);
        let _ = self.child.wait().await;
        self.detached = true;
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) async fn kill(mut self) {
        let _ = killpg(Pid::from_raw(self.record.pid), Signal::SIGKILL);
        let _ = self.child.wait().await;
        self.detached = true;
    }

    /// Lets the process outlive this command.
    pub(crate) fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.detached {
            let _ = killpg(Pid::from_raw(self.record.pid), Signal::SIGKILL);
        }
    }
}

/// Ends processes that an earlier command left, but only where pid and start agree with what it recorded.
pub(crate) async fn end_recorded(file: &Path) -> Result<usize> {
    let mut ended = 0;
    for record in load(file) {
        if started(record.pid).as_deref() != Some(record.started.as_str()) {
            continue;
        }
        let group = Pid::from_raw(record.pid);
        let _ = killpg(group, Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while killpg(group, None).is_ok() {
            if Instant::now() > deadline {
                let _ = killpg(group, Signal::SIGKILL);
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        ended += 1;
    }
    match fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).with_context(|| file.display().to_string()),
        _ => Ok(ended),
    }
}

/// Adds a process to the record.
pub(crate) fn remember(file: &Path, process: &Process) -> Result<()> {
    let mut records = load(file);
    records.push(process.record.clone());
    fs::write(file, serde_json::to_vec(&records)?).with_context(|| format!("{} cannot be written", file.display()))
}

/// Whether anything in the record still runs.
pub(crate) fn any_alive(file: &Path) -> bool {
    load(file).iter().any(|record| started(record.pid).as_deref() == Some(record.started.as_str()))
}

fn load(file: &Path) -> Vec<ProcessRecord> {
    fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn started(pid: i32) -> Option<String> {
    // `ps` is on every Unix; /proc is not.
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
