//! `weir rollback`: makes Arroyo run an earlier deployment again.

use std::process::ExitCode;

use anyhow::{Context, Result};
use weir_project::Repo;

use super::{
    apply::{Asked, PatienceOptions},
    place::PlaceOptions,
    plan::compare,
    render,
    wanted::RunningOptions,
};

/// Makes Arroyo run an earlier deployment again. The rules here do not matter
///
/// Exit codes: 0 it runs; 1 something failed, and what ran before still runs; 2 the command line is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir rollback --list --env prod\n  weir rollback 12 --env prod")]
pub struct RollbackCommand {
    /// The deployment's number; the last one that differs from what was deployed since, without it
    number: Option<u64>,
    /// Lists deployments, newest first, and changes nothing
    #[arg(long, conflicts_with = "number")]
    list: bool,
    #[command(flatten)]
    place: PlaceOptions,
    #[command(flatten)]
    running: RunningOptions,
    #[command(flatten)]
    patience: PatienceOptions,
    /// Shows what would be done and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Prints what was planned and done, or the list, as JSON
    #[arg(long)]
    json: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
}

/// Goes back to an earlier deployment.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: RollbackCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let environment = command.place.environment.clone();
    if command.list {
        let all = command.place.ledger(&repo).await?.list(&environment).await?;
        if command.json {
            println!("{}", serde_json::to_string_pretty(&all)?);
        } else {
            print!("{}", render::deployments(&all));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let place = command.place.connect(&repo).await?;
    let number = match command.number {
        Some(number) => number,
        None => {
            let all = place.ledger.list(&environment).await?;
            let newest = all.first().context("nothing was deployed yet, so there is nothing to go back to")?;
            let earlier = all.iter().find(|listed| listed.packs != newest.packs);
            earlier.context("every deployment so far holds the same rules\n  hint: weir rollback --list")?.number
        }
    };
    let deployment = place.ledger.get(&environment, number).await?;
    let chosen = command.running.choose(&place, deployment.packs, Some(deployment.parallelism)).await?;
    let compared = compare(&place, chosen).await?;
    let asked = Asked {
        how: format!("rollback to {number}"),
        commit: deployment.commit,
        dry_run: command.dry_run,
        json: command.json,
        yes: command.yes,
        patience: command.patience,
    };
    asked.carry_out(&place, &compared).await?;
    Ok(ExitCode::SUCCESS)
}
