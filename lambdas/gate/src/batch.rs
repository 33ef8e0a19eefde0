//! A batch in, the sequence numbers that failed out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{json, value::RawValue};
use sha2::{Digest as _, Sha256};
use weir_anomaly::Timestamp;
use weir_lambda::{
    ATTEMPT_TIMEOUT, chunks,
    kinesis::{self, Arrived, Origin},
    quarantine,
    retry::Budget,
};
use weir_stream::plain::{Unpacked, Unpacker};

use crate::{
    Gate,
    gate::control,
    lanes::{Lane, Lanes, Record, lane_of},
    memory::Progress,
    metrics::Counters,
    ports::{Fault, Put},
};

/// Rows are put, and refusals sent, when so much has come together: a batch of 6 MB may hold gigabytes when it is unpacked, and
/// the function has half a gigabyte.
const FLUSH_BYTES: usize = 16 * 1024 * 1024;

/// So many messages, of so many bytes, are sent to quarantine at once: no more calls than leave together.
const MESSAGES: usize = 80;
const MESSAGES_BYTES: usize = 1024 * 1024;

/// The reason of a record whose envelope is not as Lambda documents it.
const BAD_ENVELOPE: &str = "bad_envelope";

/// The records of a batch, and what became of them so far.
struct Batch<'a> {
    budget: Budget<'a>,
    /// Where each record came from.
    origins: Vec<Origin>,
    progress: Vec<Progress>,
    failed: BTreeSet<usize>,
    lanes: Lanes,
    /// Lanes with a record that was refused for good: nothing may overtake it.
    closed: BTreeSet<Lane>,
    /// Messages for the quarantine queue, with the record that they are of.
    bodies: Vec<(usize, String)>,
    body_bytes: usize,
    /// The newest time that a control record carried.
    control: Option<i64>,
}

impl Gate {
    /// Puts the batch's rows on the plain stream, and moves what is refused to quarantine. Returns the sequence numbers of the
    /// records that are not safe yet.
    pub async fn batch(&self, records: &[&RawValue], deadline: Timestamp, counters: &mut Counters) -> Vec<String> {
        let mut unpacker = self.unpacker.clone();
        let mut batch = Batch {
            budget: Budget::until(earlier(deadline), self.clock.as_ref()),
            origins: Vec::with_capacity(records.len()),
            progress: Vec::with_capacity(records.len()),
            failed: BTreeSet::new(),
            lanes: Lanes::default(),
            closed: BTreeSet::new(),
            bodies: Vec::new(),
            body_bytes: 0,
            control: None,
        };
        counters.records += records.len() as u64;
        for (index, raw) in records.iter().enumerate() {
            let arrived = kinesis::read(raw);
            if index == 0 {
                self.memory.begin(&arrived.origin.shard_id, &arrived.origin.sequence_number);
            }
            batch.progress.push(self.memory.progress(&arrived.origin.shard_id, &arrived.origin.sequence_number));
            batch.origins.push(arrived.origin.clone());
            if batch.budget.left().is_zero() {
                // The next call goes on from here.
                batch.failed.insert(index);
                continue;
            }
            self.take(&mut batch, index, &mut unpacker, arrived, raw, counters);
            if batch.lanes.bytes + batch.body_bytes >= FLUSH_BYTES {
                self.flush(&mut batch, counters).await;
            }
        }
        self.flush(&mut batch, counters).await;
        self.hand_on(&batch, counters).await;
        self.remember(&batch);
        counters.failed += batch.failed.len() as u64;
        batch.failed.iter().filter_map(|index| batch.origins.get(*index)).map(|o| o.sequence_number.clone()).collect()
    }

    /// Unpacks one record into the lanes and the messages for quarantine.
    fn take(
        &self,
        batch: &mut Batch<'_>,
        index: usize,
        unpacker: &mut Unpacker,
        arrived: Arrived,
        raw: &RawValue,
        counters: &mut Counters,
    ) {
        let now = self.clock.now();
        let data = match &arrived.data {
            Ok(data) => data,
            Err(error) => {
                let text = raw.get().as_bytes();
                return batch.refuse(index, 0, text, BAD_ENVELOPE, &error.to_string(), now);
            }
        };
        // A record always has its time of arrival; without it the present is as near as one gets.
        let arrival = arrived.origin.arrival_millis.and_then(Timestamp::from_millis).unwrap_or(now);
        let Unpacked { rows, refused, control, tally } = unpacker.unpack(data, arrival.nanos(), &id(&arrived));
        counters.ignored += tally.ignored;
        for (entry, (bytes, poison)) in refused.iter().enumerate() {
            batch.refuse(index, entry, bytes, &poison.reason.to_string(), &poison.detail, now);
        }
        batch.control = control.iter().filter_map(|control| control.time).chain(batch.control).max();
        let mut done = batch.progress.get(index).map(|progress| progress.rows.clone()).unwrap_or_default();
        for row in &rows {
            let lane = lane_of(row.key.as_deref().unwrap_or(&arrived.partition_key));
            match done.get_mut(&lane).filter(|left| **left > 0) {
                Some(left) => {
                    *left -= 1;
                    counters.skipped += 1;
                }
                None if batch.closed.contains(&lane) => {
                    batch.failed.insert(index);
                }
                None => batch.lanes.add(lane, index, &row.line),
            }
        }
    }

