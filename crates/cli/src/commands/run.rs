//! `weir run`: a program on the embedded engine.

use std::{
    fs,
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use weir_engine::{PlanError, RunOptions, RunReport, plan};

use crate::{compile::plan_options, local::interrupted};

/// Runs an Arroyo SQL program on the embedded engine, until its finite sources end or for ever
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir compile > pack.sql && weir run pack.sql --state-dir state")]
pub(crate) struct RunCommand {
    /// The program; `-` for standard input
    file: PathBuf,
    /// Where checkpoints are kept: after any end, the same program goes on from the last one
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// How often a checkpoint is written
    #[arg(long, default_value_t = 10_000, value_name = "MILLISECONDS")]
    checkpoint_interval_millis: u64,
    /// Threads that the run may keep busy; all cores where not given. What comes out is the same for every number
    #[arg(long, value_name = "THREADS")]
    parallelism: Option<NonZeroUsize>,
    /// The most window state that the run may hold; more ends it with an error
    #[arg(long, default_value_t = 2048, value_name = "MEGABYTES")]
    state_limit: usize,
    /// Keeps the run's counters in this file, as JSON, once a second
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
}

/// How often the counters are written.
const STATS_INTERVAL: Duration = Duration::from_millis(500);

/// Runs on a runtime of its own. The calling thread only waits and hands on.
pub(crate) fn run(command: RunCommand) -> Result<()> {
    let threads = command.parallelism.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads).enable_all().build()?;
    runtime.block_on(run_program(command, threads))
}

async fn run_program(command: RunCommand, threads: usize) -> Result<()> {
    log();
    let sql = read(&command.file)?;
    let program = plan(&sql, &plan_options()).map_err(|e| refused(&command.file, &e))?;
    let stats = Arc::new(weir_engine::Stats::new(&program));
    let options = RunOptions {
        state_dir: command.state_dir,
        checkpoint_interval: Duration::from_millis(command.checkpoint_interval_millis.max(1)),
        parallelism: threads,
        state_limit: command.state_limit.saturating_mul(1 << 20),
        stats: Some(Arc::clone(&stats)),
        ..RunOptions::default()
    };
    let running = weir_engine::run(&program, options, async {
        interrupted().await;
    });
    tokio::pin!(running);
    let report = loop {
        tokio::select! {
            ended = &mut running => break ended?,
            () = tokio::time::sleep(STATS_INTERVAL) => write(command.stats.as_deref(), &stats.report())?,
        }
    };
    write(command.stats.as_deref(), &report)?;
    eprintln!("{}", summary(&report));
    Ok(())
}

/// What the demo reads of a running engine's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Records read.
    pub(crate) events: u64,
    /// Rows that came after their window had closed.
    pub(crate) late: u64,
    /// How far behind the tip of the stream the source is.
    pub(crate) lag_millis: Option<u64>,
}

impl Stats {
    /// From a file that `weir run --stats` keeps; `None` until it is there.
    pub(crate) fn load(file: &Path) -> Option<Self> {
        #[derive(Deserialize)]
        struct Report {
            sources: Vec<Source>,
        }
        #[derive(Deserialize)]
        struct Source {
            records: u64,
            late: u64,
            lag_millis: Option<u64>,
        }
        let report: Report = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        Some(Self {
            events: report.sources.iter().map(|source| source.records).sum(),
            late: report.sources.iter().map(|source| source.late).sum(),
            lag_millis: report.sources.iter().filter_map(|source| source.lag_millis).max(),
        })
    }
}

fn read(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// The place of a refusal is in the file that was given.
fn refused(file: &Path, error: &PlanError) -> anyhow::Error {
    let place = if error.line > 0 { format!(":{}:{}", error.line, error.column) } else { String::new() };
    let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    anyhow!("{}{place}: {}{hint}", file.display(), error.message)
}

/// A reader must never see half a file.
fn write(file: Option<&Path>, report: &RunReport) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let part = file.with_extension("part");
    fs::write(&part, serde_json::to_vec(report)?).with_context(|| format!("{} cannot be written", part.display()))?;
    fs::rename(&part, file).with_context(|| format!("{} cannot be written", file.display()))
}

fn summary(report: &RunReport) -> String {
    let mut lines = Vec::new();
    for s in &report.sources {
        lines.push(format!(
            "read {}: {} records, {} late, {} poison, {} without a usable time, {} from the future",
            s.name, s.records, s.late, s.poison, s.without_time, s.future
        ));
    }
    lines.extend(report.sinks.iter().map(|s| format!("wrote {}: {} rows", s.name, s.rows)));
    lines.join("\n")
}

/// Warnings go to stderr, as one JSON object a line when they are not read by a person.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| "warn".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        builder.init();
    } else {
        builder.json().init();
    }
}
