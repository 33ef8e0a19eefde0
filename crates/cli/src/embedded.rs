//! Programs in memory: records in, what the sinks were given out. Tests and backtests run rules so.

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use weir_engine::{MemorySink, MemorySource, RunOptions, RunReport, plan};
use weir_rules::Program;

use crate::{
    commands::{check::in_rule_file, run::summary::rule_errors},
    compile::rule_plan_options,
};

/// A compiled pack, planned once and run any number of times.
#[derive(Debug)]
pub(crate) struct Planned(weir_engine::Program);

/// A record that the program sent to quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Poison {
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// The record's bytes in base64, a part of them where it is large.
    pub(crate) raw: String,
    part: u32,
}

/// What a run wrote, one JSON object a row.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) anomalies: Vec<String>,
    /// Records that the program sent to quarantine.
    pub(crate) poison: Vec<Poison>,
    pub(crate) report: RunReport,
}

impl Planned {
    /// Plans a compiled pack; a refusal names the place in the rule's own file.
    pub(crate) fn new(program: &Program) -> Result<Self> {
        plan(&program.sql, &rule_plan_options()).map(Self).map_err(|e| anyhow!(in_rule_file(program, &e)))
    }

    /// The longest window of its rules, nanoseconds.
    pub(crate) fn longest_window(&self) -> i64 {
        self.0.longest_window()
    }

    /// Counters for a run of it.
    pub(crate) fn stats(&self) -> weir_engine::Stats {
        weir_engine::Stats::new(&self.0)
    }

    /// Runs it on these records, which stand in for every source.
    pub(crate) async fn run(&self, records: &MemorySource, mut options: RunOptions) -> Result<Output> {
        let (anomalies, poison) = (MemorySink::new(), MemorySink::new());
        for source in self.0.sources() {
            options.sources.insert(source.name.clone(), records.clone());
        }
        for other in self.0.sinks() {
            options.sinks.insert(other.name.clone(), MemorySink::new());
        }
        options.sinks.insert("anomalies".to_owned(), anomalies.clone());
        options.sinks.insert("poison".to_owned(), poison.clone());
        let report = weir_engine::run(&self.0, options, std::future::pending()).await?;
        for (rule, said) in report.rules.iter().filter_map(|rule| Some((&rule.name, rule_errors(rule)?))) {
            eprintln!("warning: rule {rule}: {said}");
        }
        let mut refused = Vec::new();
        for row in poison.rows() {
            let row: Poison = serde_json::from_slice(&row).context("the engine wrote no poison record")?;
            // A record counts once, in however many parts it travels.
            if row.part <= 1 {
                refused.push(row);
            }
        }
        Ok(Output { anomalies: anomalies.lines(), poison: refused, report })
    }
}
