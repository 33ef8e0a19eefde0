//! Puts events on the stream at a compressed pace.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use weir_anomaly::Timestamp;
use weir_backtest::data::TimedEvent;
use weir_cloud::{
    Clients, now_millis,
    stream::{self, PutRecord},
};
use weir_decode::partition_key;
use weir_rules::Interval;

use crate::Connection;

/// A replay without a given speed takes this long.
const USUAL_SECONDS: f64 = 40.0;
/// Events are put in one call for each such slice of real time.
const SLICE: Duration = Duration::from_millis(100);
/// After the last event, event time is moved on so far that the windows which it fell into can close.
const CLOSING_NANOS: i64 = 24 * 3600 * 1_000_000_000;

/// How fast events are replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    first: Timestamp,
    span_nanos: i64,
    speed: f64,
}

impl Pace {
    pub(crate) fn new(events: &[TimedEvent], speed: Option<f64>) -> Self {
        let first = events.first().map_or(Timestamp::from_nanos(0), |event| event.reading.time);
        let span_nanos = events.last().map_or(0, |event| event.reading.time.since(first)).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a pace")]
        let usual = span_nanos as f64 / 1e9 / USUAL_SECONDS;
        Self { first, span_nanos, speed: speed.unwrap_or(usual) }
    }

    /// Seconds that the replay takes.
    #[expect(clippy::cast_precision_loss, reason = "a pace")]
    pub(crate) fn seconds(&self) -> f64 {
        self.span_nanos as f64 / 1e9 / self.speed
    }

    /// The event time that is replayed, for people.
    pub(crate) fn span(&self) -> String {
        let seconds = u64::try_from(self.span_nanos / 1_000_000_000).unwrap_or(0);
        match seconds {
            0..7200 => format!("{} minutes", seconds / 60),
            7200..172_800 => format!("{} hours", seconds / 3600),
            _ => format!("{} days", seconds / 86_400),
        }
    }

    /// When an event is due, counted from the start of the replay.
    #[expect(clippy::cast_precision_loss, reason = "a pace")]
    fn due(&self, event: &TimedEvent) -> Duration {
        let offset = event.reading.time.since(self.first).max(0) as f64 / 1e9 / self.speed;
        // A span of centuries at a speed of nearly nothing is no reason to fail.
        Duration::try_from_secs_f64(offset).unwrap_or(Duration::MAX)
    }
}

/// A replay under way.
#[derive(Debug)]
pub(crate) struct Replay {
    sent: Arc<AtomicUsize>,
    total: usize,
    task: JoinHandle<Result<(Vec<Sent>, BTreeSet<String>)>>,
}

/// Records sent so far, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) sent: usize,
    pub(crate) total: usize,
}

/// One event that was put.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) time: Timestamp,
    pub(crate) series: String,
    /// When the put began, milliseconds since the epoch.
    pub(crate) put_millis: i64,
}

/// A replay that has ended.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// The events, in order of event time.
    pub(crate) events: Vec<Sent>,
    /// Records put: events, poison and control records.
    pub(crate) records: usize,
    /// Poison among them.
    pub(crate) poison: usize,
    /// Ids of the probes that went in last, one on each shard.
    pub(crate) probes: BTreeSet<String>,
}

impl Replayed {
    pub(crate) fn progress(&self) -> Progress {
        Progress { sent: self.records, total: self.records }
    }
}

/// Records that are no events, one of each kind.
pub(crate) fn poison() -> Vec<Vec<u8>> {
    vec![
        b"{\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":".to_vec(),
        vec![0xff, 0xfe, 0x00, 0x80],
        b"{\"timestamp\":\"yesterday\",\"value\":1.0}".to_vec(),
        b"{\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":\"high\"}".to_vec(),
    ]
}

