//! The processes that a command left running, as its stack's folder remembers them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::identity::{Identity, group_members};

/// How long a process may take to end by itself before it is killed: the engine writes a last checkpoint.
pub(super) const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Enough to find a process again, and to be sure that it is the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    /// What it is: `emulator`, `engine` or `arroyo`.
    pub(crate) name: String,
    pub(crate) pid: i32,
    /// Which process of that pid: a pid is used again, the pair is not.
    started: Identity,
    /// When it was started, milliseconds since the epoch.
    #[serde(default)]
    pub(crate) started_millis: Option<i64>,
    /// What it wrote.
    #[serde(default)]
    pub(crate) log: Option<PathBuf>,
}

impl ProcessRecord {
    /// Of a process that was started just now.
    pub(super) fn new(name: &str, pid: i32, log: &Path) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            started: Identity::of(pid).unwrap_or_default(),
            started_millis: Some(weir_cloud::now_millis()),
            log: Some(log.to_owned()),
        }
    }

    /// Whether that very process runs. One that has ended and that nobody has waited for does not.
    pub(crate) fn is_alive(&self) -> bool {
        self.started.is_of(self.pid)
    }

    /// Whether the machine was started again since the process was.
    pub(crate) fn is_of_an_earlier_boot(&self) -> bool {
        self.started.is_of_an_earlier_boot()
    }
}

/// The records of a stack, in the order in which the processes were started.
pub(crate) fn load(file: &Path) -> Vec<ProcessRecord> {
    fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Adds a process to the records, in the place of an earlier one of its name.
pub(crate) fn remember(file: &Path, record: &ProcessRecord) -> Result<()> {
    let mut records = load(file);
    records.retain(|other| other.name != record.name);
    records.push(record.clone());
    // A reader, and a crash, must not find half a file.
    let part = file.with_extension("part");
    fs::write(&part, serde_json::to_vec(&records)?)
        .and_then(|()| fs::rename(&part, file))
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// Ends processes that an earlier command left, the last one that was started first: an engine that ends writes to the
/// emulator. Only where pid and start agree with the record. Returns how many ran.
pub(crate) async fn end_recorded(file: &Path) -> Result<usize> {
    let mut ended = 0;
    let folder = file.parent().unwrap_or(Path::new("."));
    let records = load(file);
    // What writes to the emulator cannot end well without it: it gets no time to try.
    let hopeless = records.iter().any(|record| record.name == "emulator" && !record.is_alive());
    for record in records.iter().rev() {
        if record.is_alive() {
            end_group(record.pid, if hopeless { Duration::ZERO } else { GRACE }).await;
            ended += 1;
        } else if !record.is_of_an_earlier_boot() {
            end_orphans(record.pid, folder);
        }
    }
    match fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).with_context(|| file.display().to_string()),
        _ => Ok(ended),
    }
}

/// Asks a group to end, and after the grace makes it.
async fn end_group(pid: i32, grace: Duration) {
    let group = Pid::from_raw(pid);
    let _ = killpg(group, Signal::SIGTERM);
    let mut deadline = Instant::now() + grace;
    let mut killed = false;
    while runs(pid) {
        if Instant::now() > deadline {
            if killed {
                // What is left cannot be killed: it waits for a device, or nobody waits for it.
                return;
            }
            let _ = killpg(group, Signal::SIGKILL);
            (killed, deadline) = (true, Instant::now() + GRACE);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether anything of a group runs.
fn runs(pid: i32) -> bool {
    match group_members(pid) {
        Some(members) => !members.is_empty(),
        None => killpg(Pid::from_raw(pid), None).is_ok(),
    }
}

/// Kills what a process that ended left of its group: the emulator's functions, if they work in the stack's folder. The
/// number of the group may belong to others by now.
fn end_orphans(pid: i32, folder: &Path) {
    let Ok(folder) = folder.canonicalize() else { return };
    for member in group_members(pid).unwrap_or_default() {
        let works_in = fs::read_link(format!("/proc/{member}/cwd"));
        if works_in.is_ok_and(|at| at.starts_with(&folder)) {
            let _ = kill(Pid::from_raw(member), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::CommandExt as _,
        process::{Child, Command},
    };

    use super::*;

    fn sleeper() -> (Child, ProcessRecord) {
        let child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let record = ProcessRecord::new("engine", i32::try_from(child.id()).unwrap(), Path::new("engine.log"));
        (child, record)
    }

    #[test]
    fn a_process_is_alive_until_it_ends_even_if_nobody_waits_for_it() {
        let (mut child, record) = sleeper();
        assert!(record.is_alive());
        child.kill().unwrap();
        let deadline = Instant::now() + GRACE;
        while record.is_alive() {
            assert!(Instant::now() < deadline, "a zombie counts as alive");
            std::thread::sleep(POLL);
        }
        child.wait().unwrap();
        assert!(!record.is_alive());
    }

    #[tokio::test]
    async fn a_pid_that_is_used_again_or_is_of_an_earlier_boot_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("processes.json");
        let (mut child, record) = sleeper();
        for started in ["Mon Jan  1 00:00:00 2001", "00000000-0000-0000-0000-000000000000 17"] {
            let stale = serde_json::json!([{"name": "engine", "pid": record.pid, "started": started}]);
            fs::write(&file, stale.to_string()).unwrap();
            assert!(!load(&file)[0].is_alive(), "{started}");
            assert_eq!(end_recorded(&file).await.unwrap(), 0, "{started}");
            assert!(!file.exists());
            assert!(record.is_alive(), "{started}: a stranger was ended");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn what_is_recorded_is_ended_and_a_second_of_one_name_takes_the_place_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("processes.json");
        let (mut first, ended) = sleeper();
        first.kill().unwrap();
        first.wait().unwrap();
        remember(&file, &ended).unwrap();
        let (mut second, record) = sleeper();
        remember(&file, &record).unwrap();
        assert_eq!(load(&file), std::slice::from_ref(&record));
        assert_eq!(end_recorded(&file).await.unwrap(), 1);
        assert!(!record.is_alive());
        second.wait().unwrap();
        assert_eq!(end_recorded(&file).await.unwrap(), 0, "there is nothing to end any more");
    }

    #[test]
    fn a_file_that_is_damaged_or_missing_holds_no_processes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("processes.json");
        assert!(load(&file).is_empty());
        fs::write(&file, "[{\"name\":").unwrap();
        assert!(load(&file).is_empty());
    }
}
