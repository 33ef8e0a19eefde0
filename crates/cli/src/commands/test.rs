//! `weir test`: the rules' own tests, on the embedded engine.

use std::{fs, path::Path, process::ExitCode, time::Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};
use weir_engine::{MemorySink, MemorySource, RawRecord, RunOptions, plan};
use weir_rules::{
    Environment, Pack, Program, Rule,
    testfile::{TestCase, TestFile},
};

use super::check::in_rule_file;
use crate::{
    compile::{check_udfs, joined, load_pack, plan_options},
    repo::Repo,
};

/// Runs the test file of every rule; exit code 1 when a case fails
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir test zscore")]
pub(crate) struct TestCommand {
    /// Runs only rules and cases whose name holds this
    filter: Option<String>,
}

pub(crate) async fn run(command: TestCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    check_udfs(&repo.sql())?;
    let begun = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    for rule in &pack.rules {
        let name = &rule.header.name;
        let file = repo.sql().join("tests").join(format!("{name}.toml"));
        let tests = read(&file)?;
        for case in &tests.cases {
            let title = format!("{name}: {}", case.name);
            if command.filter.as_ref().is_some_and(|filter| !title.contains(filter.as_str())) {
                continue;
            }
            match test(&pack, rule, &tests, case).await {
                Ok(()) => {
                    passed += 1;
                    println!("ok      {title}");
                }
                Err(error) => {
                    failed += 1;
                    println!("FAILED  {title}\n{}", indent(&format!("{error:#}")));
                }
            }
        }
    }
    println!("\ntest result: {passed} passed; {failed} failed; 0 ignored; in {:.2} s", begun.elapsed().as_secs_f64());
    if passed + failed == 0 {
        bail!("no case was run\n  hint: a filter names a part of a rule's or a case's name");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a rule's tests and demands that they show it firing and staying silent.
fn read(file: &Path) -> Result<TestFile> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read\n  hint: every rule has a test file", file.display()))?;
    let tests = TestFile::parse(file, &text)?;
    let silent = tests.cases.iter().filter(|case| case.expect.is_empty()).count();
    if silent == 0 || silent == tests.cases.len() {
        bail!(
            "{}: there is no case in which the rule {}\n  hint: a rule that always or never fires passes half of the tests that matter",
            file.display(),
            if silent == 0 { "stays silent" } else { "fires" }
        );
    }
    Ok(tests)
}

/// One case: the anomalies that must come, and the same ones for small batches and after a restart in the middle.
async fn test(pack: &Pack, rule: &Rule, tests: &TestFile, case: &TestCase) -> Result<()> {
    let program = compile(pack, rule, tests, case)?;
    let records = case.records().map_err(|e| anyhow!(e))?;
    let found = anomalies(&program, &records, RunOptions::default()).await?;
    compare(&case.expected(), &found)?;

    let one_by_one = RunOptions { batch_size: 1, ..RunOptions::default() };
    if anomalies(&program, &records, one_by_one).await? != found {
        bail!("one record at a time gives other anomalies than all at once");
    }
    let folder = tempfile::tempdir().context("a folder for checkpoints")?;
    let state_dir = Some(folder.path().join("state"));
    let half = u64::try_from(records.len() / 2).ok();
    let first =
        RunOptions { state_dir: state_dir.clone(), stop_after: half.filter(|n| *n > 0), ..RunOptions::default() };
    let mut restarted = anomalies(&program, &records, first).await?;
    if half.is_some_and(|n| n > 0) {
        restarted.extend(anomalies(&program, &records, RunOptions { state_dir, ..RunOptions::default() }).await?);
    }
    sort(&mut restarted);
    restarted.dedup();
    if restarted != found {
        bail!(
            "a restart in the middle gives other anomalies than none: {} instead of {}",
            restarted.len(),
            found.len()
        );
    }
    Ok(())
}

fn compile(pack: &Pack, rule: &Rule, tests: &TestFile, case: &TestCase) -> Result<Program> {
    let mut environment = Environment { time: case.time, ..Environment::default() };
    let parameters = environment.parameters.entry(rule.header.name.clone()).or_default();
    parameters.extend(tests.parameters.clone());
    parameters.extend(case.parameters.clone());
    weir_rules::compile(&pack.only(&rule.header.name), &environment).map_err(joined)
}

/// What the program writes to `anomalies` when its source ends after these records, in a fixed order.
async fn anomalies(
    program: &Program,
    records: &[(i64, Vec<u8>)],
    mut options: RunOptions,
) -> Result<Vec<Map<String, Value>>> {
    let planned = plan(&program.sql, &plan_options()).map_err(|e| anyhow!(in_rule_file(program, &e)))?;
    let records = records.iter().map(|(nanos, bytes)| RawRecord {
        payload: bytes.clone().into(),
        arrival_nanos: Some(*nanos),
        partition: 0,
    });
    let sink = MemorySink::new();
    for source in planned.sources() {
        options.sources.insert(source.name.clone(), MemorySource::new(records.clone().collect()));
    }
    for other in planned.sinks() {
        options.sinks.insert(other.name.clone(), MemorySink::new());
    }
    options.sinks.insert("anomalies".to_owned(), sink.clone());
    weir_engine::run(&planned, options, std::future::pending()).await?;
    let parse =
        |row: &String| serde_json::from_str(row).with_context(|| format!("the engine wrote no JSON object: {row}"));
    let mut found = sink.lines().iter().map(parse).collect::<Result<Vec<Map<String, Value>>>>()?;
    sort(&mut found);
    Ok(found)
}

fn sort(anomalies: &mut [Map<String, Value>]) {
    anomalies.sort_by_cached_key(|fields| {
        (fields.get("timestamp").map(Value::to_string), Value::Object(fields.clone()).to_string())
    });
}

/// Every expected anomaly must be there, and nothing else.
fn compare(expected: &[Map<String, Value>], found: &[Map<String, Value>]) -> Result<()> {
    let mut left: Vec<&Map<String, Value>> = found.iter().collect();
    let mut missing = Vec::new();
    for wanted in expected {
        match left.iter().position(|fields| matches(wanted, fields)) {
            Some(index) => drop(left.remove(index)),
            None => missing.push(wanted),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    text.extend(missing.iter().map(|fields| format!("- expected  {}", Value::Object((*fields).clone()))));
    text.extend(left.iter().map(|fields| format!("+ found     {}", Value::Object(shown(fields)))));
    Err(anyhow!(text.join("\n")))
}

/// Whether an anomaly has every expected field; numbers agree within a billionth.
fn matches(wanted: &Map<String, Value>, found: &Map<String, Value>) -> bool {
    wanted.iter().all(|(name, wanted)| match (wanted, found.get(name)) {
        (Value::Object(wanted), Some(Value::Object(found))) => matches(wanted, found),
        (Value::Number(wanted), Some(Value::Number(found))) => match (wanted.as_f64(), found.as_f64()) {
            (Some(wanted), Some(found)) => (wanted - found).abs() <= 1e-9 * wanted.abs().max(1.0),
            _ => false,
        },
        (wanted, Some(found)) => wanted == found,
        (_, None) => false,
    })
}

/// What a person needs of an anomaly that should not be there.
fn shown(fields: &Map<String, Value>) -> Map<String, Value> {
    let names = ["key", "timestamp", "window_start", "window_end", "value", "expected", "score", "details"];
    fields.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}
