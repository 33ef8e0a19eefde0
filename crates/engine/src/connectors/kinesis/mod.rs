//! The Kinesis connector: every shard of a stream as a source, a stream as a sink.
//!
//! Options are Arroyo's ([`SourceOptions`], [`SinkOptions`]). What it does better than Arroyo 0.15, and why:
//!
//! | Arroyo | here | why |
//! |---|---|---|
//! | a shard resumes *at* its last record | after it | no duplicate on every restart |
//! | a shard that was not read yet resumes at the tip | where it was due to start | records written while down are kept |
//! | children are read at once | when their parents are drained | order by key survives a reshard |
//! | children start at the configured offset | at their beginning | `latest` loses nothing in a reshard |
//! | a network fault ends the worker | every passing fault is retried for ever, visibly | a stream is there for years |
//! | `sink.flush_interval_millis` is no timer | it is | the last anomalies of a burst must not wait |
//! | rows go to random shards | rows of one key go to one shard, in order | alerts of one source stay in order |
//! | aggregated (KPL) records are passed on whole | they are taken apart | they are not JSON |
//!
//! The connector speaks to AWS through [`api::KinesisApi`] only, so that its tests run against a stream in memory.

mod api;
mod aws;
mod backoff;
mod batch;
mod clock;
mod options;
mod position;
mod reader;
mod retrying_client;
mod shards;
mod sink;
mod source;

#[cfg(test)]
mod emulator_tests;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod source_tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use options::{SinkOptions, SourceOptions, StartAt};
pub use sink::KinesisSink;
pub use source::KinesisSource;

use super::ConnectorError;
use aws::AwsKinesis;
use clock::Clock;

/// Opens a stream for reading, at a position of an earlier run or where the options say.
///
/// # Errors
/// The options, the position or the account do not allow it.
pub async fn open_source(
    options: &BTreeMap<String, String>,
    position: Option<&serde_json::Value>,
) -> Result<KinesisSource, ConnectorError> {
    let options = SourceOptions::read(options)?;
    let api = AwsKinesis::connect(&options.stream, options.region.as_deref()).await?;
    KinesisSource::open(Arc::new(api), Clock::real(), &options, position).await
}

/// Opens a stream for writing.
///
/// # Errors
/// The options or the account do not allow it.
pub async fn open_sink(options: &BTreeMap<String, String>) -> Result<KinesisSink, ConnectorError> {
    let options = SinkOptions::read(options)?;
    let api = AwsKinesis::connect(&options.stream, options.region.as_deref()).await?;
    Ok(KinesisSink::new(Arc::new(api), Clock::real(), options))
}
