//! Putting records on a stream, and following one.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use aws_sdk_kinesis::{
    primitives::Blob,
    types::{PutRecordsRequestEntry, ShardIteratorType},
};

use crate::{Clients, CloudError};

/// Records in one PutRecords call (its limit).
pub const PUT_RECORDS: usize = 500;
/// Bytes in one PutRecords call, keys included; the limit is 5 MiB.
const PUT_BYTES: usize = 5 * 1024 * 1024 - 64 * 1024;
/// Tries for records that a shard throttles, the first included. With the back-off below, about 25 s.
const PUT_ATTEMPTS: u32 = 12;
/// The first pause after a throttle; it doubles up to [`PUT_PAUSE_MOST`].
const PUT_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause: a shard's budget is per second.
const PUT_PAUSE_MOST: Duration = Duration::from_secs(4);
/// A shard gives five reads a second, to all readers together.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// One record to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutRecord {
    /// The record's bytes, at most 1 MiB.
    pub data: Vec<u8>,
    /// Records of one key keep their order.
    pub partition_key: String,
    /// Puts the record on the shard that owns this hash key instead.
    pub explicit_hash_key: Option<String>,
}

impl PutRecord {
    /// A record that goes by its partition key.
    #[must_use]
    pub fn new(data: impl Into<Vec<u8>>, partition_key: impl Into<String>) -> Self {
        Self { data: data.into(), partition_key: partition_key.into(), explicit_hash_key: None }
    }
}

/// Puts all records, batch by batch, and returns when each is acknowledged.
///
/// # Errors
/// When the stream refuses a record for good, or throttles for longer than all retries last.
pub async fn put(clients: &Clients, stream: &str, records: &[PutRecord]) -> Result<(), CloudError> {
    let mut from = 0;
    while from < records.len() {
        let rest = records.get(from..).unwrap_or_default();
        let mut bytes = 0;
        let count = rest
            .iter()
            .take(PUT_RECORDS)
            .take_while(|record| {
                bytes += record.data.len() + record.partition_key.len();
                bytes <= PUT_BYTES
            })
            .count()
            .max(1);
        put_batch(clients, stream, rest.get(..count).unwrap_or_default()).await?;
        from += count;
    }
    Ok(())
}

/// Makes a stream with that many shards. AWS takes some seconds over it, in which it takes no records; the local emulator none.
///
/// # Errors
/// When there is one of that name, or AWS refuses.
pub async fn create(clients: &Clients, stream: &str, shards: i32) -> Result<(), CloudError> {
    let asked = clients.kinesis.create_stream().stream_name(stream).shard_count(shards).send().await;
    asked.map(drop).map_err(|e| CloudError::from_sdk(format!("make stream {stream}"), e))
}

async fn put_batch(clients: &Clients, stream: &str, records: &[PutRecord]) -> Result<(), CloudError> {
    let action = || format!("put records on stream {stream}");
    let mut entries = records.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let mut pause = PUT_PAUSE;
    let mut last = String::new();
    for _ in 0..PUT_ATTEMPTS {
        let sent = clients.kinesis.put_records().stream_name(stream).set_records(Some(entries.clone())).send().await;
        let answer = sent.map_err(|e| CloudError::from_sdk(action(), e))?;
        let mut failed = Vec::new();
        for (entry, result) in entries.into_iter().zip(answer.records()) {
            if let Some(code) = result.error_code() {
                last = format!("{code}: {}", result.error_message().unwrap_or_default());
                failed.push(entry);
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        entries = failed;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PUT_PAUSE_MOST);
    }
    Err(CloudError::new(action(), format!("{} records were refused {PUT_ATTEMPTS} times: {last}", entries.len())))
}

fn entry(record: &PutRecord) -> Result<PutRecordsRequestEntry, CloudError> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.clone()))
        .partition_key(&record.partition_key)
        .set_explicit_hash_key(record.explicit_hash_key.clone())
        .build()
        .map_err(|e| CloudError::new("build a record", e.to_string()))
}

/// An open shard and the first hash key that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its id.
    pub id: String,
    /// The first hash key of its range: an explicit hash key that reaches it.
    pub starting_hash_key: String,
    /// Closed by a reshard: nothing can be put on it any more.
    pub closed: bool,
}

/// Every shard of a stream, closed ones included.
///
/// # Errors
/// When the stream cannot be listed.
pub async fn shards(clients: &Clients, stream: &str) -> Result<Vec<Shard>, CloudError> {
    let mut shards = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let mut call = clients.kinesis.list_shards();
        call = match next {
            Some(token) => call.next_token(token),
            None => call.stream_name(stream),
        };
        let page = call.send().await.map_err(|e| CloudError::from_sdk(format!("list the shards of {stream}"), e))?;
        for shard in page.shards() {
            shards.push(Shard {
                id: shard.shard_id().to_owned(),
                starting_hash_key: shard
                    .hash_key_range()
                    .map_or_else(String::new, |r| r.starting_hash_key().to_owned()),
                closed: shard.sequence_number_range().and_then(|r| r.ending_sequence_number()).is_some(),
            });
        }
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(shards);
        }
    }
}

