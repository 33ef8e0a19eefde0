//! `weir status`: how what is deployed does.

use std::process::ExitCode;

use anyhow::Result;
use weir_cloud::now_millis;
use weir_project::Repo;

use super::{UNWELL, place::PlaceOptions, render};

/// Says how the deployed pipelines, or a local stack, do, in plain words
///
/// Exit codes: 0 all of it does its work; 1 Arroyo could not be asked; 2 the command line is wrong; 3 something does not do its
/// work, or nothing is deployed or up.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir status --env prod --json | jq '.pipelines[].problems'\n  weir status --stack local"
)]
pub(crate) struct StatusCommand {
    /// A local stack that `weir up` started, instead of what is deployed
    #[arg(long = "stack", value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    place: PlaceOptions,
    /// Prints everything as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: StatusCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    if let Some(stack) = &command.stack {
        let well = weir_local::status::print(&repo, stack, command.json).await?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(UNWELL) });
    }
    let place = command.place.connect(&repo).await?;
    let now = u64::try_from(now_millis()).unwrap_or_default() * 1000;
    let mut all = weir_arroyo::status::status(&place.client, &place.environment, now).await?;
    if let Some(open) = place.open_shards().await? {
        all.iter_mut().for_each(|one| one.check_shards(&open));
    }
    let newest = place.ledger.list(&place.environment).await?.into_iter().next();
    if command.json {
        let said = serde_json::json!({ "pipelines": all, "deployment": newest });
        println!("{}", serde_json::to_string_pretty(&said)?);
    } else {
        print!("{}", render::status(&all, &place.environment));
        if let Some(newest) = newest {
            print!("last deployment:\n{}", render::deployments(&[newest]));
        }
    }
    let well = !all.is_empty() && all.iter().all(|one| one.well);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(UNWELL) })
}
