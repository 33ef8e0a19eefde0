//! Child processes: each in a group of its own, with a log, and ended as a group.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::record::{GRACE, ProcessRecord};

/// How long a dropped process is waited for after its SIGKILL: what it held, a port above all, is free only when it is gone.
/// The kernel needs milliseconds; what waits for a device needs longer and is left to it.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// The pause between two looks at a process that was killed.
const KILL_POLL: Duration = Duration::from_millis(5);

/// A child that ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) record: ProcessRecord,
    pub(crate) log: PathBuf,
    detached: bool,
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
        let record = ProcessRecord::new(name, pid, log);
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
        if self.detached {
            return;
        }
        let _ = killpg(Pid::from_raw(self.record.pid), Signal::SIGKILL);
        let deadline = Instant::now() + KILL_WAIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(KILL_POLL);
        }
    }
}
