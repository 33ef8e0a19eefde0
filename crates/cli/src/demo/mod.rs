//! The whole path on one machine: events in, rules on, anomalies stored, alerts delivered, and a table that says so.

mod replay;
mod report;
mod watch;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use weir_backtest::data::{
    TimedEvent,
    labels::{self, Label},
    median_gap_nanos, read,
};
use weir_cloud::Clients;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{load_pack, set},
};
use weir_rules::{Environment, Interval, Pack};
use weir_terminal::interrupted;

use crate::{
    columns::ColumnOptions,
    commands::generate::GenerateOptions,
    local::{Stack, StackOptions},
};
use replay::{Pace, Replay};
use watch::Watch;

/// Starts everything, replays events through it, reports what came of them, and cleans up
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir demo --data readings.csv --timestamp time --value celsius")]
pub(crate) struct DemoCommand {
    #[command(flatten)]
    stack: StackOptions,
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// Events to replay (JSON, CSV with a header line, or Parquet); generated ones otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnOptions,
    /// What is known to be wrong in the data: JSON as `weir generate --labels` writes it, or NAB's windows
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    generate: GenerateOptions,
    /// How much faster than real the replay runs; without it, whatever makes the replay last 40 seconds
    #[arg(long, env = "SPEED", value_name = "FACTOR")]
    speed: Option<f64>,
    /// Kills the engine in the middle of the replay and starts it again
    #[arg(long)]
    kill_engine: bool,
    /// Writes the figures of the final table as JSON, for scripts
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How long the path may take to settle after the last event. Everything is on this machine: a minute means that
/// something is stuck.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

pub(crate) async fn run(command: DemoCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let mut environment = command.environment.load(&repo, &pack)?;
    // Everything that a person got wrong shows before anything is started.
    let (events, labels) = events(&command)?;
    if let Some(speed) = command.speed.filter(|speed| !speed.is_finite() || *speed <= 0.0) {
        bail!("SPEED={speed} is no speed\n  hint: how many times faster than real, for instance 3600");
    }
    fit_to_sampling(&mut environment, &pack, &events)?;
    let mut stack = Stack::prepare(&repo, &command.stack).await?;
    let outcome = tokio::select! {
        outcome = demo(&command, &mut stack, environment, events, labels) => outcome,
        stopped = interrupted() => Err(stopped),
    };
    eprintln!("▸ clean up …");
    let folder = stack.folder().to_owned();
    stack.down().await;
    eprintln!("  done; logs are in {}", folder.display());
    outcome
}

async fn demo(
    command: &DemoCommand,
    stack: &mut Stack,
    environment: Environment,
    events: Vec<TimedEvent>,
    labels: Vec<Label>,
) -> Result<()> {
    let connection = stack.provision().await?;
    let delay = environment.watermark_delay;
    let sampling = median_gap_nanos(&events).unwrap_or(0);
    let rules = stack.compile(&connection, environment)?;
    eprintln!("  {rules} rules compiled into one program");
    stack.start_engine(&connection).await?;

    let clients = Arc::new(Clients::at(&connection.endpoint).await);
    let pace = Pace::new(&events, command.speed);
    eprintln!("▸ replay {} events, {} of event time, in about {:.0} s …", events.len(), pace.span(), pace.seconds());
    // Poison goes in with generated events only: a person's own stream is left as it is.
    let poison = if command.data.is_none() { replay::poison() } else { Vec::new() };
    let mut watch = Watch::open(Arc::clone(&clients), &connection, stack.stats_file()).await?;
    let replay = Replay::start(Arc::clone(&clients), &connection, events, poison, pace);
    let mut killed = !command.kill_engine;
    while !replay.is_done() {
        stack.check()?;
        watch.look(replay.progress()).await?;
        if !killed && replay.progress().sent * 2 > replay.progress().total {
            eprintln!("▸ kill -9 the engine in the middle of the replay …");
            stack.kill_engine().await;
            stack.start_engine(&connection).await?;
            killed = true;
        }
    }
    let replayed = replay.finish().await?;
    eprintln!("▸ wait until everything has arrived …");
    let deadline = std::time::Instant::now() + SETTLE_DEADLINE;
    while !watch.settled(&replayed) {
        stack.check()?;
        watch.look(replayed.progress()).await?;
        if std::time::Instant::now() > deadline {
            bail!("the path did not settle within {} s: {}", SETTLE_DEADLINE.as_secs(), watch.summary());
        }
    }
    let report = report::Report::new(&replayed, &watch.finish().await?, &labels, delay, sampling);
    println!("{report}");
    if let Some(file) = &command.json {
        let json = serde_json::to_vec_pretty(&report).context("the report as JSON")?;
        fs::write(file, json).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

/// The events to replay and what is known of them.
fn events(command: &DemoCommand) -> Result<(Vec<TimedEvent>, Vec<Label>)> {
    let Some(file) = &command.data else {
        return command.generate.generate();
    };
    let events = read::read(file, &command.columns.columns())?;
    let stem = read::stem(file);
    let labels = command.labels.as_deref().map(|labels| labels::read(labels, |source| source == stem)).transpose()?;
    Ok((events, labels.unwrap_or_default()))
}

/// Rules that look at each reading need a step of the time between readings. Where the data are slower than the default,
/// and the person has set nothing, the z-score's step and window follow.
fn fit_to_sampling(environment: &mut Environment, pack: &Pack, events: &[TimedEvent]) -> Result<()> {
    /// Readings in a window that a deviation can be told from.
    const LEAST_READINGS: u32 = 100;
    let own = environment.parameters.get("zscore").is_some_and(|p| p.contains_key("step") || p.contains_key("window"));
    let Some(rule) = pack.rule("zscore").filter(|_| !own) else {
        return Ok(());
    };
    let Some(sampling) = median_gap_nanos(events).and_then(|nanos| u64::try_from(nanos).ok()) else {
        return Ok(());
    };
    let default = |name: &str| {
        let text = rule.header.parameters.get(name).and_then(|p| p.default.as_str());
        text.and_then(|text| text.parse::<Interval>().ok()).map(Interval::duration)
    };
    let (Some(step), Some(window)) = (default("step"), default("window")) else {
        return Ok(());
    };
    // Whole seconds: real clocks jitter.
    let sampling = Duration::from_secs(Duration::from_nanos(sampling).as_secs().max(1));
    if sampling <= step {
        return Ok(());
    }
    let least = window.max(sampling * LEAST_READINGS);
    let steps = least.as_secs().div_ceil(sampling.as_secs());
    let window = Duration::from_secs(steps * sampling.as_secs());
    let (step, window) = (Interval::from_duration(sampling), Interval::from_duration(window));
    eprintln!("  readings are {step} apart: zscore looks every {step} at a window of {window}");
    set(environment, pack, &format!("zscore.step={step}"))?;
    set(environment, pack, &format!("zscore.window={window}"))
}
