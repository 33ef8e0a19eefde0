//! A stream as a source: readers of its open shards, merged, with a position that loses nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use weir_anomaly::kpl;

use super::api::{KinesisApi, StreamRecord};
use super::clock::Clock;
use super::options::{SourceOptions, StartAt};
use super::position::{Position, ShardPosition};
use super::reader::{Event, Page, Reader};
use super::retrying_client::RetryingClient;
use super::shards::{Shards, partition_of};
use crate::connectors::{ConnectorCounters, ConnectorError, PartitionStatus, Polled, RawRecord, Source};

/// Pages (at most 10 MB each, by AWS's quota) that are fetched or wait to be taken, over all shards. Bounds the memory, and
/// is enough to keep the engine busy while the next pages travel.
const PAGES_AHEAD: usize = 6;
/// Reports that may wait; pages with records are bounded by `PAGES_AHEAD` already, what remains is small.
const EVENTS_AHEAD: usize = 64;
/// How often the shards are listed although none has ended: a shard whose parent is not ours to read shows only there.
const LISTING_INTERVAL: Duration = Duration::from_secs(30);
/// The least time between two listings.
const LISTING_PAUSE: Duration = Duration::from_millis(100);

/// A stream that is being read.
pub struct KinesisSource {
    stream: String,
    client: Arc<RetryingClient>,
    shards: Shards,
    /// Pages that are not handed out yet, each shard's in its order.
    pending: VecDeque<PendingPage>,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
    pages: Arc<Semaphore>,
    list_now: Arc<Notify>,
    /// Readers and the lister; they end with the source.
    tasks: JoinSet<()>,
}

impl KinesisSource {
    pub(super) async fn open(
        api: Arc<dyn KinesisApi>,
        clock: Clock,
        options: &SourceOptions,
        position: Option<&serde_json::Value>,
    ) -> Result<Self, ConnectorError> {
        let client = Arc::new(RetryingClient::new(api, clock.clone()));
        let position = position.map(|value| Position::read(value, &options.stream)).transpose()?;
        // `latest` is this moment, kept in the position: what is written while the program is down is not skipped. Taken
        // before the listing, so that no shard is closed in between unread.
        let first_start = match (&position, options.start) {
            (None, StartAt::Latest) => Some(chrono::Utc::now().timestamp_millis()),
            _ => None,
        };
        let listing = client.list_shards().await.map_err(|fault| client.give_up("list its shards", &fault))?;
        let (sender, events) = mpsc::channel(EVENTS_AHEAD);
        let mut source = Self {
            stream: options.stream.clone(),
            client,
            shards: Shards::restore(clock, position),
            pending: VecDeque::new(),
            events,
            sender,
            pages: Arc::new(Semaphore::new(PAGES_AHEAD)),
            list_now: Arc::new(Notify::new()),
            tasks: JoinSet::new(),
        };
        for (shard, position) in source.shards.take_listing(listing, first_start) {
            source.report_vanished(&shard, &position);
        }
        source.tasks.spawn(list(source.client.clone(), source.list_now.clone(), source.sender.clone()));
        source.start_readers();
        Ok(source)
    }

    fn start_readers(&mut self) {
        for (shard, start, read_until_millis) in self.shards.start_ready() {
            tracing::debug!(stream = %self.stream, shard, ?start, "reading a shard");
            let (client, events, pages) = (self.client.clone(), self.sender.clone(), self.pages.clone());
            self.tasks.spawn(Reader { client, shard, events, pages }.run(start, read_until_millis));
        }
    }