/// A record that a stream keeps.
#[derive(Debug, Clone, Copy)]
pub struct Retained<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// When the stream accepted it, nanoseconds since the epoch.
    pub arrival: Option<i64>,
    /// Its shard.
    pub shard: &'a str,
    /// Its number.
    pub sequence: &'a str,
}

/// What is read no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The rest of the shard.
    Shard,
    /// The rest of the stream.
    Stream,
}

/// Gives every record that a stream keeps now, shard by shard, from the oldest to the tip.
///
/// # Errors
/// When a shard cannot be read, or `take` ends it.
pub async fn retained<E: std::convert::From<CloudError>>(
    clients: &Clients,
    stream: &str,
    take: &mut dyn FnMut(&Retained<'_>) -> Result<ControlFlow<Skip>, E>,
) -> Result<(), E> {
    'shards: for shard in shards(clients, stream).await? {
        let open = clients.kinesis.get_shard_iterator().stream_name(stream).shard_id(&shard.id);
        let open = open.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await;
        let opened = open.map_err(|e| CloudError::from_sdk(format!("open shard {} of {stream}", shard.id), e))?;
        let mut iterator = opened.shard_iterator().map(str::to_owned);
        while let Some(at) = iterator {
            let read = clients.kinesis.get_records().shard_iterator(at).send().await;
            let answer = read.map_err(|e| CloudError::from_sdk(format!("read shard {} of {stream}", shard.id), e))?;
            for record in answer.records() {
                let arrival =
                    record.approximate_arrival_timestamp().and_then(|time| i64::try_from(time.as_nanos()).ok());
                let (data, sequence) = (record.data().as_ref(), record.sequence_number());
                match take(&Retained { data, arrival, shard: &shard.id, sequence })? {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(Skip::Shard) => continue 'shards,
                    ControlFlow::Break(Skip::Stream) => return Ok(()),
                }
            }
            let at_tip = answer.millis_behind_latest().unwrap_or(0) == 0;
            iterator = answer.next_shard_iterator().filter(|_| !at_tip).map(str::to_owned);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the oldest record that the stream keeps.
    Oldest,
    /// At what comes from now on.
    Now,
}

/// Follows every shard of a stream.
#[derive(Debug)]
pub struct Tail<'a> {
    clients: &'a Clients,
    stream: String,
    /// Shard to its next iterator; `None` when the shard has ended.
    iterators: BTreeMap<String, Option<String>>,
}

impl<'a> Tail<'a> {
    /// Opens an iterator on every shard.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn open(clients: &'a Clients, stream: &str, from: From) -> Result<Self, CloudError> {
        let mut tail = Self { clients, stream: stream.to_owned(), iterators: BTreeMap::new() };
        let kind = match from {
            From::Oldest => ShardIteratorType::TrimHorizon,
            From::Now => ShardIteratorType::Latest,
        };
        for shard in shards(clients, stream).await? {
            let iterator = tail.iterator(&shard.id, kind.clone()).await?;
            tail.iterators.insert(shard.id, iterator);
        }
        Ok(tail)
    }

    /// The next records of every shard, after a pause that keeps within the shards' budget. May be empty.
    ///
    /// # Errors
    /// When a shard cannot be read.
    pub async fn next(&mut self) -> Result<Vec<Vec<u8>>, CloudError> {
        tokio::time::sleep(POLL_INTERVAL).await;
        let mut data = Vec::new();
        let mut children = Vec::new();
        for (shard, slot) in &mut self.iterators {
            let Some(iterator) = slot.take() else { continue };
            let read = self.clients.kinesis.get_records().shard_iterator(iterator).send().await;
            let answer = read.map_err(|e| CloudError::from_sdk(format!("read shard {shard} of {}", self.stream), e))?;
            data.extend(answer.records().iter().map(|record| record.data().as_ref().to_vec()));
            *slot = answer.next_shard_iterator().map(str::to_owned);
            children.extend(answer.child_shards().iter().map(|child| child.shard_id().to_owned()));
        }
        for child in children {
            if !self.iterators.contains_key(&child) {
                let iterator = self.iterator(&child, ShardIteratorType::TrimHorizon).await?;
                self.iterators.insert(child, iterator);
            }
        }
        Ok(data)
    }

    async fn iterator(&self, shard: &str, kind: ShardIteratorType) -> Result<Option<String>, CloudError> {
        let call = self.clients.kinesis.get_shard_iterator().stream_name(&self.stream).shard_id(shard);
        let answer = call.shard_iterator_type(kind).send().await;
        let answer = answer.map_err(|e| CloudError::from_sdk(format!("open shard {shard} of {}", self.stream), e))?;
        Ok(answer.shard_iterator().map(str::to_owned))
    }
}
