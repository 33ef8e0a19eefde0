//! `weir run`: a program on the embedded engine.

pub(crate) mod emf;
pub(crate) mod log;
pub(crate) mod metrics;
mod prometheus;
pub(crate) mod summary;

use std::{
    fs,
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use tokio::sync::watch;
use weir_engine::{PlanError, RunError, RunOptions, RunReport, StateError, StateLocation, plan};
use weir_project::compile::plan_options;
use weir_terminal::interrupted;

use self::{
    emf::{CheckpointAge, Emf},
    log::LogFormat,
    metrics::Metrics,
};

/// Runs an Arroyo SQL program on the embedded engine, until its finite sources end or for ever
///
/// SIGTERM and Ctrl-C end it with a last checkpoint; a second one ends it at once. Exit codes: 0 it ended and, where state is
/// kept, its last checkpoint is written; 1 something failed, or a sink or the state did not take what was left in time;
/// 4 another run has its state.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  weir compile > pack.sql && weir run pack.sql --state state --metrics-port 9464\n  \
                        weir run pack.sql --state s3://my-bucket/weir/dev --log-format json"
)]
pub(crate) struct RunCommand {
    /// The program; `-` for standard input
    file: PathBuf,
    /// Where checkpoints are kept, a folder or s3://BUCKET/PREFIX: after any end, the same program goes on from the last one
    #[arg(long, alias = "state-dir", value_name = "PLACE")]
    state: Option<StateLocation>,
    /// How often a checkpoint is written
    #[arg(long, default_value_t = 10_000, value_name = "MILLISECONDS")]
    checkpoint_interval_millis: u64,
    /// Threads that the run may keep busy; all cores where not given. What comes out is the same for every number
    #[arg(long, value_name = "THREADS")]
    parallelism: Option<NonZeroUsize>,
    /// The most window state that the run may hold; more ends it with an error
    #[arg(long, default_value_t = 2048, value_name = "MEGABYTES")]
    state_limit: usize,
    /// How long the end may take after SIGTERM or Ctrl-C, while sinks flush and the last checkpoint is written. When that is
    /// not done by then, the run ends without: the checkpoint before it stays, and a restart repeats what came after that
    #[arg(long, default_value_t = STOP_WITHIN_SECONDS, value_name = "SECONDS")]
    stop_within: u64,
    /// Keeps the run's counters in this file, as JSON, twice a second
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
    /// Serves the counters at http://127.0.0.1:PORT/metrics, for Prometheus; 0 takes a free port and says which
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// Writes the counters to standard error each minute as metrics of CloudWatch (embedded metric format, namespace Weir), with this
    /// name as their dimension `pipeline`: a log group that gets the output has the metrics
    #[arg(long, value_name = "PIPELINE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    emf: Option<String>,
    /// How warnings, errors and the counts at the end are written to standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Writes the counts at the end to standard output, as one line of JSON after what the program itself writes there
    #[arg(long)]
    json: bool,
}

/// The exit code of a run that was fenced: another one has its state, and goes on.
pub(crate) const FENCED: u8 = 4;

/// How often the counters are written.
const STATS_INTERVAL: Duration = Duration::from_millis(500);

/// ECS kills a task 30 s after it asked it to stop, unless the task's definition says otherwise. The rest is for the process's
/// own end.
const STOP_WITHIN_SECONDS: u64 = 20;

/// Runs on a runtime of its own. The calling thread only waits and hands on.
pub(crate) fn run(command: RunCommand) -> Result<ExitCode> {
    log::start(command.log_format);
    let threads = command.parallelism.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads).enable_all().build()?;
    let format = command.log_format;
    let ended = runtime.block_on(run_program(command, threads));
    // A name that is being looked up holds a thread for as long as the resolver likes; the run does not wait for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => said(error, format),
    }
}

/// Whether a run ended because another one has its state: both wrote rows until then, and the other goes on.
pub(crate) fn is_fenced(error: &RunError) -> bool {
    matches!(error, RunError::State(StateError::Taken { .. } | StateError::InUse { .. }))
}

/// How a run that failed ends.
pub(crate) fn said(error: anyhow::Error, format: LogFormat) -> Result<ExitCode> {
    let fenced = error.downcast_ref::<RunError>().is_some_and(is_fenced);
    match (format, fenced) {
        (LogFormat::Json, _) => log::failed(&error),
        (LogFormat::Text, true) => eprintln!("error: {error}"),
        (LogFormat::Text, false) => return Err(error),
    }
    Ok(ExitCode::from(if fenced { FENCED } else { 1 }))
}

