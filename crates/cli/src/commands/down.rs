//! `weir down`: ends the local stack.

use anyhow::Result;
use weir_local::{Health, end};
use weir_project::Repo;

/// Ends a local stack that `weir up` left running
#[derive(Debug, clap::Args)]
pub(crate) struct DownCommand {
    /// The stack's name
    #[arg(long = "stack", default_value = "local", value_name = "NAME")]
    name: String,
}

pub(crate) async fn run(command: DownCommand) -> Result<()> {
    let repo = Repo::find()?;
    let folder = repo.stack_folder(&command.name);
    let health = Health::of(&repo, &command.name);
    for part in health.iter().flat_map(|health| [&health.emulator, &health.engine]) {
        if !part.condition.runs() {
            eprintln!("of stack `{}` {} {}", command.name, part.name, part.said());
        }
    }
    match end(&folder).await? {
        0 if health.is_some() => {
            eprintln!("stack `{}` is down: none of it ran any more; logs stay in {}", command.name, folder.display());
        }
        0 => eprintln!("stack `{}` was not up", command.name),
        ended => {
            eprintln!("stack `{}` is down ({ended} processes ended); logs stay in {}", command.name, folder.display())
        }
    }
    Ok(())
}
