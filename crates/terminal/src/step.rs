//! Steps that a person watches: what is being done, how long it took, and what to do when it fails.

use std::{future::Future, path::Path, time::Instant};

use anyhow::{Context, Result};

/// Lines of a log that are shown when its step fails.
const LOG_TAIL: usize = 12;
/// Characters of a line of a log that are shown: a line of metrics has a thousand.
const LINE_MOST: usize = 240;

/// Does one step and says so on stderr. A failure names the step and its log.
///
/// # Errors
/// What the work gives, with the end of the log.
pub async fn step<T>(name: &str, log: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
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

/// The end of a log, as lines that stand below what they explain; empty when there is none.
pub fn tail(log: &Path) -> String {
    let cut = |line: &String| line.chars().take(LINE_MOST).collect::<String>();
    let shown: Vec<String> = last_lines(log).iter().map(|line| format!("    | {}", cut(line))).collect();
    shown.join("\n")
}

/// The last lines of a log that hold anything.
pub fn last_lines(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LOG_TAIL)).map(|line| (*line).to_owned()).collect()
}
