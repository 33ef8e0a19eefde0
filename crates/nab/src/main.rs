//! `weir-nab`: rules on the Numenta Anomaly Benchmark. [`corpus`] reads it, [`replay`] runs a series through a rule, [`score`] is the
//! benchmark's scorer, and [`published`] has what others reached.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks: data to stdout, all else to stderr"
)]

#[macro_use]
extern crate weir_terminal;

mod corpus;
mod published;
mod replay;
mod score;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::Serialize;
use weir_project::{
    Repo,
    compile::{check_udfs, load_pack},
};
use weir_rules::Pack;

use corpus::Series;
use published::{PUBLISHED, Published};
use score::{PROFILES, Worth};

/// Scores rules on the Numenta Anomaly Benchmark, beside what others published
#[derive(Debug, Parser)]
#[command(
    name = "weir-nab",
    version,
    after_help = "Example:\n  git clone https://github.com/numenta/NAB && weir-nab --nab-dir NAB --rules adaptive,records"
)]
struct NabCommand {
    /// The benchmark: a folder with data/CATEGORY/FILE.csv and labels/combined_windows.json
    #[arg(long, env = "NAB_DIR", value_name = "FOLDER")]
    nab_dir: PathBuf,
    /// The rules to score; `all` for every rule there is
    #[arg(long, value_delimiter = ',', default_value = "adaptive,records", value_name = "RULE")]
    rules: Vec<String>,
    /// Writes result files as the benchmark has them, FOLDER/RULE/CATEGORY/FILE.csv
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Series that are replayed at a time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallelism: u16,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The result of one rule.
#[derive(Debug, Serialize)]
struct Outcome {
    rule: String,
    profiles: Vec<ProfileOutcome>,
    /// At the threshold with which the rule ships, where it has one; else everything that it reports.
    shipped: Shipped,
}

#[derive(Debug, Serialize)]
struct ProfileOutcome {
    profile: &'static str,
    score: f64,
    threshold: f64,
}

#[derive(Debug, Serialize)]
struct Shipped {
    threshold: f64,
    standard: f64,
    windows: usize,
    found: usize,
    false_alerts: usize,
}

/// Where a rule has no threshold, all that it reports counts.
const ANY: f64 = f64::MIN_POSITIVE;

fn main() -> ExitCode {
    match run(&NabCommand::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &NabCommand) -> Result<()> {
    let repo = Repo::find()?;
    let pack = load_pack(&repo.sql())?;
    check_udfs(&repo.sql())?;
    let known: Vec<&str> = pack.rules.iter().map(|rule| rule.header.name.as_str()).collect();
    let asked: Vec<&str> = command.rules.iter().map(String::as_str).collect();
    let asked = if asked == ["all"] { known.clone() } else { asked };
    for rule in &asked {
        if !known.contains(rule) {
            return Err(anyhow!("there is no rule `{rule}`\n  hint: there are {}", known.join(", ")));
        }
    }
    let series = corpus::read(&command.nab_dir)?;
    let mut outcomes = Vec::new();
    for rule in asked {
        outcomes.push(outcome(command, &pack, rule, &series)?);
    }
    if command.json {
        println!("{}", serde_json::to_string(&serde_json::json!({"files": series.len(), "rules": outcomes}))?);
    } else {
        print(&outcomes, &series);
    }
    Ok(())
}

fn outcome(command: &NabCommand, pack: &Pack, rule: &str, series: &[Series]) -> Result<Outcome> {
    let scores = replay_all(command, pack, rule, series)?;
    let mut worth = Worth::default();
    for (series, scores) in series.iter().zip(&scores) {
        worth.add(series, scores)?;
        if let Some(out) = &command.out {
            corpus::write_result(&out.join(rule), series, scores)?;
        }
    }
    let profiles = PROFILES
        .iter()
        .map(|profile| {
            let best = worth.best(*profile);
            ProfileOutcome { profile: profile.name, score: best.score, threshold: best.threshold }
        })
        .collect();
    let parameters = pack.rule(rule).map(|rule| &rule.header.parameters);
    let threshold = parameters.and_then(|p| p.get("threshold")).and_then(|p| p.default.as_float()).filter(|t| *t > 0.0);
    let threshold = threshold.unwrap_or(ANY);
    let counts = worth.counts(threshold);
    let shipped = Shipped {
        threshold: if threshold > ANY { threshold } else { 0.0 },
        standard: PROFILES.first().map_or(0.0, |standard| worth.at(*standard, threshold)),
        windows: counts.windows,
        found: counts.found,
        false_alerts: counts.false_alerts,
    };
    Ok(Outcome { rule: rule.to_owned(), profiles, shipped })
}

/// Every series through the rule, some at a time, each on a thread of its own.
fn replay_all(command: &NabCommand, pack: &Pack, rule: &str, series: &[Series]) -> Result<Vec<Vec<f64>>> {
    let program = replay::compile(pack, rule)?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<Option<Result<Vec<f64>>>>> = Mutex::new(series.iter().map(|_| None).collect());
    let work = || {
        while let Some((index, one)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            series.get(index).map(|one| (index, one))
        } {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let result = runtime
                .context("a runtime")
                .and_then(|runtime| runtime.block_on(replay::replay(&program, one)))
                .with_context(|| one.name.clone());
            if let Some(slot) = results.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
                *slot = Some(result);
            }
            eprintln!("{rule}: {} of {} series, {}", done.fetch_add(1, Ordering::Relaxed) + 1, series.len(), one.name);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..command.parallelism {
            scope.spawn(work);
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().map(|result| result.unwrap_or_else(|| Err(anyhow!("a series was not replayed")))).collect()
}

fn print(outcomes: &[Outcome], series: &[Series]) {
    let rows: usize = series.iter().map(|series| series.rows.len()).sum();
    let windows: usize = series.iter().map(|series| series.windows.len()).sum();
    println!("{} series, {rows} rows, {windows} label windows\n", series.len());
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["rule", "standard", "low FP", "low FN", "as shipped", "windows found", "false alerts"]);
    for outcome in outcomes {
        let shipped = &outcome.shipped;
        let mut cells = vec![outcome.rule.clone()];
        cells.extend(outcome.profiles.iter().map(|profile| format!("{:.2}", profile.score)));
        cells.push(format!("{:.2}", shipped.standard));
        cells.push(format!("{} of {}", shipped.found, shipped.windows));
        cells.push(shipped.false_alerts.to_string());
        table.add_row(cells);
    }
    for Published { name, standard, others } in PUBLISHED {
        let (low_fp, low_fn) = others.map_or_else(Default::default, |(p, n)| (format!("{p:.1}"), format!("{n:.1}")));
        table.add_row([name.to_owned(), format!("{standard:.2}"), low_fp, low_fn]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}\n");
    println!(
        "\"as shipped\", windows and alerts: at the rule's own threshold, standard profile. The rest: at the best threshold."
    );
    println!("Below the rules: as published by Numenta, for all 58 series of the benchmark.");
}
