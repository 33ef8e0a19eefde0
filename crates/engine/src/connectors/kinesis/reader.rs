//! Reads one shard, page by page, ahead of the task that takes the records.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::api::{Fault, RecordPage, ShardInfo, Start};
use super::backoff::Backoff;
use super::position::is_later;
use super::retrying_client::RetryingClient;
use crate::connectors::{ConnectorCounters, ConnectorError};

/// A shard allows five reads a second, shared by all who read it (AWS quota); at the tip one reader takes no more than that.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The shortest retention that a stream can have (AWS quota): a position that is younger cannot have been trimmed.
const SHORTEST_RETENTION_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Pages that may come back empty before the oldest record shows: the service skips over stretches without records.
const TRIM_PROBES: usize = 20;

/// What readers and the lister report.
#[derive(Debug)]
pub(super) enum Event {
    /// A page, in the order of its shard.
    Page(Page),
    /// Every shard of the stream.
    Listing(Vec<ShardInfo>),
    /// The stream says that a shard does not exist.
    Gone { shard: String },
    /// Records were trimmed before they were read.
    Trimmed { shard: String, after: String, reason: String },
    /// Nothing that trying again could help.
    Failed(ConnectorError),
}

/// A page and what follows it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) shard: String,
    pub(super) content: RecordPage,
    /// Held until the page is handed out: this is what bounds the memory.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Reads one shard until its end.
pub(super) struct Reader {
    pub(super) client: Arc<RetryingClient>,
    pub(super) shard: String,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) pages: Arc<Semaphore>,
}

impl Reader {
    /// Reads from `start`; `read_until_millis` tells how old that position is.
    pub(super) async fn run(self, start: Start, read_until_millis: Option<i64>) {
        if let Err(fault) = self.read(start, read_until_millis).await {
            let event = match fault {
                Fault::NotFound(_) => Event::Gone { shard: self.shard },
                fault => Event::Failed(self.client.give_up("read a shard", &fault)),
            };
            // Nobody listens any more when the source is closed.
            let _ = self.events.send(event).await;
        }
    }

    async fn read(&self, mut start: Start, read_until_millis: Option<i64>) -> Result<(), Fault> {
        if let Start::After(sequence) | Start::At(sequence) = &start {
            self.look_for_trimmed(sequence, read_until_millis).await?;
        }
        let mut iterator = None;
        let mut backoff = Backoff::new();
        loop {
            let current = match iterator.take() {
                Some(iterator) => iterator,
                None => match self.open(&mut start, &mut backoff).await? {
                    Some(iterator) => iterator,
                    None => continue,
                },
            };
            let Ok(permit) = self.pages.clone().acquire_owned().await else { return Ok(()) };
            let asked = self.client.clock.now();
            let page = match self.client.get_records(&current, None).await {
                Ok(page) => page,
                Err(Fault::ExpiredIterator) => {
                    ConnectorCounters::add(&self.client.counters.expired_iterators, 1);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if let Some(last) = page.records.last() {
                start = Start::After(last.sequence.clone());
            }
            let at_tip = page.millis_behind == Some(0) || (page.millis_behind.is_none() && page.records.is_empty());
            iterator = page.next.clone();
            let ended = iterator.is_none();
            let permit = (!page.records.is_empty()).then_some(permit);
            let event = Event::Page(Page { shard: self.shard.clone(), content: page, permit });
            if self.events.send(event).await.is_err() || ended {
                return Ok(());
            }
            if at_tip {
                self.client.clock.until(asked + POLL_INTERVAL).await;
            }
        }
    }

    /// Gets an iterator. `None`: try again, perhaps from another start.
    async fn open(&self, start: &mut Start, backoff: &mut Backoff) -> Result<Option<String>, Fault> {
        match self.client.shard_iterator(&self.shard, start).await {
            Ok(iterator) => {
                backoff.reset();
                Ok(Some(iterator))
            }
            Err(Fault::Invalid(reason)) => match start {
                Start::After(sequence) | Start::At(sequence) => {
                    let after = std::mem::take(sequence);
                    let _ = self.events.send(Event::Trimmed { shard: self.shard.clone(), after, reason }).await;
                    *start = Start::TrimHorizon;
                    Ok(None)
                }
                // This machine's clock is ahead of the service's, which refuses the future.
                Start::AtTimestamp(_) => {
                    self.client.note("open a shard", &reason, backoff.attempts());
                    backoff.wait(&self.client.clock).await;
                    Ok(None)
                }
                Start::TrimHorizon => Err(Fault::Invalid(reason)),
            },
            Err(fault) => Err(fault),
        }
    }

    /// The service silently moves on from a position that was trimmed. Whether that happened shows by the oldest record.
    async fn look_for_trimmed(&self, sequence: &str, read_until_millis: Option<i64>) -> Result<(), Fault> {
        let age =
            read_until_millis.map_or(i64::MAX, |millis| chrono::Utc::now().timestamp_millis().saturating_sub(millis));
        if age < SHORTEST_RETENTION_MILLIS {
            return Ok(());
        }
        let mut iterator = match self.client.shard_iterator(&self.shard, &Start::TrimHorizon).await {
            Ok(iterator) => iterator,
            Err(Fault::Invalid(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        for _ in 0..TRIM_PROBES {
            let page = match self.client.get_records(&iterator, Some(1)).await {
                Ok(page) => page,
                Err(Fault::ExpiredIterator) => return Ok(()),
                Err(fault) => return Err(fault),
            };
            if let Some(oldest) = page.records.first() {
                if is_later(&oldest.sequence, sequence) {
                    let reason = format!("the oldest record that is left is {}", oldest.sequence);
                    let event = Event::Trimmed { shard: self.shard.clone(), after: sequence.to_owned(), reason };
                    let _ = self.events.send(event).await;
                }
                return Ok(());
            }
            match page.next {
                Some(next) if page.millis_behind != Some(0) => iterator = next,
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}
