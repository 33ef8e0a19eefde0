//! A stream in memory with the service's semantics and a seeded dose of its faults.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::api::{EntryFault, Fault, KinesisApi, PutEntry, RecordPage, ShardInfo, ShardPage, Start, StreamRecord};

#[derive(Default)]
pub(super) struct FakeStream {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shards: Vec<FakeShard>,
    iterators: HashMap<String, (usize, usize)>,
    counter: u64,
    random: u64,
    /// Of a hundred calls this many fail.
    fault_percent: u64,
    /// Every call fails so.
    refusal: Option<Fault>,
    /// Records above this size are refused.
    record_limit: Option<usize>,
    requests: Vec<Vec<PutEntry>>,
    reads: usize,
    /// Calls never come back.
    hangs: bool,
}

struct FakeShard {
    id: String,
    parents: Vec<String>,
    range: (u64, u64),
    closed: bool,
    records: Vec<FakeRecord>,
    trimmed: usize,
}

#[derive(Clone)]
struct FakeRecord {
    sequence: String,
    arrival_millis: i64,
    key: String,
    data: Bytes,
}

/// Where keys fall: evenly, and the same for every run.
fn hash(key: &str) -> u64 {
    key.bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl State {
    fn sequence(&mut self) -> String {
        self.counter += 1;
        format!("49{:054}", self.counter)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 100 < percent
    }

    fn new_shard(&mut self, parents: &[usize], range: (u64, u64)) {
        let id = format!("shardId-{:012}", self.shards.len());
        let parents = parents.iter().map(|parent| self.shards[*parent].id.clone()).collect();
        self.shards.push(FakeShard { id, parents, range, closed: false, records: Vec::new(), trimmed: 0 });
    }

    fn put(&mut self, key: &str, data: Bytes, arrival_millis: i64) {
        let sequence = self.sequence();
        let shard = self
            .shards
            .iter_mut()
            .find(|shard| !shard.closed && (shard.range.0..=shard.range.1).contains(&hash(key)))
            .unwrap();
        shard.records.push(FakeRecord { sequence, arrival_millis, key: key.to_owned(), data });
    }

    fn iterator(&mut self, shard: usize, index: usize) -> String {
        self.counter += 1;
        let name = format!("iterator-{}", self.counter);
        self.iterators.insert(name.clone(), (shard, index));
        name
    }

    /// What a call meets before it is looked at.
    fn meet(&mut self) -> Result<(), Fault> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let percent = self.fault_percent;
        if self.chance(percent) {
            Err(Fault::Throttled("ProvisionedThroughputExceededException: seeded".into()))
        } else {
            Ok(())
        }
    }
}

impl FakeStream {
    pub(super) fn new(shards: u64) -> Self {
        let stream = Self::default();
        {
            let mut state = stream.state.lock().unwrap();
            let width = u64::MAX / shards;
            for index in 0..shards {
                let end = if index + 1 == shards { u64::MAX } else { (index + 1) * width - 1 };
                state.new_shard(&[], (index * width, end));
            }
        }
        stream
    }

    pub(super) fn with_faults(self, seed: u64, percent: u64) -> Self {
        {
            let mut state = self.state.lock().unwrap();
            state.random = seed;
            state.fault_percent = percent;
        }
        self
    }

    pub(super) fn put(&self, key: &str, data: impl Into<Bytes>) {
        self.put_at(key, data, chrono::Utc::now().timestamp_millis());
    }

    pub(super) fn put_at(&self, key: &str, data: impl Into<Bytes>, arrival_millis: i64) {
        self.state.lock().unwrap().put(key, data.into(), arrival_millis);
    }

    pub(super) fn open_shards(&self) -> Vec<usize> {
        let state = self.state.lock().unwrap();
        state.shards.iter().enumerate().filter(|(_, shard)| !shard.closed).map(|(index, _)| index).collect()
    }

    pub(super) fn split(&self, shard: usize) {
        let mut state = self.state.lock().unwrap();
        let (low, high) = state.shards[shard].range;
        if state.shards[shard].closed || high - low < 2 {
            return;
        }
        let middle = low + (high - low) / 2;
        state.shards[shard].closed = true;
        state.new_shard(&[shard], (low, middle));
        state.new_shard(&[shard], (middle + 1, high));
    }

    /// Merges the open shard with the one above it.
    pub(super) fn merge(&self, shard: usize) {
        let mut state = self.state.lock().unwrap();
        let (low, high) = state.shards[shard].range;
        let above =
            state.shards.iter().position(|other| !other.closed && high != u64::MAX && other.range.0 == high + 1);
        let (Some(above), false) = (above, state.shards[shard].closed) else { return };
        let end = state.shards[above].range.1;
        state.shards[shard].closed = true;
        state.shards[above].closed = true;
        state.new_shard(&[shard, above], (low, end));
    }

    pub(super) fn trim(&self, shard: usize, records: usize) {
        self.state.lock().unwrap().shards[shard].trimmed = records;
    }

    pub(super) fn expire_iterators(&self) {
        self.state.lock().unwrap().iterators.clear();
    }

