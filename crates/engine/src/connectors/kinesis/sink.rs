//! A stream as a sink: rows in batches, every one of them stored, rows of one key in order.
//!
//! A fault that may pass is retried for as long as it lasts: the rows wait, and the program behind them.
//!
//! A row that the stream refuses for its size (1 MiB, unless the stream was set to take more) is set aside: it is counted
//! and written to the log as an error with its size, its digest and its beginning, and the program goes on. Ending the
//! program instead would repeat the row and the end for ever, cutting the row would store something that no rule said, and
//! a limit of our own would refuse what the stream may take. Any other refusal ends the program: it concerns every row.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::api::{Fault, KinesisApi, is_throttle};
use super::backoff::Backoff;
use super::batch::{Queue, Queued, USUAL_MAX_RECORD_BYTES, excerpt};
use super::clock::Clock;
use super::options::SinkOptions;
use super::retrying_client::RetryingClient;
use crate::connectors::{ConnectorCounters, ConnectorError, Sink, SinkRow};

/// A stream that is being written.
pub struct KinesisSink {
    client: RetryingClient,
    flush_interval: Duration,
    queue: Queue,
    backoff: Backoff,
}

/// Why a row was set aside.
#[derive(Debug, thiserror::Error)]
#[error("the row has {bytes} bytes with its key; the stream takes {limit} unless its maximum record size is raised")]
struct RowTooLarge {
    bytes: usize,
    limit: usize,
}

impl KinesisSink {
    pub(super) fn new(api: Arc<dyn KinesisApi>, clock: Clock, options: SinkOptions) -> Self {
        Self {
            client: RetryingClient::new(api, clock.clone()),
            flush_interval: options.flush_interval,
            queue: Queue::new(clock, &options),
            backoff: Backoff::new(),
        }
    }

    /// Sends one request. Rows that were not stored are in the queue again.
    async fn send(&mut self) -> Result<(), ConnectorError> {
        let batch = self.queue.take_batch();
        let entries: Vec<_> = batch.iter().map(|queued| queued.entry.clone()).collect();
        // The rows go back before anything is awaited: a caller that stops waiting must not lose them.
        self.queue.put_back(batch);
        let results = match self.client.retry("write records", || self.client.api.put_records(&entries)).await {
            Ok(results) => results,
            Err(Fault::Invalid(reason)) => {
                let batch = self.queue.take_batch();
                return match batch.as_slice() {
                    [row] if row.is_large() => {
                        self.set_row_aside(row, &reason);
                        Ok(())
                    }
                    _ => {
                        self.queue.put_back(batch);
                        Err(self.client.give_up("write records", &Fault::Invalid(reason)))
                    }
                };
            }
            Err(fault) => return Err(self.client.give_up("write records", &fault)),
        };
        let mut failed = Vec::new();
        let mut reason = None;
        for (queued, result) in self.queue.take_batch().into_iter().zip(results) {
            if let Err(fault) = result {
                if is_throttle(&fault.code) {
                    ConnectorCounters::add(&self.client.counters.throttles, 1);
                }
                reason.get_or_insert(fault);
                failed.push(queued);
            }
        }
        match reason {
            None => self.backoff.reset(),
            Some(fault) => {
                let rows = failed.len();
                self.queue.put_back(failed);
                let text = format!("{rows} of {} records: {}: {}", entries.len(), fault.code, fault.message);
                self.client.note("write records", &text, self.backoff.attempts());
                // As long as some are stored there is progress, and the wait stays short.
                if rows < entries.len() {
                    self.backoff.reset();
                }
                self.backoff.wait(&self.client.clock).await;
            }
        }
        Ok(())
    }

    fn set_row_aside(&mut self, row: &Queued, reason: &str) {
        ConnectorCounters::add(&self.client.counters.set_aside, 1);
        let error = RowTooLarge { bytes: row.bytes(), limit: USUAL_MAX_RECORD_BYTES };
        let digest: String = Sha256::digest(&row.entry.data).iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::error!(
            stream = %self.client.api.describe(), %error, reason, digest, key = row.entry.partition_key,
            begins = excerpt(&row.entry.data),
            "a row was not written: let the query return less, or raise the stream's maximum record size"
        );
    }
}

#[async_trait]
impl Sink for KinesisSink {
    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), ConnectorError> {
        for row in rows {
            self.queue.push(row);
        }
        while self.queue.is_full() {
            self.send().await?;
        }
        Ok(())
    }

    fn flush_due_in(&self) -> Option<Duration> {
        self.queue.due_in(self.flush_interval)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        while !self.queue.is_empty() {
            self.send().await?;
        }
        Ok(())
    }

    fn counters(&self) -> Option<Arc<ConnectorCounters>> {
        Some(Arc::clone(&self.client.counters))
    }
}