    fn take(&mut self, event: Event) -> Result<(), ConnectorError> {
        match event {
            Event::Page(page) => self.pending.push_back(PendingPage::new(page)),
            Event::Listing(listing) => {
                for (shard, position) in self.shards.take_listing(listing, None) {
                    self.report_vanished(&shard, &position);
                }
                if self.shards.awaits_listing() {
                    self.list_now.notify_one();
                }
                self.start_readers();
            }
            Event::Gone { shard } => {
                tracing::warn!(stream = %self.stream, shard, "the stream does not know a shard that it listed");
                self.shards.stopped(&shard);
                self.list_now.notify_one();
            }
            Event::Trimmed { shard, after, reason } => {
                ConnectorCounters::add(&self.client.counters.gaps, 1);
                tracing::error!(
                    stream = %self.stream, shard, after, reason,
                    "records were trimmed before they were read: the source was down for longer than the stream keeps \
                     records, or the stream was made anew; going on at its oldest record"
                );
                if let Some(shard) = self.shards.get_mut(&shard) {
                    shard.position = ShardPosition::default();
                }
            }
            Event::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn report_vanished(&self, shard: &str, position: &ShardPosition) {
        ConnectorCounters::add(&self.client.counters.gaps, 1);
        let after = position.sequence_number.as_deref().unwrap_or("its beginning");
        tracing::error!(
            stream = %self.stream, shard, after,
            "a shard was removed before it was read to its end: the records after this position are lost"
        );
    }

    /// Takes what is pending, up to `max` records, and moves the position with it.
    fn hand_out(&mut self, max: usize) -> Vec<RawRecord> {
        let mut out = Vec::new();
        while let Some(page) = self.pending.front_mut() {
            match self.shards.get_mut(&page.shard) {
                Some(shard) => {
                    page.hand_out(max, shard.partition, &mut shard.position, &mut out);
                    if page.is_empty() {
                        shard.page_done(
                            self.client.clock.now(),
                            page.had_records,
                            page.behind_millis,
                            page.read_until_millis(),
                        );
                    }
                }
                // The stream has forgotten the shard while its last pages waited here.
                None => page.hand_out(max, partition_of(&page.shard), &mut ShardPosition::default(), &mut out),
            }
            if !page.is_empty() {
                break;
            }
            let Some(page) = self.pending.pop_front() else { break };
            if page.ended {
                ConnectorCounters::add(&self.client.counters.reshards, 1);
                if !self.shards.drained(&page.shard, page.children) {
                    self.list_now.notify_one();
                }
                self.start_readers();
            }
        }
        out
    }

    /// A reader that panicked would leave its shard silent.
    fn check_tasks(&mut self) -> Result<(), ConnectorError> {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                return Err(ConnectorError::Unavailable {
                    context: format!("{}: a reader ended", self.client.api.describe()),
                    cause: error.to_string(),
                });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Source for KinesisSource {
    async fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, ConnectorError> {
        let deadline = self.client.clock.now().saturating_add(wait);
        loop {
            self.check_tasks()?;
            while let Ok(event) = self.events.try_recv() {
                self.take(event)?;
            }
            let records = self.hand_out(max_records.max(1));
            if !records.is_empty() {
                return Ok(Polled::Records(records));
            }
            match self.client.clock.before(deadline, self.events.recv()).await {
                Some(Some(event)) => self.take(event)?,
                // The source holds a sender itself, so the channel never ends before the wait does.
                Some(None) | None => return Ok(Polled::Idle),
            }
        }
    }

    fn position(&self) -> serde_json::Value {
        serde_json::to_value(self.shards.position(&self.stream)).unwrap_or_default()
    }

    fn partitions(&self) -> Vec<PartitionStatus> {
        self.shards.partitions(|shard| self.pending.iter().any(|page| page.shard == shard))
    }

    fn lag_millis(&self) -> Option<u64> {
        self.shards.lag_millis()
    }

    fn counters(&self) -> Option<Arc<ConnectorCounters>> {
        Some(Arc::clone(&self.client.counters))
    }
}

/// Lists the shards when asked, and now and then.
async fn list(client: Arc<RetryingClient>, now: Arc<Notify>, events: mpsc::Sender<Event>) {
    loop {
        let due = client.clock.now() + LISTING_INTERVAL;
        let _ = client.clock.before(due, now.notified()).await;
        // Asked for again and again, it still stays far below the limit of the call.
        client.clock.sleep(LISTING_PAUSE).await;
        let event = match client.list_shards().await {
            Ok(listing) => Event::Listing(listing),
            Err(fault) => Event::Failed(client.give_up("list its shards", &fault)),
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// A page that is being handed out.
#[derive(Debug)]
struct PendingPage {
    shard: String,
    records: std::vec::IntoIter<StreamRecord>,
    /// The rest of an aggregated record.
    users: Option<Users>,
    had_records: bool,
    last_arrival_nanos: Option<i64>,
    behind_millis: Option<u64>,
    ended: bool,
    children: Vec<super::api::ShardInfo>,
    _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// The user records of an aggregated record.
#[derive(Debug)]
struct Users {
    sequence: String,
    arrival_nanos: Option<i64>,
    rest: std::vec::IntoIter<Bytes>,
    handed_out: usize,
}

impl PendingPage {
    fn new(page: Page) -> Self {
        let content = page.content;
        Self {
            shard: page.shard,
            had_records: !content.records.is_empty(),
            last_arrival_nanos: content.records.last().and_then(|record| record.arrival_nanos),
            records: content.records.into_iter(),
            users: None,
            behind_millis: content.millis_behind,
            ended: content.next.is_none(),
            children: content.children,
            _permit: page.permit,
        }
    }

    fn is_empty(&self) -> bool {
        self.users.is_none() && self.records.as_slice().is_empty()
    }

    /// Up to when everything was read, once this page is handed out.
    fn read_until_millis(&self) -> Option<i64> {
        match self.behind_millis {
            Some(0) => Some(chrono::Utc::now().timestamp_millis()),
            _ => self.last_arrival_nanos.map(|nanos| nanos / 1_000_000),
        }
    }

    fn hand_out(&mut self, max: usize, partition: u32, position: &mut ShardPosition, out: &mut Vec<RawRecord>) {
        let mut last = None;
        while out.len() < max {
            if let Some(users) = &mut self.users {
                match users.rest.next() {
                    Some(payload) => {
                        users.handed_out += 1;
                        out.push(RawRecord { payload, arrival_nanos: users.arrival_nanos, partition });
                    }
                    None => last = self.users.take().map(|users| users.sequence),
                }
                continue;
            }
            let Some(record) = self.records.next() else { break };
            // One look at the first byte decides for almost every record.
            if let Some(parts) = kpl::deaggregate(&record.data) {
                let skip = position.handed_out(&record.sequence);
                let rest: Vec<Bytes> = parts.iter().skip(skip).map(|part| record.data.slice_ref(part.data)).collect();
                let (sequence, arrival_nanos) = (record.sequence, record.arrival_nanos);
                self.users = Some(Users { sequence, arrival_nanos, rest: rest.into_iter(), handed_out: skip });
                continue;
            }
            out.push(RawRecord { payload: record.data, arrival_nanos: record.arrival_nanos, partition });
            last = Some(record.sequence);
        }
        match self.users.take_if(|users| users.rest.as_slice().is_empty()) {
            Some(users) => last = Some(users.sequence),
            None => {
                if let Some(users) = &self.users {
                    last = None;
                    position.sequence_number = Some(users.sequence.clone());
                    position.sub_sequence_number = Some(users.handed_out);
                }
            }
        }
        if let Some(sequence) = last {
            position.sequence_number = Some(sequence);
            position.sub_sequence_number = None;
        }
    }
}
