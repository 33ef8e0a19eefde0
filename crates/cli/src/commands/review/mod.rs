//! `weir review`: what a change of the rules means, on one page for a pull request.

mod page;
mod rules;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use serde::Serialize;
use weir_backtest::{Answer, BacktestOptions, backtest};
use weir_project::{
    EngineKind, EnvironmentOptions, Repo,
    check::{CheckOptions, findings},
};
use weir_rules::lint::{Finding, Level};
use weir_ruletest::Options;

use crate::{columns::ColumnOptions, target::Target};
use rules::RuleChange;

/// Says what a change of the rules means: check, tests, anomalies gained and lost, and what a deploy would lose
///
/// The page is Markdown with a hidden mark, so that a comment on a pull request can be found and replaced; a table of rules, and
/// the rest folded. Exit codes: 0 the change may go in; 1 a check or a test failed, the history could not be replayed, or the
/// review itself failed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir review --base origin/main --input data --as climate --labels labels/faults.json > review.md\n  weir review --base HEAD~1 --env prod --json"
)]
pub(crate) struct ReviewCommand {
    /// The git revision that the change is compared with
    #[arg(long, default_value = "main", value_name = "REV")]
    base: String,
    #[command(flatten)]
    environment: EnvironmentOptions,
    /// History to replay through the rules of both: as for `weir backtest`; without it, nothing is replayed
    #[arg(long, num_args = 1.., value_name = "FILE|FOLDER|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// Reads the history as raw records of this declared stream
    #[arg(long = "as", requires = "input", value_name = "NAME")]
    stream: Option<String>,
    #[command(flatten)]
    columns: ColumnOptions,
    /// What is known to be wrong in the history
    #[arg(long, requires = "input", value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Keys that a rule is assumed to see: what `weir check` assumes.
const KEYS: u64 = 1000;

/// What a change means.
#[derive(Debug, Serialize)]
struct Review {
    base: String,
    environment: String,
    check: Checked,
    tests: Tests,
    /// Of every rule that differs; `None` where one of the sides does not compile.
    rules: Option<Vec<RuleChange>>,
    backtest: Option<Answer>,
    /// Whether history was named and could not be replayed.
    replay_failed: bool,
    /// Why something could not be looked at.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Checked {
    rules: usize,
    errors: usize,
    warnings: usize,
    /// Warnings and errors.
    findings: Vec<Finding>,
}

#[derive(Debug, Default, Serialize)]
struct Tests {
    passed: usize,
    failed: usize,
    /// Each with what is wrong.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    case: String,
    fault: String,
}

impl Review {
    fn may_go_in(&self) -> bool {
        self.check.errors == 0 && self.tests.failed == 0 && self.rules.is_some() && !self.replay_failed
    }
}

pub(crate) async fn run(command: ReviewCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let mut notes = Vec::new();
    let check = check(&repo, &command.environment).await?;
    let sound = check.errors == 0;
    let tests = if sound { test(&repo).await? } else { Tests::default() };
    if !sound {
        notes.push("tests were not run: a rule has an error".to_owned());
    }
    let rules = match rules::changes(&repo, &command.base, &command.environment) {
        Ok(changes) => Some(changes),
        Err(error) => {
            notes.push(format!("the rules could not be compared: {error:#}"));
            None
        }
    };
    let mut replay_failed = false;
    let backtest = if command.input.is_empty() {
        notes.push("nothing was replayed: --input names history".to_owned());
        None
    } else if sound && rules.is_some() {
        match replay(&command).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                replay_failed = true;
                notes.push(format!("the history could not be replayed: {error:#}"));
                None
            }
        }
    } else {
        None
    };
    let environment = command.environment.name(&repo).to_owned();
    let review = Review { base: command.base, environment, check, tests, rules, backtest, replay_failed, notes };
    if command.json {
        println!("{}", serde_json::to_string_pretty(&review).context("the review as JSON")?);
    } else {
        print!("{}", page::page(&review));
    }
    Ok(if review.may_go_in() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(repo: &Repo, environment: &EnvironmentOptions) -> Result<Checked> {
    let options = CheckOptions { environment: environment.clone(), keys: KEYS, arroyo: None };
    let (rules, mut found) = findings(repo, &options).await?;
    for finding in &mut found {
        if let Ok(inside) = finding.file.strip_prefix(&repo.root) {
            finding.file = inside.to_owned();
        }
    }
    found.retain(|finding| finding.level > Level::Info);
    let count = |level: Level| found.iter().filter(|finding| finding.level == level).count();
    Ok(Checked { rules, errors: count(Level::Error), warnings: count(Level::Warning), findings: found })
}

async fn test(repo: &Repo) -> Result<Tests> {
    let options = Options { filter: None, engine: EngineKind::Embedded, update: false };
    let tested = weir_ruletest::run(repo, options, |_| {}).await?;
    let (passed, failed) = tested.counts();
    let failure = |outcome: &weir_ruletest::Outcome| {
        outcome.result.as_ref().err().map(|fault| Failure { case: outcome.title(), fault: fault.clone() })
    };
    Ok(Tests { passed, failed, failures: tested.outcomes.iter().filter_map(failure).collect() })
}

async fn replay(command: &ReviewCommand) -> Result<Answer> {
    let options = BacktestOptions {
        stream: command.stream.clone(),
        every: None,
        input: command.input.clone(),
        rules: Vec::new(),
        environment: command.environment.clone(),
        columns: command.columns.columns(),
        from: None,
        to: None,
        labels: command.labels.clone(),
        out: None,
        plot: None,
        plot_series: 0,
        compare: Some(command.base.clone()),
    };
    let done = backtest(&options, &async || Ok(command.target.connect().await?.0)).await?;
    done.judgement?;
    Ok(done.answer)
}
