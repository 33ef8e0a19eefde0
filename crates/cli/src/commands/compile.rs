//! `weir compile`: the program that an engine gets.

use anyhow::{Result, anyhow, bail};
use weir_engine::plan;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{joined, load_pack, rule_plan_options},
    in_rule_file,
};
use weir_rules::{Target, compile_for};

/// Prints the SQL program that the rules compile to
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir compile --env prod --for arroyo > pack.sql && arroyo run pack.sql\n  weir compile --plan"
)]
pub(crate) struct CompileCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// Prints what the embedded engine makes of the program instead: its operators with their inputs, keys, windows and state, and
    /// the rules that each of them feeds
    #[arg(long)]
    plan: bool,
    /// The engine that is to run it: only a program that reads declared streams differs
    #[arg(long = "for", value_name = "ENGINE", default_value = "embedded")]
    engine: Engine,
}

/// The engines that a program is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    /// weir run, which decodes declared streams itself
    Embedded,
    /// Arroyo 0.15, where SQL takes records apart
    Arroyo,
}

pub(crate) fn run(command: &CompileCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let target = match command.engine {
        Engine::Embedded => Target::Embedded,
        Engine::Arroyo if command.plan => {
            bail!("--plan shows what the embedded engine makes of a program: leave out --for")
        }
        Engine::Arroyo => Target::Arroyo,
    };
    let program = compile_for(&pack, &environment, target).map_err(joined)?;
    if command.plan {
        let planned = plan(&program.sql, &rule_plan_options()).map_err(|e| anyhow!(in_rule_file(&program, &e)))?;
        print!("{planned}");
    } else {
        print!("{}", program.sql);
    }
    Ok(())
}
