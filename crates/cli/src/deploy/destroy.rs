//! `weir destroy`: ends what is deployed.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use weir_arroyo::{Applier, Cluster, Patience};

use super::{
    confirm,
    infrastructure::{Infrastructure, Purpose},
    place::PlaceOptions,
    render,
};
use crate::{local::interrupted, repo::Repo};

/// Stops and deletes an environment's pipelines; with --all, everything that Terraform made for it
///
/// Exit codes: 0 none is left; 1 something failed; 2 the command line is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir destroy --env dev\n  weir destroy --env dev --all")]
pub(crate) struct DestroyCommand {
    #[command(flatten)]
    place: PlaceOptions,
    /// Ends the streams, the table, the cluster and all else of terraform/, too
    #[arg(long)]
    all: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    /// Further arguments of `terraform plan`, the same as when it was deployed
    #[arg(last = true, value_name = "ARGUMENT", requires = "all")]
    terraform: Vec<String>,
}

pub(crate) async fn run(command: DestroyCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    if command.all { infrastructure(&command, &repo) } else { pipelines(&command, &repo).await }
}

/// Pipelines go with the cluster: nothing is left that could be stopped cleanly for.
fn infrastructure(command: &DestroyCommand, repo: &Repo) -> Result<ExitCode> {
    let environment = &command.place.environment;
    let infrastructure = Infrastructure::new(repo, environment, &command.terraform)?;
    infrastructure.init()?;
    if !infrastructure.plan(Purpose::End)? {
        println!("{environment}: nothing is left");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "All of this ends. For good lost are: events and anomalies still on the streams, every stored anomaly, alert and \
         silence, quarantined records, what windows hold, and which deployments there were. A size with deletion_protection \
         refuses until that is off."
    );
    confirm(&format!("Destroy all of {environment}?"), command.yes)?;
    infrastructure.apply()?;
    println!("{environment}: nothing is left");
    Ok(ExitCode::SUCCESS)
}

async fn pipelines(command: &DestroyCommand, repo: &Repo) -> Result<ExitCode> {
    let place = command.place.connect(repo).await?;
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