    pub(super) fn refuse(&self, refusal: Option<Fault>) {
        self.state.lock().unwrap().refusal = refusal;
    }

    pub(super) fn limit_records(&self, bytes: usize) {
        self.state.lock().unwrap().record_limit = Some(bytes);
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.state.lock().unwrap().hangs = hangs;
    }

    /// How many reads there were.
    pub(super) fn reads(&self) -> usize {
        self.state.lock().unwrap().reads
    }

    /// The entries of every request that was made.
    pub(super) fn requests(&self) -> Vec<Vec<PutEntry>> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Everything that is stored, shard by shard in order.
    pub(super) fn stored(&self) -> Vec<(String, String)> {
        let state = self.state.lock().unwrap();
        let mut records: Vec<&FakeRecord> = state.shards.iter().flat_map(|shard| &shard.records).collect();
        records.sort_by(|left, right| left.sequence.cmp(&right.sequence));
        records.iter().map(|record| (record.key.clone(), String::from_utf8_lossy(&record.data).into_owned())).collect()
    }
}

#[async_trait]
impl KinesisApi for FakeStream {
    async fn list_shards(&self, next: Option<String>) -> Result<ShardPage, Fault> {
        let mut state = self.state.lock().unwrap();
        state.meet()?;
        const PAGE: usize = 3;
        let from: usize = next.map_or(0, |token| token.parse().unwrap());
        let listed = state.shards.iter().skip(from).take(PAGE);
        let shards = listed.map(|shard| ShardInfo { id: shard.id.clone(), parents: shard.parents.clone() }).collect();
        let next = (from + PAGE < state.shards.len()).then(|| (from + PAGE).to_string());
        Ok(ShardPage { shards, next })
    }

    async fn shard_iterator(&self, shard: &str, start: &Start) -> Result<String, Fault> {
        let mut state = self.state.lock().unwrap();
        state.meet()?;
        let Some(index) = state.shards.iter().position(|known| known.id == shard) else {
            return Err(Fault::NotFound(format!("shard {shard}")));
        };
        let known = &state.shards[index];
        let at = match start {
            Start::TrimHorizon => 0,
            Start::AtTimestamp(millis) => known.records.partition_point(|record| record.arrival_millis < *millis),
            Start::After(sequence) | Start::At(sequence) if !sequence.starts_with("49") => {
                return Err(Fault::Invalid("the sequence number did not come from this stream".into()));
            }
            Start::After(sequence) => known.records.partition_point(|record| record.sequence <= *sequence),
            Start::At(sequence) => known.records.partition_point(|record| record.sequence < *sequence),
        };
        let at = at.max(known.trimmed);
        Ok(state.iterator(index, at))
    }

    async fn get_records(&self, iterator: &str, limit: Option<i32>) -> Result<RecordPage, Fault> {
        let mut state = self.state.lock().unwrap();
        state.meet()?;
        state.reads += 1;
        let (shard, at) = *state.iterators.get(iterator).ok_or(Fault::ExpiredIterator)?;
        // Now and then a page is short, or empty although there is more.
        let percent = state.fault_percent;
        let length = if state.chance(percent) { 0 } else { limit.map_or(7, |limit| limit as usize) };
        let known = &state.shards[shard];
        let end = (at + length).min(known.records.len());
        let records: Vec<StreamRecord> = known.records[at..end]
            .iter()
            .map(|record| StreamRecord {
                sequence: record.sequence.clone(),
                data: record.data.clone(),
                arrival_nanos: Some(record.arrival_millis * 1_000_000),
            })
            .collect();
        let left = (known.records.len() - end) as u64;
        if known.closed && left == 0 {
            let id = known.id.clone();
            let children = state.shards.iter().filter(|child| child.parents.contains(&id));
            let children =
                children.map(|child| ShardInfo { id: child.id.clone(), parents: child.parents.clone() }).collect();
            return Ok(RecordPage { records, next: None, millis_behind: Some(0), children });
        }
        let next = Some(state.iterator(shard, end));
        Ok(RecordPage { records, next, millis_behind: Some(left * 10), children: Vec::new() })
    }

    async fn put_records(&self, entries: &[PutEntry]) -> Result<Vec<Result<(), EntryFault>>, Fault> {
        if self.state.lock().unwrap().hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.state.lock().unwrap();
        state.requests.push(entries.to_vec());
        state.meet()?;
        if state.record_limit.is_some_and(|limit| entries.iter().any(|entry| entry.data.len() > limit)) {
            return Err(Fault::Invalid("ValidationException: a record is too large".into()));
        }
        let percent = state.fault_percent * 2;
        let mut results = Vec::new();
        for entry in entries {
            if state.chance(percent) {
                results.push(Err(EntryFault {
                    code: "ProvisionedThroughputExceededException".into(),
                    message: "seeded".into(),
                }));
            } else {
                state.put(&entry.partition_key, entry.data.clone(), 0);
                results.push(Ok(()));
            }
        }
        Ok(results)
    }

    fn describe(&self) -> String {
        "kinesis stream fake in memory".into()
    }
}
