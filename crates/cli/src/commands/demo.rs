//! `weir demo`: the whole path on this machine.

mod records;

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
use weir_rules::{Environment, Pack};

use super::generate::GenerateOptions;
use crate::columns::ColumnOptions;

/// Starts everything, replays events through it, reports what came of them, and cleans up
///
/// Without --data it makes up events, and puts them on Weir's own stream `events`. Where no rule that is on reads those, it replays
/// the records in the project's folder `data`, on the stream that its rules read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir demo\n  weir demo --data readings.csv --timestamp time --value celsius\n  weir demo --data records.jsonl --as climate"
)]
pub(crate) struct DemoCommand {
    #[command(flatten)]
    stack: StackOptions,
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// Events to replay (JSON, CSV with a header line, or Parquet); generated ones otherwise
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// What is in --data is records of this declared stream, a file of them or a folder
    #[arg(long = "as", value_name = "STREAM", requires = "data", conflicts_with_all = ["timestamp", "value"])]
    stream: Option<String>,
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
    let (events, labels, stream) = events(&command, &repo, &pack, &environment).await?;
    let shown = match (&command.data, &stream) {
        (Some(file), None) => format!("studio --input {} shows these", file.display()),
        (Some(file), Some(stream)) => format!("studio --input {} --as {stream} shows these", file.display()),
        (None, Some(stream)) => format!("studio --input {} --as {stream} shows these", records::DATA),
        (None, None) => "studio shows such".to_owned(),
    };
    let options = DemoOptions {
        stack: command.stack,
        environment,
        events,
        labels,
        // With generated events only.
        poison: command.data.is_none() && stream.is_none(),
        stream,
        speed: command.speed,
        kill_engine: command.kill_engine,
        json: command.json,
    };
    demo::run(&repo, &pack, options).await?;
    let weir = std::env::args().next().unwrap_or_else(|| "weir".to_owned());
    eprintln!("▸ {weir} {shown} events, and what a rule would find in them while you write it");
    Ok(())
}

/// The events to replay, what is known of them, and the declared stream that they are records of.
async fn events(
    command: &DemoCommand,
    repo: &Repo,
    pack: &Pack,
    environment: &Environment,
) -> Result<(Vec<TimedEvent>, Vec<Label>, Option<String>)> {
    let Some(file) = &command.data else {
        let Some(stream) = records::of_project(repo, pack, environment)? else {
            let (events, labels) = command.generate.generate()?;
            return Ok((events, labels, None));
        };
        let (events, labels) = records::own(repo, &stream).await?;
        eprintln!(
            "the rules read `{stream}`: {} records of it in the project's folder `data` are replayed",
            events.len()
        );
        return Ok((events, labels, Some(stream)));
    };
    if let Some(stream) = &command.stream {
        let (events, labels) = records::read(repo, file, stream, command.labels.as_deref()).await?;
        return Ok((events, labels, Some(stream.clone())));
    }
    let events = read::read(file, &command.columns.columns())?;
    let stem = read::stem(file);
    let labels = command.labels.as_deref().map(|labels| labels::read(labels, |source| source == stem)).transpose()?;
    Ok((events, labels.unwrap_or_default(), None))
}
