//! `weir test`: the rules' own tests, on the embedded engine or on a real Arroyo.
//!
//! [`case`] runs one case, [`arroyo`] has the Arroyo to run it on, [`diff`] says what was expected and not found, [`junit`] writes the result for a CI system, and
//! [`update`] rewrites what a test file expects.

mod arroyo;
mod case;
mod diff;
mod junit;
#[cfg(test)]
mod tests;
mod update;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::JoinHandle;
use weir_project::{
    EngineKind, Repo,
    compile::{check_udfs, load_pack},
};
use weir_rules::{Pack, testfile::TestFile};

use arroyo::Arroyo;
use case::{Fault, Plans};

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

/// How cases are run.
#[derive(Debug, Clone, Default)]
struct Run {
    /// Only rules and cases with this in their name.
    filter: Option<Arc<str>>,
    update: bool,
    /// On this one, not on the embedded engine.
    arroyo: Option<Arc<Arroyo>>,
}

/// How one case ended.
#[derive(Debug)]
struct Outcome {
    rule: String,
    case: String,
    took: Duration,
    result: Result<Passed, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    AsExpected,
    /// The test file was rewritten.
    Updated,
}

impl Outcome {
    fn title(&self) -> String {
        format!("{}: {}", self.rule, self.case)
    }
}

pub(crate) async fn run(command: TestCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let sql = repo.sql();
    let pack = Arc::new(load_pack(&sql)?);
    check_udfs(&sql)?;
    if command.update && command.engine == EngineKind::Arroyo {
        bail!("expectations are written by the embedded engine\n  hint: leave out --update or --engine");
    }
    command.engine.check()?;
    let arroyo = match command.engine {
        EngineKind::Embedded => None,
        EngineKind::Arroyo => Some(Arc::new(Arroyo::start(sql.join("udfs"), &repo.root.join(".weir/arroyo")).await?)),
    };
    let how = Run { filter: command.filter.or(command.part).map(Into::into), update: command.update, arroyo };
    let begun = Instant::now();
    // Rules side by side, told in their order.
    let running: Vec<JoinHandle<Vec<Outcome>>> = pack
        .rules
        .iter()
        .map(|rule| {
            let rule = rule.header.name.clone();
            let file = sql.join("tests").join(format!("{rule}.toml"));
            tokio::spawn(test_rule(Arc::clone(&pack), rule, file, how.clone()))
        })
        .collect();
    let mut outcomes = Vec::new();
    for rule in running {
        for outcome in rule.await.context("a test died")? {
            tell(&outcome);
            outcomes.push(outcome);
        }
    }
    let took = begun.elapsed();
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    let passed = outcomes.len() - failed;
    println!("\ntest result: {passed} passed; {failed} failed; 0 ignored; in {:.2} s", took.as_secs_f64());
    if let Some(file) = &command.junit {
        fs::write(file, junit::document(&outcomes, took))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if outcomes.is_empty() {
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

/// All cases of a rule that the filter lets through.
async fn test_rule(pack: Arc<Pack>, rule: String, file: PathBuf, how: Run) -> Vec<Outcome> {
    let Run { filter, update, arroyo } = how;
    let wanted = |case: &str| filter.as_ref().is_none_or(|part| format!("{rule}: {case}").contains(part.as_ref()));
    let outcome = |case: &str, began: Instant, result| Outcome {
        rule: rule.clone(),
        case: case.to_owned(),
        took: began.elapsed(),
        result,
    };
    let began = Instant::now();
    let tests = match read(&file) {
        Ok(tests) => tests,
        Err(_) if filter.is_some() && !wanted("") => return Vec::new(),
        Err(error) => return vec![outcome("its test file", began, Err(format!("{error:#}")))],
    };
    let mut plans = Plans::new(&pack, &rule, &tests);
    let mut outcomes = Vec::new();
    let mut found_anew = Vec::new();
    for (index, case) in tests.cases.iter().enumerate().filter(|(_, case)| wanted(&case.name)) {
        let began = Instant::now();
        let tested = match &arroyo {
            None => case::test(&mut plans, case).await,
            Some(arroyo) => case::test_on(arroyo, &mut plans, case).await,
        };
        let result = match tested {
            Ok(()) => Ok(Passed::AsExpected),
            Err(Fault::Unexpected { found, .. }) if update => {
                found_anew.push((index, found));
                Ok(Passed::Updated)
            }
            Err(fault) => Err(fault.to_string()),
        };
        outcomes.push(outcome(&case.name, began, result));
    }
    let began = Instant::now();
    let tests = match update::rewrite(&file, &tests, &found_anew) {
        Ok(Some(rewritten)) => rewritten,
        Ok(None) => tests,
        Err(error) => {
            outcomes.push(outcome("its test file", began, Err(format!("{error:#}"))));
            return outcomes;
        }
    };
    // A filter that names a case asks for that case alone.
    if wanted("")
        && let Err(error) = shows_both(&file, &tests)
    {
        outcomes.push(outcome("fires and stays silent", began, Err(error.to_string())));
    }
    outcomes
}

fn read(file: &Path) -> Result<TestFile> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read\n  hint: every rule has a test file", file.display()))?;
    Ok(TestFile::parse(file, &text)?)
}

/// Demands that a rule's tests show it firing and staying silent.
fn shows_both(file: &Path, tests: &TestFile) -> Result<()> {
    let silent = tests.cases.iter().filter(|case| case.expect.is_empty()).count();
    if silent > 0 && silent < tests.cases.len() {
        return Ok(());
    }
    Err(anyhow!(
        "{}: there is no case in which the rule {}\n  hint: a rule that always or never fires passes half of the tests that matter",
        file.display(),
        if silent == 0 { "stays silent" } else { "fires" }
    ))
}

/// What fails of a rule's tests.
#[cfg(test)]
pub(crate) async fn failures(pack: Pack, rule: &str, file: PathBuf) -> Vec<String> {
    let outcomes = test_rule(Arc::new(pack), rule.to_owned(), file, Run::default()).await;
    outcomes.into_iter().filter_map(|outcome| outcome.result.err()).collect()
}
