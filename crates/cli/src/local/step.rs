//! Steps that a person watches: what is being done, how long it took, and what to do when it fails.

use std::{
    future::Future,
    path::Path,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

/// Lines of a log that are shown when its step fails.
const LOG_TAIL: usize = 12;
/// Characters of a line of a log that are shown: a line of metrics has a thousand.
const LINE_MOST: usize = 240;

/// Does one step and says so on stderr. A failure names the step and its log.
pub(crate) async fn step<T>(name: &str, log: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
    eprintln!("▸ {name} …");
    let begun = Instant::now();
    match work.await {
        Ok(value) => {
            eprintln!("  done in {:.1} s", begun.elapsed().as_secs_f64());
            Ok(value)
        }
        Err(error) => {
            let tail = tail(log);
            let tail = if tail.is_empty() { String::new() } else { format!("\n{tail}") };
            let failed = format!("step `{name}` failed (log: {}){tail}", log.display());
            Err(error).with_context(|| failed)
        }
    }
}

/// Returns when the person, or the system, asks the command to stop.
pub(crate) async fn interrupted() -> anyhow::Error {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the default action ends the process; there is nothing to wait for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    anyhow!("interrupted")
}

/// Listens for the person's, or the system's, request to stop while work goes on that must not be cut short.
pub(crate) struct Interrupt {
    stop: Pin<Box<dyn Future<Output = anyhow::Error> + Send>>,
    came: bool,
}

impl Interrupt {
    /// Begins to listen. A request is kept until the work at hand is done.
    pub(crate) fn listen() -> Self {
        Self { stop: Box::pin(interrupted()), came: false }
    }

    /// Whether a request has come.
    pub(crate) fn came(&self) -> bool {
        self.came
    }

    /// Does all of the work, and notes a request that comes meanwhile.
    pub(crate) async fn after<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        while !self.came {
            tokio::select! {
                done = &mut work => return done,
                _ = &mut self.stop => self.came = true,
            }
        }
        work.await
    }

    /// Waits for so long, or for a request.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        if self.came {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = &mut self.stop => self.came = true,
        }
    }
}

/// The end of a log, as lines that stand below what they explain; empty when there is none.
pub(super) fn tail(log: &Path) -> String {
    let cut = |line: &String| line.chars().take(LINE_MOST).collect::<String>();
    let shown: Vec<String> = last_lines(log).iter().map(|line| format!("    | {}", cut(line))).collect();
    shown.join("\n")
}

/// The last lines of a log that hold anything.
pub(super) fn last_lines(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LOG_TAIL)).map(|line| (*line).to_owned()).collect()
}
