//! One program that runs in the engine's task.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};
use weir_deploy::embedded::contract::{RunningPack, state_prefix};
use weir_engine::{RunError, RunOptions, RunReport, StateLocation, Stats, plan};
use weir_project::compile::plan_options;

use crate::commands::run::{emf::CheckpointAge, placed};

/// How programs are run.
#[derive(Debug, Clone)]
pub(super) struct ProgramOptions {
    pub(super) bucket: String,
    pub(super) checkpoint_interval: Duration,
    pub(super) parallelism: usize,
    /// Bytes.
    pub(super) state_limit: usize,
}

/// A program that runs; dropping it ends it as a kill would.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) hash: String,
    pub(super) stats: Arc<Stats>,
    pub(super) checkpoint: CheckpointAge,
    /// Looks at which it was caught up, one after the other.
    caught_up: u32,
    since: String,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<RunReport, RunError>>,
}

/// How far behind a program may be that takes over, when what runs is not behind.
const CAUGHT_UP: Duration = Duration::from_secs(10);
/// Looks at which it must be: at the first, shards may not have been read yet.
const LOOKS: u32 = 2;
/// A program that takes over, or is not wanted any more, must end at some time: what it holds has been checkpointed, or counts for nothing.
const STOP: Duration = Duration::from_secs(60);

impl Running {
    /// Plans a program and starts it at its own state; or says why the engine refuses it.
    pub(super) async fn start(hash: &str, text: String, options: &ProgramOptions, now: String) -> Result<Self, String> {
        let name = format!("pack {hash}");
        // Planning takes a while, and others are to go on.
        let planned = tokio::task::spawn_blocking(move || {
            plan(&text, &plan_options()).map_err(|error| placed(Path::new(&name), &error))
        });
        let program = planned.await.map_err(|error| error.to_string())??;
        let stats = Arc::new(Stats::new(&program));
        let run_options = RunOptions {
            state: Some(StateLocation::S3 { bucket: options.bucket.clone(), prefix: state_prefix(hash) }),
            checkpoint_interval: options.checkpoint_interval,
            parallelism: options.parallelism,
            state_limit: options.state_limit,
            stats: Some(Arc::clone(&stats)),
            ..RunOptions::default()
        };
        let (stop, mut stopped) = watch::channel(false);
        let ended = tokio::spawn(async move {
            weir_engine::run(&program, run_options, async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            })
            .await
        });
        let hash = hash.to_owned();
        Ok(Self { hash, stats, checkpoint: CheckpointAge::default(), caught_up: 0, since: now, stop, ended })
    }

    /// How it ended; waits for that.
    pub(super) async fn end(&mut self) -> Result<RunReport, RunError> {
        match (&mut self.ended).await {
            Ok(ended) => ended,
            Err(died) => Err(RunError::Task(died.to_string())),
        }
    }

    /// Asks it to end with a last checkpoint.
    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends it, if need be without a last checkpoint.
    pub(super) async fn stop(mut self) -> Result<(), RunError> {
        self.ask_to_stop();
        match tokio::time::timeout(STOP, self.end()).await {
            Ok(ended) => ended.map(|_| ()),
            Err(_) => Err(RunError::Task(format!("it did not end within {} s", STOP.as_secs()))),
        }
    }

    /// Whether it has come as far as what runs: all its sources were read to their tips, or as far as the other's, and a checkpoint of it is
    /// whole.
    pub(super) fn has_caught_up(&mut self, other: &RunReport) -> bool {
        let report = self.stats.report();
        self.caught_up = if caught_up(&report, other) { self.caught_up.saturating_add(1) } else { 0 };
        self.caught_up >= LOOKS
    }

    /// What is told of it.
    pub(super) fn observed(&mut self) -> RunningPack {
        let report = self.stats.report();
        let lag = report.sources.iter().map(|source| source.lag_millis).collect::<Option<Vec<_>>>();
        RunningPack {
            pack: self.hash.clone(),
            since: self.since.clone(),
            lag_millis: lag.and_then(|lags| lags.into_iter().max()),
            records: report.sources.iter().map(|source| source.records).sum(),
            rows: report.rules.iter().map(|rule| rule.rows).sum(),
            rule_errors: report.rules.iter().map(|rule| rule.rule_errors).sum(),
            state_bytes: report.state_bytes,
            checkpoints: report.checkpoints,
            failed_checkpoints: report.failed_checkpoints,
            checkpoint_age_seconds: self.checkpoint.of(&report).as_secs(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

/// Whether a checkpoint holds what it has read: one that goes on from its state writes none before it has read something.
fn holds_its_state(report: &RunReport) -> bool {
    report.checkpoints > 0 || report.sources.iter().all(|source| source.records == 0)
}

fn caught_up(report: &RunReport, other: &RunReport) -> bool {
    let others = other.sources.iter().filter_map(|source| source.lag_millis).max().unwrap_or_default();
    let limit = others.max(u64::try_from(CAUGHT_UP.as_millis()).unwrap_or(u64::MAX));
    holds_its_state(report) && report.sources.iter().all(|source| source.lag_millis.is_some_and(|lag| lag <= limit))
}

#[cfg(test)]
mod tests {
    use weir_engine::SourceStats;

    use super::*;

    #[test]
    fn it_takes_over_where_it_has_read_as_far_and_has_a_checkpoint() {
        let report = |checkpoints, lags: &[Option<u64>]| RunReport {
            sources: lags
                .iter()
                .map(|lag| SourceStats { lag_millis: *lag, records: 1, ..SourceStats::default() })
                .collect(),
            checkpoints,
            ..RunReport::default()
        };
        let tip = report(9, &[Some(0)]);
        assert!(caught_up(&report(1, &[Some(0), Some(10_000)]), &tip));
        assert!(!caught_up(&report(0, &[Some(0)]), &tip), "without a checkpoint a restart would begin anew");
        let silent = SourceStats { lag_millis: Some(0), ..SourceStats::default() };
        let silent = RunReport { sources: vec![silent], ..RunReport::default() };
        assert!(caught_up(&silent, &tip), "what was read before is in its state");
        assert!(!caught_up(&report(1, &[Some(0), None]), &tip), "a source that was not read yet is not at its tip");
        assert!(!caught_up(&report(1, &[Some(10_001)]), &tip));
        assert!(caught_up(&report(1, &[Some(59_000)]), &report(9, &[Some(60_000)])), "what runs is behind as well");
    }
}
