//! The rules' own tests, on the embedded engine or on a real Arroyo.
//!
//! [`case`] runs one case, [`make`] makes one of what happened, [`arroyo`] has the Arroyo to run it on and [`lines`] what it reads there, [`diff`] says what was expected and not found, [`junit`] writes the result for a CI system, and
//! [`update`] rewrites what a test file expects.

#![allow(clippy::print_stderr, reason = "what takes long is told on standard error")]

#[macro_use]
extern crate weir_terminal;

mod arroyo;
mod case;
mod diff;
mod junit;
mod lines;
pub mod make;
#[cfg(test)]
mod tests;
mod update;

use std::{
    fs,
    path::{Path, PathBuf},
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

/// What to run, and on which engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Only rules and cases whose name holds this.
    pub filter: Option<String>,
    /// What runs the cases.
    pub engine: EngineKind,
    /// Whether what is found is written into the test files as what is expected.
    pub update: bool,
}

/// What came of all cases.
#[derive(Debug)]
pub struct Tested {
    /// By rule, in the order of the test files.
    pub outcomes: Vec<Outcome>,
    /// How long all of it took.
    pub took: Duration,
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
pub struct Outcome {
    /// The rule.
    pub rule: String,
    /// The case of its test file.
    pub case: String,
    /// How long it took.
    pub took: Duration,
    /// What is wrong, where it failed.
    pub result: Result<Passed, String>,
}

/// How a case passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// It found what is expected.
    AsExpected,
    /// The test file was rewritten.
    Updated,
}

impl Outcome {
    /// What a person knows it by.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}: {}", self.rule, self.case)
    }
}

/// Runs the test file of every rule, rules side by side. `tell` gets each outcome as it comes, in the order of the rules.
///
/// # Errors
/// When the rules cannot be read, or the engine cannot be started.
pub async fn run(repo: &Repo, options: Options, tell: impl Fn(&Outcome)) -> Result<Tested> {
    let sql = repo.sql();
    let pack = Arc::new(load_pack(&sql)?);
    check_udfs(&sql)?;
    if options.update && options.engine == EngineKind::Arroyo {
        bail!("expectations are written by the embedded engine\n  hint: leave out --update or --engine");
    }
    options.engine.check()?;
    let arroyo = match options.engine {
        EngineKind::Embedded => None,
        EngineKind::Arroyo => Some(Arc::new(Arroyo::start(sql.join("udfs"), &repo.root.join(".weir/arroyo")).await?)),
    };
    let how = Run { filter: options.filter.map(Into::into), update: options.update, arroyo };
    let begun = Instant::now();
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
    Ok(Tested { outcomes, took: begun.elapsed() })
}

impl Tested {
    /// How many cases passed, and how many failed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let failed = self.outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
        (self.outcomes.len() - failed, failed)
    }

    /// The result as JUnit's XML, for CI systems.
    #[must_use]
    pub fn junit(&self) -> String {
        junit::document(&self.outcomes, self.took)
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

/// Runs a rule's tests, whether it is in a file or only in an editor.
pub async fn test_draft(pack: Pack, rule: &str, file: PathBuf) -> Vec<Outcome> {
    test_rule(Arc::new(pack), rule.to_owned(), file, Run::default()).await
}

/// What fails of one rule's tests.
pub async fn failures(pack: Pack, rule: &str, file: PathBuf) -> Vec<String> {
    let outcomes = test_rule(Arc::new(pack), rule.to_owned(), file, Run::default()).await;
    outcomes.into_iter().filter_map(|outcome| outcome.result.err()).collect()
}
