//! `weir status`: how what is deployed, or a local stack, does.

use std::process::ExitCode;

use anyhow::Result;
use weir_deploy::{PlaceOptions, UNWELL};
use weir_project::Repo;

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
    let well = match &command.stack {
        Some(stack) => weir_local::status::print(&repo, stack, command.json).await?,
        None => weir_deploy::status::print(&repo, &command.place, command.json).await?,
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(UNWELL) })
}