    /// Puts and sends what has come together, as long as there is time: what is left is given back.
    async fn flush(&self, batch: &mut Batch<'_>, counters: &mut Counters) {
        loop {
            if batch.budget.left().is_zero() {
                batch.close_all();
                break;
            }
            let mut wave = batch.lanes.wave();
            if wave.is_empty() {
                break;
            }
            let puts: Vec<Put> = wave.iter_mut().map(|(lane, record)| record.take(*lane)).collect();
            let answers = batch.budget.each(puts, async |puts: &[Put]| self.plain.put(puts).await).await;
            let now = self.clock.now();
            for ((lane, record), answer) in wave.into_iter().zip(answers) {
                match answer {
                    Ok(()) => batch.put(lane, &record, now, counters),
                    Err(fault) => {
                        counters.fault("plain stream", &fault);
                        batch.close(lane, record);
                    }
                }
            }
        }
        self.move_to_quarantine(batch, counters).await;
    }

    async fn move_to_quarantine(&self, batch: &mut Batch<'_>, counters: &mut Counters) {
        batch.body_bytes = 0;
        // Of a record all messages or none count as sent: those of one that comes again are made again.
        let mut sent: BTreeMap<usize, Result<(), Fault>> = BTreeMap::new();
        let bodies = std::mem::take(&mut batch.bodies);
        for part in chunks(bodies, MESSAGES, MESSAGES_BYTES, |(_, body)| body.len()) {
            let (indexes, bodies): (Vec<usize>, Vec<String>) = part.into_iter().unzip();
            let answers = if batch.budget.left().is_zero() {
                vec![Err(Fault::Retryable("no time left".to_owned())); bodies.len()]
            } else {
                batch.budget.each(bodies, async |bodies: &[String]| self.quarantine.send(bodies).await).await
            };
            for (index, answer) in indexes.into_iter().zip(answers) {
                let all = sent.entry(index).or_insert(Ok(()));
                if all.is_ok() {
                    *all = answer;
                }
            }
        }
        for (index, answer) in sent {
            match answer {
                Ok(()) => {
                    counters.quarantined += 1;
                    if let Some(progress) = batch.progress.get_mut(index) {
                        progress.quarantined = true;
                    }
                }
                Err(fault) => {
                    counters.fault("quarantine", &fault);
                    batch.failed.insert(index);
                }
            }
        }
    }

    /// Hands the newest control record on to every shard, behind the batch's rows. Only when all of them are there: it says that
    /// nothing older will come. One that is lost is followed by the next, so it fails no batch.
    async fn hand_on(&self, batch: &Batch<'_>, counters: &mut Counters) {
        let in_time = !batch.budget.left().is_zero();
        let Some(time) = batch.control.filter(|_| in_time && batch.failed.is_empty()) else { return };
        let text = json!({"weir": "heartbeat", "timestamp": Timestamp::from_nanos(time).to_string()}).to_string();
        let answers = match batch.budget.one(async || self.plain.open_shards().await).await {
            Ok(_) if batch.budget.left().is_zero() => vec![Err(Fault::Retryable("no time left".to_owned()))],
            Ok(shards) => {
                let puts: Vec<Put> = shards.into_iter().map(control(&text)).collect();
                batch.budget.each(puts, async |puts: &[Put]| self.plain.put(puts).await).await
            }
            Err(fault) => vec![Err(fault)],
        };
        for answer in answers {
            match answer {
                Ok(()) => counters.control += 1,
                Err(fault) => counters.fault("control record", &fault),
            }
        }
    }

    /// Keeps how far each record came that comes again.
    fn remember(&self, batch: &Batch<'_>) {
        let Some(lowest) = batch.failed.first() else {
            return batch.origins.iter().for_each(|origin| self.memory.forget(&origin.shard_id));
        };
        for (origin, progress) in batch.origins.iter().zip(&batch.progress).skip(*lowest) {
            self.memory.keep(&origin.shard_id, &origin.sequence_number, progress.clone());
        }
    }
}

impl Batch<'_> {
    fn refuse(&mut self, index: usize, entry: usize, bytes: &[u8], reason: &str, error: &str, now: Timestamp) {
        if self.progress.get(index).is_some_and(|progress| progress.quarantined) {
            return;
        }
        let Some(origin) = self.origins.get(index) else { return };
        for body in quarantine::invalid(origin, entry, bytes, reason, error, now) {
            self.body_bytes += body.len();
            self.bodies.push((index, body));
        }
    }

    /// A record of a lane is on the stream.
    fn put(&mut self, lane: Lane, record: &Record, now: Timestamp, counters: &mut Counters) {
        counters.put += 1;
        for (index, count) in &record.rows {
            counters.rows += *count as u64;
            if let Some(progress) = self.progress.get_mut(*index) {
                *progress.rows.entry(lane).or_default() += count;
            }
            if let Some(millis) = self.origins.get(*index).and_then(|origin| origin.arrival_millis) {
                counters.age(millis, now);
            }
        }
    }

    /// There is no time left: what waits comes again.
    fn close_all(&mut self) {
        for lane in self.lanes.waiting() {
            self.close(lane, Record::default());
        }
    }

    /// A record of a lane was not put: everything behind it on that lane waits for it.
    fn close(&mut self, lane: Lane, record: Record) {
        self.closed.insert(lane);
        let waiting: Vec<Record> = self.lanes.close(lane).collect();
        for record in std::iter::once(record).chain(waiting) {
            self.failed.extend(record.rows.iter().map(|(index, _)| *index));
        }
    }
}

/// A call that begins before it is over before the deadline, with the reserve left.
fn earlier(deadline: Timestamp) -> Timestamp {
    let longest = i64::try_from(ATTEMPT_TIMEOUT.as_nanos()).unwrap_or_default();
    Timestamp::from_nanos(deadline.nanos().saturating_sub(longest))
}

/// The id of a record: by its place, so that it is the same whenever it is read.
fn id(arrived: &Arrived) -> String {
    let place = format!("{}|{}|{}", arrived.arn, arrived.origin.shard_id, arrived.origin.sequence_number);
    let digest = Sha256::digest(place.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
