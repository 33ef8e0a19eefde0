//! `weir ui`: Arroyo's own pages, through a tunnel.

use std::process::ExitCode;

use anyhow::Result;

use super::{
    place::PlaceOptions,
    tunnel::{API_PORT, Tunnel},
};
use crate::{local::interrupted, repo::Repo};

/// Opens a tunnel to Arroyo's UI on a loopback port, until Ctrl-C
///
/// Needs the AWS CLI with its Session Manager plugin. Exit codes: 0 ended by Ctrl-C; 1 the tunnel failed; 2 the command line
/// is wrong.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  weir ui --port 8115\n  then, in another shell: WEIR_ARROYO_URL=http://127.0.0.1:8115 weir status"
)]
pub(crate) struct UiCommand {
    #[command(flatten)]
    place: PlaceOptions,
    /// The loopback port
    #[arg(long, default_value_t = API_PORT)]
    port: u16,
}

pub(crate) async fn run(command: UiCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let outputs = command.place.outputs(&repo).await?;
    let mut tunnel = Tunnel::open(&outputs, command.port).await?;
    println!("{}", tunnel.url);
    let secret = outputs.get("arroyo_api_key_secret");
    let key = secret.map_or_else(String::new, |name| format!("; the API key is in secret {name}"));
    eprintln!("Arroyo's UI and API are at {}{key}. Ctrl-C ends the tunnel.", tunnel.url);
    tokio::select! {
        ended = tunnel.ended() => ended.map(|()| ExitCode::SUCCESS),
        _ = interrupted() => Ok(ExitCode::SUCCESS),
    }
}
