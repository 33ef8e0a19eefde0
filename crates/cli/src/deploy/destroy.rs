//! `weir destroy`: ends what is deployed.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use weir_arroyo::{Applier, Cluster, Patience};

use super::{confirm, place::PlaceOptions, render};
use crate::{local::interrupted, repo::Repo};

/// Stops and deletes an environment's pipelines; streams, table and everything else of Terraform's stay
///
/// Exit codes: 0 none is left; 1 something failed; 2 the command line is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir destroy --env dev")]
pub(crate) struct DestroyCommand {
    #[command(flatten)]
    place: PlaceOptions,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: DestroyCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let place = command.place.connect(&repo).await?;
    let environment = &place.environment;
    let cluster = Cluster::observe(&place.client, environment).await?;
    if cluster.ours.is_empty() {
        println!("{environment}: no rules are deployed");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("These pipelines end, and what their windows hold is lost:");
    for deployed in &cluster.ours {
        eprintln!("  {} ({}), {}", deployed.name, deployed.pipeline.id, deployed.state().name());
    }
    eprintln!(
        "Events go on arriving and nothing looks at them; a later `weir apply` reads what the stream still keeps."
    );
    confirm(&format!("End {} of {environment}?", render::count(cluster.ours.len(), "pipeline")), command.yes)?;
    let lock = place.ledger.lock(environment).await?;
    let begun = Instant::now();
    let progress = |line: &str| eprintln!("[{:>4} s] {line}", begun.elapsed().as_secs());
    let ended = lock
        .hold(async {
            let applier = Applier { client: &place.client, patience: Patience::default(), progress: &progress };
            tokio::select! {
                ended = applier.destroy(environment) => Ok(ended?),
                stopped = interrupted() => Err(stopped.context("destroying broke off; the same command goes on from here")),
            }
        })
        .await?;
    println!("{environment}: {} ended", render::count(ended, "pipeline"));
    Ok(ExitCode::SUCCESS)
}
