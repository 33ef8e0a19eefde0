//! A world in memory: a plain stream, a queue and a clock that fail by chance, and a stream that hands batches over as AWS does.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{json, value::RawValue};
use weir_anomaly::Timestamp;
use weir_gate::{
    Gate,
    memory::Memory,
    metrics::Counters,
    ports::{Clock, Fault, PlainStream, Put, Quarantine},
};
use weir_stream::plain::Unpacker;

/// The function's timeout.
const TIMEOUT_MILLIS: i64 = 20_000;
/// No schedule of faults lasts longer than so many deliveries: past it the shard is blocked.
const MAX_DELIVERIES: usize = 10_000;
/// When every record arrived, seconds since the epoch.
pub(crate) const ARRIVAL: i64 = 1_795_410_000;

/// Open shards of the plain stream.
pub(crate) const SHARDS: usize = 2;

/// SplitMix64: small, and good enough to pick faults.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// True once in `n` times; never for 0.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }
}

/// What is there, and what becomes of calls.
pub(crate) struct World {
    pub(crate) rng: Rng,
    /// One call in so many is disturbed; 0: none.
    pub(crate) fault_rate: u64,
    pub(crate) millis: i64,
    /// How long a call takes.
    pub(crate) call_millis: i64,
    /// Up to when one shard of the plain stream takes nothing, for longer than the gate tries by itself.
    outage_until: i64,
    /// What was put, in order.
    pub(crate) plain: Vec<Put>,
    /// What was sent.
    pub(crate) queue: Vec<String>,
}

/// One invocation's view of it.
#[derive(Clone)]
struct Ports {
    world: Arc<Mutex<World>>,
    dead: Arc<AtomicBool>,
}

enum Fate {
    Passes,
    /// No item is taken.
    Throttled,
    /// Items are taken by chance.
    Partial,
    /// All are taken, and the answer is lost.
    AnswerLost,
    /// The process ends before, or after, the call took effect.
    Death(bool),
}

impl Ports {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn many<T>(
        &self,
        items: &[T],
        on_the_shard: impl Fn(&T) -> bool,
        take: impl Fn(&mut World, &T),
    ) -> Vec<Result<(), Fault>> {
        let busy = || Err(Fault::Retryable("busy".to_owned()));
        let mut answers = Vec::new();
        let mut died = false;
        {
            let mut world = self.world();
            world.millis += world.call_millis;
            let rate = world.fault_rate;
            let fate = match world.rng.one_in(rate) {
                false => Fate::Passes,
                true => match world.rng.below(7) {
                    // One at a time: an outage that is always renewed is no schedule that ends.
                    6 if world.millis >= world.outage_until => {
                        world.outage_until = world.millis + 15_000;
                        Fate::Passes
                    }
                    6 => Fate::Passes,
                    0 => Fate::Throttled,
                    1 | 2 => Fate::Partial,
                    3 => Fate::AnswerLost,
                    4 => Fate::Death(false),
                    _ => Fate::Death(true),
                },
            };
            for item in items {
                let out = world.millis < world.outage_until && on_the_shard(item);
                let (taken, told) = match fate {
                    _ if out => (false, false),
                    Fate::Passes => (true, true),
                    Fate::Throttled | Fate::Death(false) => (false, false),
                    Fate::Partial => {
                        let taken = world.rng.one_in(2);
                        (taken, taken)
                    }
                    Fate::AnswerLost | Fate::Death(true) => (true, false),
                };
                if taken {
                    take(&mut world, item);
                }
                answers.push(if told { Ok(()) } else { busy() });
            }
            died |= matches!(fate, Fate::Death(_));
        }
        if died {
            self.dead.store(true, Ordering::SeqCst);
            pending().await
        }
        answers
    }
}

#[async_trait]
impl PlainStream for Ports {
    async fn put(&self, records: &[Put]) -> Vec<Result<(), Fault>> {
        let mut keys: Vec<_> = records.iter().map(|record| &record.hash_key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), records.len(), "two records of one lane in a call: one could overtake the other");
        let on_the_shard = |record: &Put| record.hash_key.parse::<u128>().unwrap() < 1 << 127;
        self.many(records, on_the_shard, |world, record| world.plain.push(record.clone())).await
    }

    async fn open_shards(&self) -> Result<Vec<String>, Fault> {
        let answer = self.many(&[()], |()| false, |_, ()| ()).await.pop().unwrap();
        let shards: [&str; SHARDS] = ["0", "170141183460469231731687303715884105728"];
        answer.map(|()| shards.map(str::to_owned).to_vec())
    }
}

