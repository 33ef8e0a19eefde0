//! `weir down`: ends the local stack.

use anyhow::Result;

use crate::{local::end, repo::Repo};

/// Ends a local stack that `weir up` left running
#[derive(Debug, clap::Args)]
pub(crate) struct DownCommand {
    /// The stack's name
    #[arg(long = "stack", default_value = "local", value_name = "NAME")]
    name: String,
}

pub(crate) async fn run(command: DownCommand) -> Result<()> {
    let folder = Repo::find()?.stack_folder(&command.name);
    match end(&folder).await? {
        0 => eprintln!("stack `{}` was not up", command.name),
        ended => {
            eprintln!("stack `{}` is down ({ended} processes ended); logs stay in {}", command.name, folder.display())
        }
    }
    Ok(())
}
