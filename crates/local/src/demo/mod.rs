//! The whole path on one machine: events in, rules on, anomalies stored, alerts delivered, and a table that says so.

mod replay;
mod report;
mod watch;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use weir_backtest::data::{TimedEvent, labels::Label, median_gap_nanos};
use weir_cloud::Clients;
use weir_project::{Repo, compile::set};
use weir_rules::{Environment, Interval, Pack};
use weir_terminal::interrupted;

use crate::{Stack, StackOptions};
use replay::{Pace, Replay};
use watch::Watch;

/// How long the path may take to settle after the last event. Everything is on this machine: a minute means that
/// something is stuck.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

/// What to replay, and how.
#[derive(Debug)]
pub struct DemoOptions {
    /// The stack that is started for it.
    pub stack: StackOptions,
    /// The environment that the rules are compiled for.
    pub environment: Environment,
    /// The events, in order of time.
    pub events: Vec<TimedEvent>,
    /// What is known to be wrong in them.
    pub labels: Vec<Label>,
    /// The declared stream that they are records of; Weir's own events without it.
    pub stream: Option<String>,
    /// Whether records that are no events go in first. A person's own stream is left as it is.
    pub poison: bool,
    /// How much faster than real the replay runs; without it, the factor that makes it last 40 seconds.
    pub speed: Option<f64>,
    /// Whether the engine is killed in the middle of the replay and started again.
    pub kill_engine: bool,
    /// Where the figures of the final table are written as JSON.
    pub json: Option<PathBuf>,
}

/// Starts everything, replays events through it, prints what came of them, and cleans up.
///
/// # Errors
/// When the speed is none, a part of the stack cannot be started or ends, or the path does not settle.
pub async fn run(repo: &Repo, pack: &Pack, mut options: DemoOptions) -> Result<()> {
    if let Some(speed) = options.speed.filter(|speed| !speed.is_finite() || *speed <= 0.0) {
        bail!("SPEED={speed} is no speed\n  hint: how many times faster than real, for instance 3600");
    }
    fit_to_sampling(&mut options.environment, pack, &options.events)?;
    let mut stack = Stack::prepare(repo, &options.stack).await?;
    let outcome = tokio::select! {
        outcome = demo(options, &mut stack) => outcome,
        stopped = interrupted() => Err(stopped),
    };
    eprintln!("▸ clean up …");
    let folder = stack.folder().to_owned();
    stack.down().await;
    eprintln!("  done; logs are in {}", folder.display());
    outcome
}

async fn demo(options: DemoOptions, stack: &mut Stack) -> Result<()> {
    let DemoOptions { environment, events, stream, labels, poison, speed, kill_engine, json, .. } = options;
    let connection = stack.provision(&environment).await?;
    let delay = environment.watermark_delay;
    let sampling = median_gap_nanos(&events).unwrap_or(0);
    let rules = stack.compile(&connection, environment)?;
    eprintln!("  {rules} rules compiled into one program");
    stack.start_engine(&connection).await?;

    let clients = Arc::new(Clients::at(&connection.endpoint).await);
    let pace = Pace::new(&events, speed);
    eprintln!("▸ replay {} events, {} of event time, in about {:.0} s …", events.len(), pace.span(), pace.seconds());
    let poison = if poison { replay::poison() } else { Vec::new() };
    let mut watch = Watch::open(Arc::clone(&clients), &connection, stack.stats_file()).await?;
    // A declared stream has its name in Kinesis from the environment.
    let declared = stream.map(|name| connection.declared.get(&name).cloned().unwrap_or(name));
    let to = declared.unwrap_or_else(|| connection.events_stream.clone());
    let replay = Replay::start(Arc::clone(&clients), &connection, to, events, poison, pace);
    let mut killed = !kill_engine;
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
    if let Some(file) = &json {
        let json = serde_json::to_vec_pretty(&report).context("the report as JSON")?;
        fs::write(file, json).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
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
