//! Runs a command and says what it cost: a small process of its own waits for it, so that its peak memory is its own.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};

use crate::BoxError;

/// What a run of a command cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// User and system time, seconds.
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
    /// Peak resident memory, megabytes (10⁶ bytes).
    pub(crate) peak_mb: f64,
    /// Until the first byte on standard output, seconds; 0 where there was none.
    pub(crate) first_output: f64,
}

/// Runs `command` under a measuring process.
pub(crate) fn measure(command: &[String], folder: &Path) -> Result<Cost, BoxError> {
    let report = folder.join("cost.json");
    let status = Command::new(std::env::current_exe()?)
        .arg("measure")
        .arg(&report)
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    if !status.status.success() {
        let said = String::from_utf8_lossy(&status.stderr);
        return Err(format!("{}: {}: {said}", command.join(" "), status.status).into());
    }
    let cost: Value = serde_json::from_slice(&fs::read(&report)?)?;
    let number = |key: &str| cost.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    Ok(Cost {
        cpu: number("cpu"),
        wall: number("wall"),
        peak_mb: number("peak_mb"),
        first_output: number("first_output"),
    })
}

/// The measuring process: runs the command and writes what it cost.
pub(crate) fn measuring_process(report: &str, command: &[String]) -> Result<(), BoxError> {
    let (program, arguments) = command.split_first().ok_or("nothing to measure")?;
    let start = Instant::now();
    let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?;
    let mut first: Option<Duration> = None;
    if let Some(mut out) = child.stdout.take() {
        let mut buffer = vec![0; 1 << 16];
        while out.read(&mut buffer)? > 0 {
            first.get_or_insert_with(|| start.elapsed());
        }
    }
    let status = child.wait()?;
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    if !status.success() {
        return Err(format!("it ended with {status}").into());
    }
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let cost = json!({
        "cpu": micros as f64 / 1e6,
        "wall": wall.as_secs_f64(),
        // The kernel counts in KiB.
        "peak_mb": usage.max_rss() as f64 * 1024.0 / 1e6,
        "first_output": first.unwrap_or_default().as_secs_f64(),
    });
    Ok(fs::write(report, cost.to_string())?)
}
