//! Which process a pid belongs to: pids are used again, within one boot of a machine and after the next.

use std::{fs, process::Command};

use serde::{Deserialize, Serialize};

/// Of one process among all that ever have its pid: on Linux the machine's boot and the clock tick of that boot in which the
/// process was started (`proc(5)`), which no change of the wall clock touches; elsewhere its start as `ps` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Identity(String);

impl Identity {
    /// Of the process that has this pid now; `None` when none has, or it has ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        match (boot(), status(pid)) {
            (Some(boot), Some(status)) if !status.has_ended => Some(Self(format!("{boot} {}", status.started))),
            (Some(_), _) => None,
            (None, _) => ps(pid).map(Self),
        }
    }

    /// Whether the process that has this pid now is the one.
    pub(super) fn is_of(&self, pid: i32) -> bool {
        // Earlier versions recorded what `ps` says, here too.
        Self::of(pid).is_some_and(|now| now == *self || ps(pid).is_some_and(|started| started == self.0))
    }

    /// Whether the machine was started again since.
    pub(super) fn is_of_an_earlier_boot(&self) -> bool {
        boot().is_some_and(|boot| self.0.split_once(' ').is_some_and(|(of, _)| is_boot(of) && of != boot))
    }
}

/// A boot's id has the form of a UUID.
fn is_boot(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-')
}

/// The machine's boot; `None` where there is no /proc.
fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// What `/proc/PID/stat` says.
struct Status {
    /// Clock ticks since the boot.
    started: String,
    /// Ended, and not waited for.
    has_ended: bool,
    group: i32,
}

fn status(pid: i32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, so the fields are counted from its end: state is the third, the group the
    // fifth, the start the 22nd.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Status {
        started: (*fields.get(19)?).to_owned(),
        has_ended: matches!(*fields.first()?, "Z" | "X"),
        group: fields.get(2)?.parse().ok()?,
    })
}

/// The processes of a group that have not ended; `None` where there is no /proc.
pub(super) fn group_members(group: i32) -> Option<Vec<i32>> {
    boot()?;
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_member = |pid: &i32| status(*pid).is_some_and(|status| status.group == group && !status.has_ended);
    Some(pids.filter(is_member).collect())
}

/// When the process started, in words. `ps` is on every Unix; /proc is not.
fn ps(pid: i32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_by_both_forms_and_no_other() {
        let own = i32::try_from(std::process::id()).unwrap();
        let identity = Identity::of(own).unwrap();
        assert!(identity.is_of(own));
        assert!(Identity(ps(own).unwrap()).is_of(own), "as earlier versions recorded it");
        assert!(!identity.is_of(1));
        assert!(!Identity::default().is_of(own));
        assert!(!identity.is_of_an_earlier_boot());
        assert!(Identity("00000000-0000-0000-0000-000000000000 1".to_owned()).is_of_an_earlier_boot());
        assert!(!Identity("Mon Nov 30 07:00:00 2026".to_owned()).is_of_an_earlier_boot());
        assert_eq!(Identity::of(i32::MAX), None);
    }
}
