//! `weir test`: the rules' own tests.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use weir_project::{EngineKind, Repo};
use weir_ruletest::{Options, Outcome, Passed};

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
    let options = Options { filter: filter.or(part), engine, update };
    let tested = weir_ruletest::run(&Repo::find()?, options, tell).await?;
    let (passed, failed) = tested.counts();
    println!("\ntest result: {passed} passed; {failed} failed; 0 ignored; in {:.2} s", tested.took.as_secs_f64());
    if let Some(file) = &junit {
        fs::write(file, tested.junit()).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if tested.outcomes.is_empty() {
        bail!("no case was run\n  hint: a filter names a part of a rule's or a case's name");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
