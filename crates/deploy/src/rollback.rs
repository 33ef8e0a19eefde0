//! `weir rollback`: makes the deployed engine run an earlier deployment again.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use weir_arroyo::history::{Deployment, Engine};
use weir_project::Repo;

use super::{
    apply::{Asked, PatienceOptions},
    embedded,
    ledger::Ledger,
    place::{PlaceOptions, Reached},
    plan::compare,
    render,
    wanted::RunningOptions,
};

/// Makes the deployed engine run an earlier deployment again. The rules here do not matter
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
    let reached = command.place.reach(&repo).await?;
    let (ledger, engine) = match &reached {
        Reached::Arroyo(place) => (&place.ledger, Engine::Arroyo),
        Reached::Embedded(service) => (&service.ledger, Engine::Embedded),
    };
    let deployment = earlier(ledger, &environment, command.number, engine).await?;
    let asked = Asked {
        how: format!("rollback to {}", deployment.number),
        commit: deployment.commit.clone(),
        dry_run: command.dry_run,
        json: command.json,
        yes: command.yes,
        patience: command.patience,
    };
    match reached {
        Reached::Arroyo(place) => {
            let chosen = command.running.choose(&place, deployment.packs, Some(deployment.parallelism)).await?;
            asked.carry_out(&place, &compare(&place, chosen).await?).await?;
        }
        Reached::Embedded(service) => {
            command.running.refuse_arroyos()?;
            let pack = deployment.packs.into_iter().next().context("the deployment holds no rules")?;
            embedded::carry_out(&asked, &service, &embedded::compare(&service, pack).await?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The deployment of that number; without one, the last that differs from the newest of the same engine.
async fn earlier(ledger: &Ledger, environment: &str, number: Option<u64>, engine: Engine) -> Result<Deployment> {
    let number = match number {
        Some(number) => number,
        None => {
            let mut all = ledger.list(environment).await?;
            all.retain(|listed| listed.engine == engine);
            let newest = all.first().context("nothing was deployed yet, so there is nothing to go back to")?;
            let earlier = all.iter().find(|listed| listed.packs != newest.packs);
            earlier.context("every deployment so far holds the same rules\n  hint: weir rollback --list")?.number
        }
    };
    let deployment = ledger.get(environment, number).await?;
    if deployment.engine != engine {
        bail!(
            "deployment {number} was for the other engine, which has programs of its own\n  hint: check out its commit, and `weir apply`"
        );
    }
    Ok(deployment)
}
