//! What of a local stack runs, and what has ended by itself.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use weir_anomaly::Timestamp;
use weir_project::{EngineKind, Repo};

use super::{
    Connection, engine, http,
    record::{self, ProcessRecord},
    stack::{connection_file, processes_file},
};

/// The embedded engine writes its statistics twice a second; one that has not for so long does not work.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// A local stack that was started and not ended with `weir down`.
#[derive(Debug, Clone)]
pub struct Health {
    /// The AWS emulator.
    pub emulator: Part,
    /// What runs the rules.
    pub engine: Part,
    /// How to reach it; `None` when it was not started to the end.
    pub connection: Option<Connection>,
}

/// One process of a stack.
#[derive(Debug, Clone)]
pub struct Part {
    /// What a person calls it.
    pub name: &'static str,
    /// How it does.
    pub condition: Condition,
    /// When it was started, where that is known.
    pub started: Option<Timestamp>,
    /// Its last sign of life: what it wrote last.
    pub last_seen: Option<Timestamp>,
    /// Its number, while it runs.
    pub pid: Option<i32>,
    /// What it wrote.
    pub log: PathBuf,
}

/// How a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It runs and answers.
    Running,
    /// It runs and gives no sign of life.
    Silent,
    /// It has ended, and nobody asked it to.
    Ended,
    /// The machine was started again since.
    EndedWithTheMachine,
    /// It was not started yet.
    NotStarted,
}

impl Condition {
    /// Whether its process is there.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(self, Self::Running | Self::Silent)
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Silent => "silent",
            Self::Ended => "ended",
            Self::EndedWithTheMachine => "ended_with_the_machine",
            Self::NotStarted => "not_started",
        }
    }
}

impl Part {
    /// What became of it, as the end of a sentence that names it.
    #[must_use]
    pub fn said(&self) -> String {
        let last = self.last_seen.map_or_else(String::new, |at| format!(", last seen {}", at.to_rfc3339_millis()));
        let pid = self.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        match (self.condition, self.started) {
            (Condition::Running, Some(since)) => format!("runs since {}{pid}", since.to_rfc3339_millis()),
            (Condition::Running, None) => format!("runs{pid}"),
            (Condition::Silent, _) => format!("runs{pid} and gives no sign of life{last}"),
            (Condition::Ended, _) => format!("has ended{last}"),
            (Condition::EndedWithTheMachine, _) => format!("ended when the machine did{last}"),
            (Condition::NotStarted, _) => "was not started".to_owned(),
        }
    }
}

impl Health {
    /// Of a stack by its name; `None` when none is up.
    #[must_use]
    pub fn of(repo: &Repo, name: &str) -> Option<Self> {
        Self::of_folder(&repo.stack_folder(name))
    }

    fn of_folder(folder: &Path) -> Option<Self> {
        let records = record::load(&processes_file(folder));
        let connection = fs::read(connection_file(folder)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if records.is_empty() && connection.is_none() {
            return None;
        }
        let connection: Option<Connection> = connection;
        let by_name = |names: &[&str]| records.iter().find(|record| names.contains(&record.name.as_str()));
        let port = connection.as_ref().and_then(|c| c.endpoint.rsplit(':').next()?.parse().ok());
        let answers = || port.is_none_or(|port| http::get(port, "/_ministack/ready").is_ok());
        let log = |name: &str| folder.join(format!("{name}.log"));
        let emulator = part("the AWS emulator", by_name(&["emulator"]), log("emulator"), None, answers);

        let kind = connection.as_ref().map_or(EngineKind::Embedded, |c| c.engine);
        let stats = Some(engine::stats_file(folder)).filter(|_| kind == EngineKind::Embedded);
        let works = || stats.as_deref().is_none_or(|stats| written(stats).is_none_or(|at| age(at) < SILENT_FOR));
        let engine = part(kind.name(), by_name(&["engine", "arroyo"]), log("engine"), stats.as_deref(), works);
        Some(Self { emulator, engine, connection })
    }
}

fn part(
    name: &'static str,
    record: Option<&ProcessRecord>,
    log: PathBuf,
    sign: Option<&Path>,
    answers: impl Fn() -> bool,
) -> Part {
    let condition = match record {
        None => Condition::NotStarted,
        Some(record) if !record.is_alive() && record.is_of_an_earlier_boot() => Condition::EndedWithTheMachine,
        Some(record) if !record.is_alive() => Condition::Ended,
        Some(_) if answers() => Condition::Running,
        Some(_) => Condition::Silent,
    };
    let last_seen = [sign.and_then(written), written(&log)].into_iter().flatten().max();
    Part {
        name,
        condition,
        started: record.and_then(|record| record.started_millis).and_then(Timestamp::from_millis),
        last_seen: last_seen.and_then(timestamp),
        pid: record.map(|record| record.pid).filter(|_| condition.runs()),
        log: record.and_then(|record| record.log.clone()).unwrap_or(log),
    }
}

/// When a file was last written to.
fn written(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|file| file.modified()).ok()
}

fn age(at: SystemTime) -> Duration {
    SystemTime::now().duration_since(at).unwrap_or_default()
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let millis = at.duration_since(UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(millis).ok().and_then(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(records: &serde_json::Value) -> (Condition, Condition) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(processes_file(folder.path()), records.to_string()).unwrap();
        let health = Health::of_folder(folder.path()).unwrap();
        assert!(health.connection.is_none());
        (health.emulator.condition, health.engine.condition)
    }

    #[test]
    fn a_folder_of_a_stack_that_is_down_holds_no_stack() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Health::of_folder(folder.path()).is_none());
        assert!(Health::of_folder(&folder.path().join("none")).is_none());
        fs::write(folder.path().join("engine.log"), "the log of an earlier stack").unwrap();
        assert!(Health::of_folder(folder.path()).is_none());
    }

    #[test]
    fn what_has_ended_is_told_from_what_ended_with_the_machine_and_from_what_was_not_started() {
        let own = std::process::id();
        let earlier = "00000000-0000-0000-0000-000000000000 17";
        let of = |name: &str, started: &str| serde_json::json!({"name": name, "pid": own, "started": started});
        let ended = "Mon Jan  1 00:00:00 2001";
        assert_eq!(
            condition(&serde_json::json!([of("emulator", ended), of("engine", earlier)])),
            (Condition::Ended, Condition::EndedWithTheMachine)
        );
        assert_eq!(condition(&serde_json::json!([of("arroyo", ended)])), (Condition::NotStarted, Condition::Ended));
    }

    #[test]
    fn a_process_that_runs_and_writes_no_statistics_any_more_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        let own = ProcessRecord::new("engine", i32::try_from(std::process::id()).unwrap(), Path::new("engine.log"));
        record::remember(&processes_file(folder.path()), &own).unwrap();
        let engine = || Health::of_folder(folder.path()).unwrap().engine;
        assert_eq!(engine().condition, Condition::Running, "it has written none yet");
        let stats = engine::stats_file(folder.path());
        fs::write(&stats, "{}").unwrap();
        assert_eq!(engine().condition, Condition::Running);
        let old = SystemTime::now() - 2 * SILENT_FOR;
        fs::File::options().write(true).open(&stats).unwrap().set_modified(old).unwrap();
        assert_eq!(engine().condition, Condition::Silent);
        assert!(engine().said().contains("gives no sign of life, last seen "), "{}", engine().said());
    }
}