impl Replay {
    pub(crate) fn start(
        clients: Arc<Clients>,
        connection: &Connection,
        stream: String,
        events: Vec<TimedEvent>,
        poison: Vec<Vec<u8>>,
        pace: Pace,
    ) -> Self {
        let sent = Arc::new(AtomicUsize::new(0));
        let total = events.len() + poison.len();
        let streams = Streams { records: stream, events: connection.events_stream.clone() };
        let task = tokio::spawn(put_all(clients, streams, events, poison, pace, Arc::clone(&sent)));
        Self { sent, total, task }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { sent: self.sent.load(Ordering::Relaxed), total: self.total }
    }

    pub(crate) async fn finish(self) -> Result<Replayed> {
        let (events, probes) = self.task.await.context("the replay")??;
        let records = self.sent.load(Ordering::Relaxed);
        let poison = self.total - events.len();
        Ok(Replayed { events, records, poison, probes })
    }
}

/// Where a replay puts its records, and Weir's own events stream, where it puts control records.
#[derive(Debug)]
struct Streams {
    records: String,
    events: String,
}

async fn put_all(
    clients: Arc<Clients>,
    streams: Streams,
    events: Vec<TimedEvent>,
    poison: Vec<Vec<u8>>,
    pace: Pace,
    count: Arc<AtomicUsize>,
) -> Result<(Vec<Sent>, BTreeSet<String>)> {
    let begun = tokio::time::Instant::now();
    let mut sent = Vec::with_capacity(events.len());
    let mut rest = events.as_slice();
    let poison: Vec<PutRecord> = poison.into_iter().map(|data| PutRecord::new(data, "poison")).collect();
    stream::put(&clients, &streams.records, &poison).await?;
    count.fetch_add(poison.len(), Ordering::Relaxed);
    while let Some(next) = rest.first() {
        tokio::time::sleep_until(begun + pace.due(next)).await;
        let until = begun.elapsed() + SLICE;
        let due = rest.iter().take_while(|event| pace.due(event) <= until).count().max(1);
        let (now, later) = rest.split_at(due);
        let mut records = Vec::with_capacity(due);
        let put_millis = now_millis();
        for event in now {
            let key = partition_key(&event.record).unwrap_or_else(|| event.reading.source.clone());
            records.push(PutRecord::new(event.record.clone(), key));
            sent.push(Sent { time: event.reading.time, series: event.reading.series(), put_millis });
        }
        stream::put(&clients, &streams.records, &records).await?;
        count.fetch_add(due, Ordering::Relaxed);
        rest = later;
        tokio::time::sleep_until(begun + until).await;
    }
    let last = events.last().map_or(0, |event| event.reading.time.nanos());
    let probes = close(&clients, &streams.events, last.saturating_add(CLOSING_NANOS)).await?;
    count.fetch_add(probes.len(), Ordering::Relaxed);
    Ok((sent, probes))
}

/// One probe on every open shard, behind all else: it moves event time on, as the heartbeat does in production, and what
/// comes out at the far end says that the shard was read to here. Returns the probes' ids.
async fn close(clients: &Clients, stream: &str, nanos: i64) -> Result<BTreeSet<String>> {
    let time = Timestamp::from_nanos(nanos);
    let mut probes = BTreeSet::new();
    let mut records = Vec::new();
    for shard in stream::shards(clients, stream).await?.into_iter().filter(|shard| !shard.closed) {
        let id = format!("demo-{}", shard.id);
        let sent_at = Timestamp::from_nanos(now_millis().saturating_mul(1_000_000));
        let record = serde_json::json!({
            "weir": "probe", "probe_id": id, "sent_at": sent_at.to_string(), "timestamp": time.to_string(),
        });
        records.push(PutRecord {
            explicit_hash_key: Some(shard.starting_hash_key),
            ..PutRecord::new(record.to_string(), "probe")
        });
        probes.insert(id);
    }
    stream::put(clients, stream, &records).await?;
    Ok(probes)
}

/// Kept beside the pace: what a person may set on the command line for the watermark.
pub(crate) fn delay_nanos(delay: Interval) -> i64 {
    i64::try_from(delay.duration().as_nanos()).unwrap_or(i64::MAX)
}
