//! Calls that do not give up: what may pass is retried for ever and visibly, what cannot pass is a clear message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::api::{Fault, KinesisApi, RecordPage, ShardInfo, Start};
use super::backoff::Backoff;
use super::clock::Clock;
use crate::connectors::{ConnectorCounters, ConnectorError};

/// A refusal after calls were answered before is more often a role being rotated or a key in rotation than a mistake; for
/// this long it is retried like an outage.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(300);

/// The API with its retries, shared by everything that works on one stream.
pub(super) struct RetryingClient {
    pub(super) api: Arc<dyn KinesisApi>,
    pub(super) clock: Clock,
    pub(super) counters: Arc<ConnectorCounters>,
    answered: AtomicBool,
}

impl RetryingClient {
    pub(super) fn new(api: Arc<dyn KinesisApi>, clock: Clock) -> Self {
        Self { api, clock, counters: Arc::default(), answered: AtomicBool::new(false) }
    }

    /// Lists every shard.
    pub(super) async fn list_shards(&self) -> Result<Vec<ShardInfo>, Fault> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            match self.retry("list its shards", || self.api.list_shards(next.clone())).await {
                Ok(page) => {
                    shards.extend(page.shards);
                    next = page.next;
                    if next.is_none() {
                        return Ok(shards);
                    }
                }
                // From the beginning: a token of half a listing is worth nothing.
                Err(Fault::ExpiredToken) => {
                    shards.clear();
                    next = None;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    pub(super) async fn shard_iterator(&self, shard: &str, start: &Start) -> Result<String, Fault> {
        self.retry("open a shard", || self.api.shard_iterator(shard, start)).await
    }

    pub(super) async fn get_records(&self, iterator: &str, limit: Option<i32>) -> Result<RecordPage, Fault> {
        self.retry("read a shard", || self.api.get_records(iterator, limit)).await
    }

    /// Repeats a call until it is answered or refused.
    pub(super) async fn retry<T, F>(&self, purpose: &str, call: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut backoff = Backoff::new();
        let mut refused_since: Option<Duration> = None;
        loop {
            let fault = match call().await {
                Ok(answer) => {
                    self.answered.store(true, Ordering::Relaxed);
                    if backoff.attempts() > 1 {
                        tracing::info!(stream = %self.api.describe(), attempts = backoff.attempts(), "can {purpose} again");
                    }
                    return Ok(answer);
                }
                Err(Fault::Passing(reason)) => reason,
                Err(Fault::Throttled(reason)) => {
                    ConnectorCounters::add(&self.counters.throttles, 1);
                    reason
                }
                Err(Fault::Denied(reason)) if self.answered.load(Ordering::Relaxed) => {
                    let since = *refused_since.get_or_insert_with(|| self.clock.now());
                    if self.clock.now() - since > REFUSAL_PATIENCE {
                        return Err(Fault::Denied(reason));
                    }
                    reason
                }
                Err(fault) => return Err(fault),
            };
            self.note(purpose, &fault, backoff.attempts());
            backoff.wait(&self.clock).await;
        }
    }

    /// Counts a fault and shows it; a single one is part of normal life (two readers meet the limit of a shard).
    pub(super) fn note(&self, purpose: &str, fault: &str, attempts: u32) {
        ConnectorCounters::add(&self.counters.retries, 1);
        let stream = self.api.describe();
        if attempts == 0 {
            tracing::info!(%stream, fault, "cannot {purpose}, trying again");
        } else {
            tracing::warn!(%stream, fault, attempts, "still cannot {purpose}, trying again");
        }
    }

    /// The end of the program, in words that say what to do.
    pub(super) fn give_up(&self, purpose: &str, fault: &Fault) -> ConnectorError {
        let stream = self.api.describe();
        let hint = match fault {
            Fault::NotFound(_) => "check the name, the region and the account",
            Fault::Denied(reason) if reason.contains("credentials") => {
                "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached"
            }
            Fault::Denied(reason)
                if ["Expired", "UnrecognizedClient", "InvalidSignature"].iter().any(|word| reason.contains(word)) =>
            {
                "the credentials are no longer valid, or belong to another account: renew them"
            }
            Fault::Denied(_) => {
                "a source needs kinesis:ListShards, GetShardIterator and GetRecords on the stream, a sink kinesis:PutRecords, \
                 and both the use of its key"
            }
            _ => "this is not expected: the same request was taken before, or the endpoint is not kinesis",
        };
        ConnectorError::Configuration(format!("{stream}: cannot {purpose}: {fault}; {hint}"))
    }
}
