//! Steps that a person watches: what is being done, how long it took, and what to do when it fails.

use std::{future::Future, path::Path, time::Instant};

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

/// Lines of a log that are shown when its step fails.
const LOG_TAIL: usize = 12;

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

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG_TAIL);
    let shown: Vec<String> = lines.iter().skip(from).map(|line| format!("    | {line}")).collect();
    shown.join("\n")
}
