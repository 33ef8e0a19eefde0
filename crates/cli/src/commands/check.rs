//! `weir check`: what is wrong with the rules, before anything runs.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use weir_project::{
    EnvironmentOptions, Repo,
    check::{ArroyoAddress, CheckOptions, findings},
};
use weir_rules::lint::Level;

/// Reads, compiles, plans and lints every rule, and says what is wrong with file, line and column
///
/// Findings go to stdout, a summary to stderr. docs/check.md says of each code what it means and how to allow it.
///
/// Exit codes: 0 nothing is wrong (with --deny warnings: no warning either); 1 something is, or the check itself failed;
/// 2 the command line is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir check --env prod --all\n  weir check --deny warnings --json\n  \
    WEIR_ARROYO_KEY=… weir check --arroyo http://127.0.0.1:5115")]
pub(crate) struct CheckCommand {
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// Fails on warnings too
    #[arg(long, value_name = "LEVEL")]
    deny: Option<Deny>,
    /// Shows what is only worth knowing, too: what each rule keeps as state, and the like
    #[arg(long)]
    all: bool,
    /// One JSON object: findings of every level, and how many of each
    #[arg(long)]
    json: bool,
    /// Keys (sources, series) that a rule is assumed to see, for the estimate of its state
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Asks this Arroyo's planner too; its API key is taken from WEIR_ARROYO_KEY
    #[arg(long, value_name = "URL")]
    arroyo: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    Warnings,
}

impl CheckCommand {
    fn options(&self) -> CheckOptions {
        let key = || std::env::var("WEIR_ARROYO_KEY").ok().filter(|key| !key.is_empty());
        CheckOptions {
            environment: self.environment.clone(),
            keys: self.keys,
            arroyo: self.arroyo.clone().map(|url| ArroyoAddress { url, key: key() }),
        }
    }
}

pub(crate) async fn run(command: CheckCommand) -> Result<ExitCode> {
    let (rules, mut findings) = findings(&Repo::find()?, &command.options()).await?;
    if let Ok(here) = std::env::current_dir() {
        for finding in &mut findings {
            if let Ok(nearer) = finding.file.strip_prefix(&here) {
                finding.file = nearer.to_owned();
            }
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings, infos) = (count(Level::Error), count(Level::Warning), count(Level::Info));
    if command.json {
        let counts = json!({ "rules": rules, "errors": errors, "warnings": warnings, "infos": infos });
        println!("{}", json!({ "findings": findings, "counts": counts }));
    } else {
        for finding in findings.iter().filter(|finding| command.all || finding.level > Level::Info) {
            println!("{finding}");
        }
    }
    let hidden = if command.all || command.json { 0 } else { infos };
    eprintln!("{}", summary(rules, (errors, warnings), hidden));
    let failed = errors > 0 || (warnings > 0 && command.deny == Some(Deny::Warnings));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn summary(rules: usize, found: (usize, usize), hidden: usize) -> String {
    let said = match found {
        (0, 0) => format!("{rules} rules are fine"),
        (errors, warnings) => format!("{rules} rules: errors {errors}, warnings {warnings}"),
    };
    if hidden == 0 { said } else { format!("{said} ({hidden} findings are only worth knowing: --all shows them)") }
}
