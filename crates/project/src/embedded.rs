//! Programs in memory: records in, what the sinks were given out. Tests and backtests run rules so.

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use weir_engine::{Format, MemorySink, MemorySource, RuleStats, RunOptions, RunReport, plan};
use weir_rules::Program;

use crate::{
    check::in_rule_file,
    compile::{plan_options, rule_plan_options},
};

/// A compiled pack, planned once and run any number of times.
#[derive(Debug)]
pub struct Planned(weir_engine::Program);

/// A record that the program sent to quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Poison {
    /// The reason in one word.
    pub reason: String,
    /// The reason, said to people.
    #[serde(default)]
    pub error: Option<String>,
    /// The record's bytes in base64, a part of them where it is large.
    pub raw: String,
    part: u32,
}

/// What a run wrote, one JSON object a row.
#[derive(Debug)]
pub struct Output {
    /// What the rules found.
    pub anomalies: Vec<String>,
    /// Records that the program sent to quarantine.
    pub poison: Vec<Poison>,
    /// What the engine counted.
    pub report: RunReport,
    /// Rules with rows that could not be computed, and why; one line a rule, for a person.
    pub warnings: Vec<String>,
}

impl Planned {
    /// Plans a compiled pack; a refusal names the place in the rule's own file.
    ///
    /// # Errors
    /// When the engine refuses the program.
    pub fn new(program: &Program) -> Result<Self> {
        plan(&program.sql, &rule_plan_options()).map(Self).map_err(|e| anyhow!(in_rule_file(program, &e)))
    }

    /// The longest window of its rules, nanoseconds.
    pub fn longest_window(&self) -> i64 {
        self.0.longest_window()
    }

    /// Counters for a run of it.
    pub fn stats(&self) -> weir_engine::Stats {
        weir_engine::Stats::new(&self.0)
    }

    /// Runs it on these records, which stand in for every source but those of declared streams.
    ///
    /// # Errors
    /// When the run fails.
    pub async fn run(&self, records: &MemorySource, options: RunOptions) -> Result<Output> {
        self.run_on(&[(None, records.clone())], options).await
    }

    /// Runs it on records of declared streams, by the streams' names; of `None` are those for every other source. What has no records
    /// here has none.
    ///
    /// # Errors
    /// When the run fails.
    pub async fn run_on(&self, feeds: &[(Option<&str>, MemorySource)], mut options: RunOptions) -> Result<Output> {
        let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
        for source in self.0.sources() {
            let stream = match &source.format {
                Some(Format::Declared(declaration)) => Some(declaration.name.as_str()),
                _ => None,
            };
            let feed = feeds.iter().find(|(of, _)| *of == stream);
            let records = feed.map_or_else(|| MemorySource::new(Vec::new()), |(_, records)| records.clone());
            options.sources.insert(source.name.clone(), records);
        }
        for other in self.0.sinks() {
            options.sinks.insert(other.name.clone(), MemorySink::new());
        }
        options.sinks.insert("anomalies".to_owned(), anomalies.clone());
        options.sinks.insert("poison".to_owned(), poison.clone());
        let report = weir_engine::run(&self.0, options, std::future::pending()).await?;
        let warnings = report
            .rules
            .iter()
            .filter_map(|rule| Some(format!("rule {}: {}", rule.name, rule_errors(rule)?)))
            .collect();
        let mut refused = Vec::new();
        for row in poison.rows() {
            let row: Poison = serde_json::from_slice(&row).context("the engine wrote no poison record")?;
            // A record counts once, in however many parts it travels.
            if row.part <= 1 {
                refused.push(row);
            }
        }
        Ok(Output { anomalies: anomalies.lines(), poison: refused, report, warnings })
    }
}

/// Whether the engine takes a compiled program, of whichever rules.
///
/// # Errors
/// When it refuses the program, with line and column of its text.
pub fn check_program(program: &str) -> Result<()> {
    let refused = |error: weir_engine::PlanError| {
        anyhow!("line {}, column {} of the program: {}", error.line, error.column, error.message)
    };
    plan(program, &plan_options()).map(|_| ()).map_err(refused)
}

/// How many rows a rule could not compute, and why the first; nothing where it could compute all.
pub fn rule_errors(rule: &RuleStats) -> Option<String> {
    let first = rule.rule_error.as_deref().unwrap_or("the error was not kept");
    (rule.rule_errors > 0).then(|| {
        format!(
            "{} rule_errors: rows that could not be computed and were left out; the first: {first}",
            rule.rule_errors
        )
    })
}
