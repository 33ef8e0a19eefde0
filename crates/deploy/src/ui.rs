//! `weir ui`: Arroyo's own pages, through a tunnel.

use std::process::ExitCode;

use anyhow::{Result, bail};
use weir_project::Repo;
use weir_terminal::interrupted;

use super::{
    aws_cli,
    place::PlaceOptions,
    proxy::Proxy,
    tunnel::{API_PORT, Tunnel},
};

/// Opens a tunnel to Arroyo's UI on a loopback port, until Ctrl-C
///
/// Prints the command that does it (aws ssm start-session), which needs the AWS CLI and its Session Manager plugin. Exit codes: 0 ended by Ctrl-C; 1 the tunnel failed; 2 the command line
/// is wrong.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  weir ui --port 8115\n  then, in another shell: WEIR_ARROYO_URL=http://127.0.0.1:8115 weir status"
)]
pub struct UiCommand {
    #[command(flatten)]
    place: PlaceOptions,
    /// The loopback port
    #[arg(long, default_value_t = API_PORT)]
    port: u16,
}

/// Opens Arroyo's page, until Ctrl-C.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: UiCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let outputs = command.place.outputs(&repo).await?;
    if outputs.get("engine_bucket").is_some() {
        bail!(
            "the embedded engine has no page of its own\n  hint: weir status says how it does, weir studio tries rules"
        );
    }
    aws_cli::need_tunnel()?;
    let key = command.place.key(&outputs).await?;
    let mut tunnel = Tunnel::open(&outputs).await?;
    let proxy = Proxy::open(command.port, tunnel.address, key).await?;
    println!("{}", proxy.url());
    eprintln!(
        "Arroyo's UI and API are at {}, for this machine only; they need no key there. Ctrl-C ends it.",
        proxy.url()
    );
    tokio::select! {
        ended = tunnel.ended() => ended.map(|()| ExitCode::SUCCESS),
        ended = proxy.serve() => ended.map(|()| ExitCode::SUCCESS),
        _ = interrupted() => Ok(ExitCode::SUCCESS),
    }
}