#[async_trait]
impl Quarantine for Ports {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), Fault>> {
        self.many(bodies, |_| false, |world, body| world.queue.push(body.clone())).await
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}

#[async_trait]
impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.world().millis).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.world().millis += i64::try_from(duration.as_millis()).unwrap();
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// Hands the shards of a stream over to the gate.
pub(crate) struct Driver {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) unpacker: Unpacker,
    /// Records, by shard, and up to where each shard was told that all is safe.
    pub(crate) shards: Vec<(Vec<Vec<u8>>, usize)>,
    memory: Vec<Arc<Memory>>,
    pub(crate) deaths: usize,
    pub(crate) given_back: usize,
    pub(crate) skipped: u64,
}

impl Driver {
    pub(crate) fn new(seed: u64, fault_rate: u64, unpacker: Unpacker, shards: Vec<Vec<Vec<u8>>>) -> Self {
        let world = World {
            rng: Rng(seed),
            fault_rate,
            millis: ARRIVAL * 1000,
            call_millis: 10,
            outage_until: 0,
            plain: Vec::new(),
            queue: Vec::new(),
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            unpacker,
            memory: shards.iter().map(|_| Arc::default()).collect(),
            shards: shards.into_iter().map(|records| (records, 0)).collect(),
            deaths: 0,
            given_back: 0,
            skipped: 0,
        }
    }

    /// Delivers until every shard is told that all is safe.
    pub(crate) fn drain(&mut self) {
        for _ in 0..MAX_DELIVERIES {
            let open: Vec<usize> =
                (0..self.shards.len()).filter(|at| self.shards[*at].1 < self.shards[*at].0.len()).collect();
            if open.is_empty() {
                return;
            }
            let (shard, size) = {
                let mut world = self.world.lock().unwrap();
                (open[world.rng.index(open.len())], 1 + world.rng.index(20))
            };
            self.deliver(shard, size);
        }
        panic!("a shard is blocked");
    }

    fn deliver(&mut self, shard: usize, size: usize) {
        let (records, from) = (&self.shards[shard].0, self.shards[shard].1);
        let to = (from + size).min(records.len());
        let payloads: Vec<Box<RawValue>> = (from..to).map(|at| envelope(shard, at, &records[at])).collect();
        let dead = Arc::new(AtomicBool::new(false));
        let ports = Arc::new(Ports { world: Arc::clone(&self.world), dead: Arc::clone(&dead) });
        let gate = Gate {
            unpacker: self.unpacker.clone(),
            plain: ports.clone(),
            quarantine: ports.clone(),
            clock: ports,
            memory: Arc::clone(&self.memory[shard]),
        };
        let deadline = Timestamp::from_millis(self.world.lock().unwrap().millis + TIMEOUT_MILLIS).unwrap();
        let mut counters = Counters::default();
        let failed = {
            let payloads: Vec<&RawValue> = payloads.iter().map(AsRef::as_ref).collect();
            let mut running: Pin<Box<dyn Future<Output = Vec<String>>>> =
                Box::pin(gate.batch(&payloads, deadline, &mut counters));
            match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(failed) => Some(failed),
                Poll::Pending => {
                    assert!(dead.load(Ordering::SeqCst), "nothing else keeps it waiting");
                    None
                }
            }
        };
        self.skipped += counters.skipped;
        let late = self.world.lock().unwrap().millis - deadline.millis();
        assert!(failed.is_none() || late <= 0, "it answers {late} ms after Lambda ended it");
        self.shards[shard].1 = match failed {
            // The lowest number is where the stream goes on.
            Some(failed) => {
                self.given_back += failed.len();
                failed.iter().map(|number| place(number)).min().unwrap_or(to)
            }
            None => {
                self.deaths += 1;
                self.memory[shard] = Arc::default();
                from
            }
        };
    }
}

fn number(at: usize) -> String {
    format!("49{at:054}")
}

fn place(number: &str) -> usize {
    number[2..].parse().unwrap()
}

pub(crate) fn envelope(shard: usize, at: usize, data: &[u8]) -> Box<RawValue> {
    let event = json!({
        "kinesis": {"data": STANDARD.encode(data), "sequenceNumber": number(at), "partitionKey": format!("p{}", at % 5),
            "approximateArrivalTimestamp": ARRIVAL},
        "eventID": format!("shardId-{shard:012}:{}", number(at)),
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:1:stream/climate",
    });
    RawValue::from_string(event.to_string()).unwrap()
}
