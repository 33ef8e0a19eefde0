//! `weir serve`: the embedded engine as a service, which runs the program that an object of S3 names.

mod bucket;
mod health;
mod program;
mod supervisor;

use std::{
    num::NonZeroUsize, process::ExitCode, str::FromStr as _, sync::Arc, thread::available_parallelism, time::Duration,
};

use anyhow::{Result, anyhow};
use tokio::sync::watch;
use weir_engine::StateLocation;
use weir_terminal::interrupted;

use self::{bucket::StackBucket, health::Health, program::ProgramOptions, supervisor::Supervisor};
use super::run::{
    self,
    emf::Emf,
    log::{self, LogFormat},
    metrics::Metrics,
};

/// Runs the program that `weir apply` names in a stack's bucket, as the task of the embedded engine does
///
/// A changed program starts beside the one that runs, catches up and takes over. Both keep their state in the bucket, each under its own hash.
/// Without a program it waits for one. SIGTERM ends it with a last checkpoint. Exit codes: 0 it was asked to end, and wrote a last checkpoint; 1 the
/// program failed; 4 another task has its state.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  weir serve s3://weir-dev-engine-111122223333-eu-central-1 --emf weir-dev --metrics-port 9464"
)]
pub(crate) struct ServeCommand {
    /// The bucket: s3://BUCKET, as Terraform's output `engine_bucket` names it
    #[arg(value_parser = bucket_name)]
    bucket: String,
    /// How often a checkpoint is written
    #[arg(long, default_value_t = 10_000, value_name = "MILLISECONDS")]
    checkpoint_interval_millis: u64,
    /// Threads that programs may keep busy; all cores where not given
    #[arg(long, value_name = "THREADS")]
    parallelism: Option<NonZeroUsize>,
    /// The most window state that a program may hold; more ends it with an error. At a takeover there are two
    #[arg(long, default_value_t = 2048, value_name = "MEGABYTES")]
    state_limit: usize,
    /// How long the end may take after SIGTERM or Ctrl-C
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    stop_within: u64,
    /// Serves the program's counters at http://127.0.0.1:PORT/metrics, which `weir health` asks; 0 takes a free port and says which
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// Writes the program's counters to standard error each minute as metrics of CloudWatch, as `weir run --emf` does
    #[arg(long, value_name = "PIPELINE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    emf: Option<String>,
    /// How warnings, errors and the counts at the end are written to standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
}

/// The bucket of `s3://BUCKET`.
fn bucket_name(text: &str) -> Result<String, String> {
    match StateLocation::from_str(text) {
        Ok(StateLocation::S3 { bucket, prefix }) if prefix.is_empty() => Ok(bucket),
        _ => Err("it is s3://BUCKET".to_owned()),
    }
}

/// Runs on a runtime of its own, as `weir run` does.
pub(crate) fn run(command: ServeCommand) -> Result<ExitCode> {
    log::start(command.log_format);
    let threads = command.parallelism.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let format = command.log_format;
    let ended = runtime.block_on(serve(command, threads));
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => run::said(error, format),
    }
}

async fn serve(command: ServeCommand, threads: usize) -> Result<()> {
    let format = command.log_format;
    let health = Arc::new(Health::default());
    if let Some(port) = command.metrics_port {
        let metrics = Metrics::open(port).await?;
        log::say(format, &format!("metrics are at {}", metrics.url()));
        let health = Arc::clone(&health);
        tokio::spawn(async move { metrics.serve(move || health.report()).await });
    }
    let (send, signals) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            interrupted().await;
            send.send_modify(|n| *n += 1);
        }
    });
    let options = ProgramOptions {
        bucket: command.bucket.clone(),
        checkpoint_interval: Duration::from_millis(command.checkpoint_interval_millis.max(1)),
        parallelism: threads,
        state_limit: command.state_limit.saturating_mul(1 << 20),
    };
    let bucket = StackBucket::open(&command.bucket).await?;
    let mut late = signals.clone();
    let supervisor = Supervisor::new(bucket, options, health, command.emf.as_deref().map(Emf::new), format, signals);
    let stop_within = Duration::from_secs(command.stop_within);
    let too_late = async move {
        let _ = late.wait_for(|n| *n > 0).await;
        tokio::select! {
            () = tokio::time::sleep(stop_within) => {}
            _ = late.wait_for(|n| *n > 1) => {}
        }
    };
    tokio::select! {
        ended = supervisor.run() => ended,
        () = too_late => Err(anyhow!(
            "asked to end, and not done within {} s or until asked again: no last checkpoint was written\n  hint: a restart goes on from \
             the checkpoint before and loses nothing",
            stop_within.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_a_bucket_of_its_own() {
        assert_eq!(bucket_name("s3://weir-engine").as_deref(), Ok("weir-engine"));
        for text in ["weir-engine", "s3://", "s3://weir-engine/prefix", "gs://weir-engine"] {
            assert!(bucket_name(text).is_err(), "{text}");
        }
    }
}
