//! `weir compile`: the program that an engine gets.

use anyhow::{Result, anyhow};
use weir_engine::plan;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{joined, load_pack, rule_plan_options},
    in_rule_file,
};

/// Prints the Arroyo SQL program that the rules compile to
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir compile --env prod > pack.sql && arroyo run pack.sql\n  weir compile --plan")]
pub(crate) struct CompileCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// Prints what the embedded engine makes of the program instead: its operators with their inputs, keys, windows and state, and
    /// the rules that each of them feeds
    #[arg(long)]
    plan: bool,
}

pub(crate) fn run(command: &CompileCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let program = weir_rules::compile(&pack, &environment).map_err(joined)?;
    if command.plan {
        let planned = plan(&program.sql, &rule_plan_options()).map_err(|e| anyhow!(in_rule_file(&program, &e)))?;
        print!("{planned}");
    } else {
        print!("{}", program.sql);
    }
    Ok(())
}
