//! `weir run` with the real binary: what every test here needs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod counters;
mod stops;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A busy machine is slow; nothing here takes more than a second on an idle one.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// `weir run` on a program, as `make build` leaves the command next to this test's own binary.
fn run(folder: &Path, sql: &str, arguments: &[&str]) -> Command {
    let program = folder.join("program.sql");
    fs::write(&program, sql).unwrap();
    let test = std::env::current_exe().unwrap();
    let weir = test.parent().and_then(Path::parent).unwrap().join("weir");
    assert!(weir.exists(), "{} is missing: run `make build` first", weir.display());
    let mut command = Command::new(weir);
    command.arg("run").arg(program).args(arguments).current_dir(folder).env_remove("WEIR_LOG");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// A run in the background; dropping it kills it.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// The next line on standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// How it ended, and what else it said.
    fn end(mut self) -> (ExitStatus, String) {
        let status = until("the run ends", || self.child.try_wait().unwrap());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts for ever, into a file.
const COUNTING: &str = "
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '2000', event_time_interval = '1000000');
CREATE TABLE seen (lo BIGINT, hi BIGINT, c BIGINT) WITH (connector = 'single_file', path = 'seen.jsonl', type = 'sink', format = 'json');
-- rule windows
INSERT INTO seen SELECT lo, hi, c FROM (
  SELECT tumble(INTERVAL '100 milliseconds') AS w, min(CAST(counter AS BIGINT)) AS lo, max(CAST(counter AS BIGINT)) AS hi, count(*) AS c
  FROM ticks GROUP BY 1);
";
