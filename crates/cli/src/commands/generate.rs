//! `weir generate`: events with labelled faults in them.

use std::{
    fs,
    io::{BufWriter, Write, stdout},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Timestamp;
use weir_backtest::data::{
    TimedEvent,
    generate::{Plan, generate},
    labels::Label,
};
use weir_rules::Interval;

/// Prints generated events, one JSON object a line: several sources and metrics with a daily shape, noise and faults
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir generate --seed 7 --labels-out labels.json > events.jsonl")]
pub(crate) struct GenerateCommand {
    #[command(flatten)]
    options: GenerateOptions,
    /// Where to write what is wrong in the events, as JSON
    #[arg(long, value_name = "FILE")]
    labels_out: Option<PathBuf>,
}

/// What to generate.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateOptions {
    /// The same seed gives the same events
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Days of event time, at least 7
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// Sources, at least 3
    #[arg(long, default_value_t = 3)]
    sources: u32,
    /// The time between two readings of a metric
    #[arg(long, default_value = "5 minutes")]
    interval: Interval,
    /// The first event's time
    #[arg(long, default_value = "2026-01-01T00:00:00Z", value_name = "TIME")]
    start: Timestamp,
    /// Without faults: all that a rule finds in such events is a false alarm
    #[arg(long)]
    clean: bool,
}

/// More would not fit into memory, which holds a replay whole.
const MOST_EVENTS: u64 = 20_000_000;

/// The seed of whoever names none.
pub(crate) const SEED: u64 = 7;
/// 2026-01-01T00:00:00Z, nanoseconds since the epoch.
const START_NANOS: i64 = 1_767_225_600_000_000_000;

impl GenerateOptions {
    /// As the command line has them when nothing but a seed is said.
    pub(crate) fn usual(seed: u64) -> Self {
        Self {
            seed,
            days: 14,
            sources: 3,
            interval: Interval::from_duration(std::time::Duration::from_secs(300)),
            start: Timestamp::from_nanos(START_NANOS),
            clean: false,
        }
    }

    pub(crate) fn generate(&self) -> Result<(Vec<TimedEvent>, Vec<Label>)> {
        if self.days < 7 || self.sources < 3 {
            bail!("--days must be at least 7 and --sources at least 3\n  hint: the faults need room");
        }
        let step = u64::try_from(self.interval.duration().as_nanos()).unwrap_or(u64::MAX);
        let events = u64::from(self.days) * 86_400_000_000_000 / step * u64::from(self.sources) * 2;
        if events > MOST_EVENTS || step > 3_600_000_000_000 {
            bail!(
                "--interval {} makes {events} events\n  hint: between 1 second and 1 hour, and at most {MOST_EVENTS} events",
                self.interval
            );
        }
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Ok(generate(Plan {
            seed: self.seed,
            days: self.days,
            sources: self.sources,
            start: self.start,
            step,
            clean: self.clean,
        }))
    }
}

pub(crate) fn run(command: &GenerateCommand) -> Result<()> {
    let (events, labels) = command.options.generate()?;
    if let Some(file) = &command.labels_out {
        let json = serde_json::to_vec_pretty(&labels)?;
        fs::write(file, json).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let mut out = BufWriter::new(stdout().lock());
    for event in &events {
        out.write_all(&event.record)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    eprintln!("{} events, {} labelled faults", events.len(), labels.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        options: GenerateOptions,
    }

    #[test]
    fn the_usual_options_are_those_of_the_command_line() {
        let parsed = Alone::parse_from(["generate"]).options;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", GenerateOptions::usual(SEED)));
    }
}
