//! Programs in memory: records in, what the sinks were given out. Tests and backtests run rules so.

use anyhow::{Result, anyhow};
use weir_engine::{MemorySink, MemorySource, RunOptions, RunReport, plan};
use weir_rules::Program;

use crate::{
    commands::{check::in_rule_file, run::summary::rule_errors},
    compile::rule_plan_options,
};

/// A compiled pack, planned once and run any number of times.
#[derive(Debug)]
pub(crate) struct Planned(weir_engine::Program);

/// What a run wrote, one JSON object a row.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) anomalies: Vec<String>,
    pub(crate) poison: usize,
    pub(crate) report: RunReport,
}

impl Planned {
    /// Plans a compiled pack; a refusal names the place in the rule's own file.
    pub(crate) fn new(program: &Program) -> Result<Self> {
        plan(&program.sql, &rule_plan_options()).map(Self).map_err(|e| anyhow!(in_rule_file(program, &e)))
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
        Ok(Output { anomalies: anomalies.lines(), poison: poison.rows().len(), report })
    }
}
