//! `weir compile`: the program that an engine gets.

use anyhow::Result;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{joined, load_pack},
};

/// Prints the Arroyo SQL program that the rules compile to
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir compile --env prod > pack.sql && arroyo run pack.sql")]
pub(crate) struct CompileCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
}

pub(crate) fn run(command: &CompileCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let program = weir_rules::compile(&pack, &environment).map_err(joined)?;
    print!("{}", program.sql);
    Ok(())
}
