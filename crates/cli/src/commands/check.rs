//! `weir check`: what is wrong with the rules, before anything runs.

use anyhow::{Result, anyhow};
use weir_engine::{PlanError, plan};
use weir_rules::{Program, RuleError};

use crate::{
    compile::{EnvironmentOptions, check_udfs, joined, load_pack, plan_options},
    repo::Repo,
};

/// Reads, compiles and plans every rule, and says what is wrong with file, line and column
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir check --env prod")]
pub(crate) struct CheckCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
}

pub(crate) fn run(command: &CheckCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    check_udfs(&repo.sql())?;
    let environment = command.environment.load(&repo, &pack)?;
    let mut errors = Vec::new();
    // One rule at a time: a program ends at its first fault, a person wants them all.
    for rule in &pack.rules {
        let program = weir_rules::compile(&pack.only(&rule.header.name), &environment).map_err(joined)?;
        if let Err(error) = plan(&program.sql, &plan_options()) {
            let error = in_rule_file(&program, &error);
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    if !errors.is_empty() {
        return Err(anyhow!(errors.join("\n")));
    }
    eprintln!("{} rules are fine", pack.rules.len());
    Ok(())
}

/// A refusal with the place in the file that a person wrote, not in the compiled program.
pub(crate) fn in_rule_file(program: &Program, error: &PlanError) -> String {
    let hint = error.hint.clone();
    match program.map.origin(error.line, error.column) {
        Some(origin) => RuleError {
            file: origin.file,
            line: origin.line,
            column: origin.column,
            message: error.message.clone(),
            hint,
        }
        .to_string(),
        None => {
            let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
            format!("{}{hint}", error.message)
        }
    }
}
