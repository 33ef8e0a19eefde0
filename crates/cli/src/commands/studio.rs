//! `weir studio`: a page to write rules on.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use anyhow::{Context, Result, anyhow};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Mutex;
use weir_anomaly::Anomaly;
use weir_cloud::store;
use weir_deploy::{PlaceOptions, status::Deployment};
use weir_project::{Repo, compile::check_environment};
use weir_studio::{Commands, HistoryChoice, Place, RuleVersion, Running, SilenceRequest, StudioOptions};
use weir_terminal::interrupted;

use crate::{
    columns::ColumnOptions,
    commands::{
        explain::version,
        generate::{GenerateOptions, SEED},
        quarantine, silence,
        streams::declared,
    },
    target::{DeployedTarget, Names},
};

/// Serves a page on which a rule is written and what it would have found is seen at once, until Ctrl-C
///
/// The page works on the files of this project, on this machine alone: it listens on loopback, asks nobody else for anything, and
/// answers only to the address that is printed. With --stack or --env it also shows what runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir studio\n  weir studio --input readings.csv --labels labels.json\n  weir studio --input data --as climate --labels labels/faults.json\n  weir studio --stack demo --open 0123456789abcdef0123456789abcdef"
)]
pub(crate) struct StudioCommand {
    /// The history that rules are tried on: a file (JSON, CSV or Parquet), a folder, s3://BUCKET/PREFIX, or kinesis://STREAM;
    /// generated events without it
    #[arg(long, num_args = 1.., value_name = "FILE|FOLDER|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// The declared stream whose raw records --input holds
    #[arg(long = "as", value_name = "STREAM", requires = "input")]
    stream: Option<String>,
    /// What is known to be wrong; labels that are made on the page are written there [default: sql/labels.json]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnOptions,
    /// The environment whose parameters rules are tried with: a file below sql/environments, without .toml [default: that of
    /// --env, else the project's own]
    #[arg(long, value_name = "NAME")]
    parameters_of: Option<String>,
    /// The loopback port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Prints the address and opens no browser
    #[arg(long)]
    no_open: bool,
    /// Opens the page at this stored anomaly
    #[arg(long, value_name = "ID")]
    open: Option<String>,
    #[command(flatten)]
    target: DeployedTarget,
}

pub(crate) async fn run(command: StudioCommand) -> Result<()> {
    let repo = Repo::find()?;
    let no_open = command.no_open;
    let server = weir_studio::open(options(repo, command)?).await?;
    let url = server.url();
    println!("{url}");
    eprintln!("the page is at that address, for this machine only. Ctrl-C ends it.");
    if !no_open {
        show(&url);
    }
    tokio::select! {
        ended = server.serve() => ended,
        _ = interrupted() => Ok(()),
    }
}

fn options(repo: Repo, command: StudioCommand) -> Result<StudioOptions> {
    // A page that opens and then says so is a page too late.
    if let Some(stream) = &command.stream {
        declared(&repo, stream)?;
    }
    let StudioCommand { input, stream, labels, columns, parameters_of, port, open, target, .. } = command;
    let named = target.environment().map(str::to_owned);
    let environment = match (&parameters_of, &named) {
        (Some(name), _) => check_environment(&repo, name, "--parameters-of").map(|()| name.clone())?,
        (None, Some(name)) => check_environment(&repo, name, "--parameters-of").map(|()| name.clone())?,
        (None, None) => {
            let name = repo.manifest().environment.clone();
            check_environment(&repo, &name, "environment = in weir.toml, or --parameters-of,")?;
            name
        }
    };
    let name = match (target.stack(), &named) {
        (Some(stack), _) => Some(format!("stack {stack}")),
        (None, Some(environment)) => Some(format!("environment {environment}")),
        (None, None) => None,
    };
    let (target, here) = (Arc::new(target), repo.clone());
    let (place, clients) = (Arc::clone(&target), Arc::clone(&target));
    let running = name.map(|name| Running {
        name,
        stack: target.stack().map(str::to_owned),
        environment: target.environment().map(str::to_owned),
        connect: Box::new(move || {
            let target = Arc::clone(&place);
            Box::pin(async move {
                let (clients, names) = target.connect().await?;
                let Names { events_stream, anomalies_stream, table, quarantine_url, foreign_streams } =
                    names.context("which stack?\n  hint: --env NAME or --stack NAME")?;
                Ok(Place { clients, events_stream, anomalies_stream, table, quarantine_url, foreign_streams })
            })
        }),
    });
    Ok(StudioOptions {
        repo,
        port,
        environment,
        // A person who has no history sees at once what the page can do.
        history: Some(if input.is_empty() {
            HistoryChoice::Generated { seed: SEED }
        } else if let Some(stream) = stream {
            HistoryChoice::Records { inputs: input, stream }
        } else {
            HistoryChoice::Inputs(input)
        }),
        columns: columns.columns(),
        labels,
        running,
        open,
        generate: Box::new(|seed| GenerateOptions::usual(seed).generate()),
        commands: Box::new(TheCommands { repo: here, deployment: Mutex::default() }),
        connect: Box::new(move || {
            let target = Arc::clone(&clients);
            Box::pin(async move { Ok(target.connect().await?.0) })
        }),
    })
}

/// What the page does in the commands' place, by their code.
struct TheCommands {
    repo: Repo,
    /// The way to Arroyo, kept while it answers: a tunnel takes seconds to open.
    deployment: Mutex<Option<Deployment>>,
}

impl Commands for TheCommands {
    fn quarantined<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(quarantine::contents_of(&place.clients, &place.quarantine_url))
    }

    fn send_again<'a>(
        &'a self,
        place: &'a Place,
        record_id: &'a str,
        stream: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(quarantine::send_one_again(
            (&place.clients, &place.quarantine_url),
            &place.foreign_streams,
            record_id,
            stream,
        ))
    }

    fn silence<'a>(&'a self, place: &'a Place, wanted: &'a SilenceRequest) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let lasts = wanted.lasts.parse().map_err(|error: String| anyhow!(error))?;
            // As the command has it: the user who is logged in signs.
            let who = std::env::var("USER").unwrap_or_else(|_| "weir studio".to_owned());
            let silence = silence::made((&wanted.rule, &wanted.key), lasts, &who, &wanted.why)?;
            Ok(store::put(&place.clients, &place.table, &silence.to_item()).await?)
        })
    }

    fn pipelines<'a>(&'a self, environment: &'a str) -> BoxFuture<'a, Result<Vec<Value>>> {
        Box::pin(async move {
            let mut kept = self.deployment.lock().await;
            let deployment = match kept.take() {
                Some(deployment) => deployment,
                None => Deployment::open(&self.repo, &PlaceOptions::of(environment)).await?,
            };
            // One that does not answer any more is not kept: the next look opens another.
            let pipelines = deployment.pipelines().await?;
            *kept = Some(deployment);
            pipelines.iter().map(|one| serde_json::to_value(one).context("a pipeline as JSON")).collect()
        })
    }

    fn version(&self, anomaly: &Anomaly) -> Result<Option<RuleVersion>> {
        Ok(version::find(&self.repo, anomaly)?.map(|found| RuleVersion {
            pack: found.pack,
            environment: found.environment,
            environments: found.environment_names,
            place: found.place,
        }))
    }
}

/// Opens a browser, where there is one: the address was printed in any case.
fn show(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(opener);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().is_err() {
        eprintln!("no browser was opened: {opener} is not here");
    }
}