async fn run_program(command: RunCommand, threads: usize) -> Result<()> {
    let sql = read(&command.file)?;
    let program = plan(&sql, &plan_options()).map_err(|e| refused(&command.file, &e))?;
    for warning in program.warnings() {
        log::warn(command.log_format, &placed(&command.file, warning));
    }
    let stats = Arc::new(weir_engine::Stats::new(&program));
    let metrics = match command.metrics_port {
        Some(port) => Some(Metrics::open(port).await?),
        None => None,
    };
    if let Some(metrics) = &metrics {
        log::say(command.log_format, &format!("metrics are at {}", metrics.url()));
    }
    let options = RunOptions {
        state: command.state.clone(),
        checkpoint_interval: Duration::from_millis(command.checkpoint_interval_millis.max(1)),
        parallelism: threads,
        state_limit: command.state_limit.saturating_mul(1 << 20),
        stats: Some(Arc::clone(&stats)),
        ..RunOptions::default()
    };
    // A watched number, so that no reader misses a signal, however late it looks.
    let (send, mut signals) = watch::channel(0);
    let count_signals = async move {
        loop {
            interrupted().await;
            send.send_modify(|n| *n += 1);
        }
    };
    let (mut stop, mut late) = (signals.clone(), signals.clone());
    let running = weir_engine::run(&program, options, async move {
        // The sender lives as long as the run.
        let _ = stop.wait_for(|n| *n > 0).await;
    });
    let serving = async {
        match metrics {
            Some(metrics) => {
                let stats = Arc::clone(&stats);
                metrics.serve(move || Some(stats.report())).await;
            }
            None => std::future::pending().await,
        }
    };
    let (stop_within, keeps_state) = (Duration::from_secs(command.stop_within), command.state.is_some());
    let too_late = async move {
        let _ = late.wait_for(|n| *n > 0).await;
        tokio::time::sleep(stop_within).await;
    };
    let mut emf = command.emf.as_deref().map(Emf::new);
    let mut checkpoint = keeps_state.then(CheckpointAge::default);
    let mut minute = tokio::time::interval_at(tokio::time::Instant::now() + emf::INTERVAL, emf::INTERVAL);
    tokio::pin!(running, count_signals, serving, too_late);
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended.map_err(anyhow::Error::from),
            () = &mut count_signals => {}
            () = &mut serving => {}
            _ = signals.wait_for(|n| *n > 1) => {
                break Err(anyhow!("interrupted twice: no last checkpoint was written\n  hint: a restart goes on from the one before"));
            }
            () = &mut too_late => break Err(stopped_late(stop_within, keeps_state)),
            _ = minute.tick() => say_metrics(emf.as_mut(), &stats.report(), checkpoint.as_mut()),
            () = tokio::time::sleep(STATS_INTERVAL) => {
                let report = stats.report();
                checkpoint.iter_mut().for_each(|checkpoint| { checkpoint.of(&report); });
                write(command.stats.as_deref(), &report)?;
            }
        }
    };
    // What was counted until the run ended is part of the answer, for any reason of the end.
    let report = stats.report();
    write(command.stats.as_deref(), &report)?;
    say_metrics(emf.as_mut(), &report, checkpoint.as_mut());
    summary::print(&report, command.log_format);
    if command.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    ended.map(|_| ())
}

/// Metrics stand on lines of their own in any format of the log.
pub(crate) fn say_metrics(emf: Option<&mut Emf>, report: &RunReport, checkpoint: Option<&mut CheckpointAge>) {
    let age = checkpoint.map(|checkpoint| checkpoint.of(report));
    let Some(emf) = emf else { return };
    for line in emf.lines(report, age, chrono::Utc::now().timestamp_millis()) {
        eprintln!("{line}");
    }
}

/// Why a run ends without a last checkpoint.
fn stopped_late(limit: Duration, keeps_state: bool) -> anyhow::Error {
    let (what, hint) = if keeps_state {
        ("no last checkpoint was written", "a restart goes on from the checkpoint before and loses nothing")
    } else {
        ("what they have not taken is not written", "keep state (--state), and a restart repeats what was not written")
    };
    anyhow!(
        "the sinks, or the place of the state, did not take what was left within {} s: {what}\n  hint: {hint}",
        limit.as_secs()
    )
}

fn read(file: &Path) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    // Some editors put a mark before the text.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// The place of a refusal is in the file that was given.
fn refused(file: &Path, error: &PlanError) -> anyhow::Error {
    anyhow!(placed(file, error))
}

pub(crate) fn placed(file: &Path, error: &PlanError) -> String {
    let place = if error.line > 0 { format!(":{}:{}", error.line, error.column) } else { String::new() };
    let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    format!("{}{place}: {}{hint}", file.display(), error.message)
}

/// A reader must never see half a file.
fn write(file: Option<&Path>, report: &RunReport) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let part = file.with_extension("part");
    fs::write(&part, serde_json::to_vec(report)?).with_context(|| format!("{} cannot be written", part.display()))?;
    fs::rename(&part, file).with_context(|| format!("{} cannot be written", file.display()))
}
