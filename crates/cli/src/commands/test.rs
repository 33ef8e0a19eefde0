//! `weir test`: the rules' own tests.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use weir_project::{EngineKind, Repo, compile::load_pack};
use weir_ruletest::{Options, Outcome, Passed};
use weir_stream::nearest;

/// Runs the test file of every rule; exit code 1 when a case fails
///
/// Each case is run as it is; then again in small batches with a restart in the middle, and with its records in another
/// order within the watermark's delay: neither may change what is found. With --engine arroyo each case is run once, on Arroyo,
/// and must find there what is expected and what the embedded engine finds.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir test zscore\n  weir test --filter zscore --update\n  weir test --junit target/rules.xml\n  ARROYO_BIN=/opt/arroyo weir test --engine arroyo"
)]
pub(crate) struct TestCommand {
    /// Runs only rules and cases whose name holds this
    #[arg(value_name = "FILTER")]
    part: Option<String>,
    /// The same
    #[arg(long, conflicts_with = "part")]
    filter: Option<String>,
    /// Writes the result as JUnit's XML, for CI systems
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// What runs the cases
    #[arg(long, value_enum, default_value_t = EngineKind::Embedded)]
    engine: EngineKind,
    /// Writes what is found now into the test files as what is expected; look at the difference before you keep it
    #[arg(long)]
    update: bool,
}

pub(crate) async fn run(command: TestCommand) -> Result<ExitCode> {
    let TestCommand { part, filter, junit, engine, update } = command;
    let (repo, filter) = (Repo::find()?, filter.or(part));
    let tested = weir_ruletest::run(&repo, Options { filter: filter.clone(), engine, update }, tell).await?;
    let (passed, failed) = tested.counts();
    println!("\ntest result: {passed} passed; {failed} failed; 0 ignored; in {:.2} s", tested.took.as_secs_f64());
    if let Some(file) = &junit {
        fs::write(file, tested.junit()).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if tested.outcomes.is_empty() {
        bail!("no case was run\n  hint: {}", hint(filter.as_deref()));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a filter that nothing fits was likely meant to be.
fn hint(filter: Option<&str>) -> String {
    let rules = Repo::find().and_then(|repo| load_pack(&repo.sql())).map(|pack| pack.rules).unwrap_or_default();
    let names = rules.iter().map(|rule| rule.header.name.as_str());
    match filter.and_then(|filter| nearest(filter, names)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "a filter names a part of a rule's or a case's name".to_owned(),
    }
}

fn tell(outcome: &Outcome) {
    match &outcome.result {
        Ok(Passed::AsExpected) => println!("ok      {}", outcome.title()),
        Ok(Passed::Updated) => println!("updated {}", outcome.title()),
        Err(fault) => {
            let lines: Vec<String> = fault.lines().map(|line| format!("        {line}")).collect();
            println!("FAILED  {}\n{}", outcome.title(), lines.join("\n"));
        }
    }
}
