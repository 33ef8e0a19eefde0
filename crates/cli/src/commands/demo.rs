//! `weir demo`: the whole path on this machine.

use std::path::PathBuf;

use anyhow::Result;
use weir_backtest::data::{
    TimedEvent,
    labels::{self, Label},
    read,
};
use weir_local::{
    StackOptions,
    demo::{self, DemoOptions},
};
use weir_project::{EnvironmentOptions, Repo, compile::load_pack};

use super::generate::GenerateOptions;
use crate::columns::ColumnOptions;

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
    /// How much faster than real the replay runs; without it, the factor that makes the replay last 40 seconds
    #[arg(long, env = "SPEED", value_name = "FACTOR")]
    speed: Option<f64>,
    /// Kills the engine in the middle of the replay and starts it again
    #[arg(long)]
    kill_engine: bool,
    /// Writes the figures of the final table as JSON, for scripts
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) async fn run(command: DemoCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    // Everything that a person got wrong shows before anything is started.
    let (events, labels) = events(&command)?;
    let options = DemoOptions {
        stack: command.stack,
        environment,
        events,
        labels,
        // With generated events only.
        poison: command.data.is_none(),
        speed: command.speed,
        kill_engine: command.kill_engine,
        json: command.json,
    };
    let data = command.data.clone();
    demo::run(&repo, &pack, options).await?;
    let weir = std::env::args().next().unwrap_or_else(|| "weir".to_owned());
    match data {
        Some(file) => eprintln!(
            "▸ {weir} studio --input {} shows these events, and what a rule would find while you write it",
            file.display()
        ),
        None => eprintln!("▸ {weir} studio shows such events, and what a rule would find in them while you write it"),
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
