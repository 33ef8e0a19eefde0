//! Runs programs in memory.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;
use std::time::Duration;

use weir_engine::{MemorySink, MemorySource, PlanOptions, Program, RawRecord, RunOptions, RunReport, plan, run};

/// How one run goes.
#[derive(Clone, Default)]
pub(crate) struct Run<'a> {
    pub(crate) batch_size: usize,
    pub(crate) state: Option<&'a Path>,
    pub(crate) stop_after: Option<u64>,
    /// Batches decoded at the same time, and threads; 0 is 1.
    pub(crate) parallelism: usize,
    /// Spread the keys of windows over as many partitions as there are threads, from the start or from this much work a row.
    pub(crate) spread_from: Option<Duration>,
}

/// Plans a program that must be accepted.
pub(crate) fn planned(sql: &str) -> Program {
    plan(sql, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}\n{sql}"))
}

/// Records without arrival.
pub(crate) fn records(lines: &[String]) -> Vec<RawRecord> {
    lines.iter().map(|l| RawRecord { payload: l.clone().into(), arrival_nanos: None, partition: 0 }).collect()
}

/// Runs a program; every source named here is read from memory, every sink collected. Gives the sorted rows of all sinks.
pub(crate) fn run_rows(
    program: &Program,
    sources: &[(&str, Vec<RawRecord>)],
    how: &Run<'_>,
) -> (Vec<String>, RunReport) {
    let (mut rows, report) = run_in_order(program, sources, how);
    rows.sort();
    (rows, report)
}

/// The same with the rows of each sink as they were written.
pub(crate) fn run_in_order(
    program: &Program,
    sources: &[(&str, Vec<RawRecord>)],
    how: &Run<'_>,
) -> (Vec<String>, RunReport) {
    let mut options = RunOptions {
        batch_size: if how.batch_size == 0 { 8192 } else { how.batch_size },
        state: how.state.map(Into::into),
        stop_after: how.stop_after,
        parallelism: how.parallelism.max(1),
        ..RunOptions::default()
    };
    if let Some(spread_from) = how.spread_from {
        options.spread_from = spread_from;
    }
    for (name, records) in sources {
        options.sources.insert((*name).to_owned(), MemorySource::new(records.clone()));
    }
    let sinks: Vec<MemorySink> = program.sinks().iter().map(|_| MemorySink::new()).collect();
    for (table, sink) in program.sinks().iter().zip(&sinks) {
        if table.connector != "blackhole" {
            options.sinks.insert(table.name.clone(), sink.clone());
        }
    }
    let mut builder = match how.parallelism {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(how.parallelism.max(1)).enable_all().build().unwrap();
    let report = runtime.block_on(run(program, options, std::future::pending())).unwrap_or_else(|e| panic!("{e}"));
    (sinks.iter().flat_map(MemorySink::lines).collect(), report)
}
