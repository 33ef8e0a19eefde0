//! Plays the stream and the schedule: batches to the alerter, again from the lowest failed record, sweeps each minute,
//! several invocations at once, steps interleaved by chance.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{json, value::RawValue};
use weir_alerter::{Alerter, config::Config, memory::Memory, metrics::Counters};
use weir_anomaly::{Severity, Timestamp};

use super::{ports::Ports, world::World};

/// The function's timeout.
const TIMEOUT_MILLIS: i64 = 20_000;
/// No schedule of faults lasts longer than so many steps: past it a shard is blocked.
const MAX_STEPS: usize = 200_000;

type Running = Pin<Box<dyn Future<Output = Option<Vec<String>>>>>;

struct Invocation {
    id: usize,
    shard: Option<usize>,
    from: usize,
    to: usize,
    deadline: i64,
    dead: Arc<AtomicBool>,
    future: Running,
}

#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) records: Vec<Vec<u8>>,
    /// Up to where the stream has been told that all is safe.
    pub(crate) done: usize,
    pub(crate) busy: bool,
}

pub(crate) struct Driver {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) shards: Vec<Shard>,
    storm_cap: u32,
    /// What processes remember from one invocation to the next.
    processes: [Arc<Memory>; 3],
    /// Invocations that died or were ended at their deadline.
    pub(crate) deaths: usize,
    /// Records that batches gave back to the stream.
    pub(crate) given_back: usize,
    running: Vec<Invocation>,
    next_id: usize,
    next_sweep: i64,
}

impl Driver {
    pub(crate) fn new(world: World, shards: Vec<Shard>, storm_cap: u32) -> Self {
        let next_sweep = world.millis + 60_000;
        Self {
            world: Arc::new(Mutex::new(world)),
            shards,
            storm_cap,
            processes: Default::default(),
            deaths: 0,
            given_back: 0,
            running: Vec::new(),
            next_id: 0,
            next_sweep,
        }
    }

    /// Runs until every shard is drained.
    pub(crate) fn drain(&mut self) {
        for _ in 0..MAX_STEPS {
            self.start_some();
            self.step();
            if self.running.is_empty() && self.shards.iter().all(|s| s.done == s.records.len()) {
                return;
            }
        }
        panic!("a shard is blocked");
    }

    /// Lets the clock run, without faults, until nothing is left to sweep.
    pub(crate) fn settle(&mut self) {
        self.world.lock().unwrap().fault_rate = 0;
        for _ in 0..5_000 {
            self.world.lock().unwrap().millis += 60_000;
            self.start_sweep();
            while !self.running.is_empty() {
                self.step();
            }
            if !self.world.lock().unwrap().has_pending() {
                return;
            }
        }
        panic!("the sweep does not come to an end");
    }

    fn start_some(&mut self) {
        // The schedule may call twice, and late: sweeps overlap with batches and with each other.
        let sweep = {
            let mut world = self.world.lock().unwrap();
            world.millis >= self.next_sweep || world.rng.one_in(40)
        };
        if sweep {
            self.next_sweep = self.world.lock().unwrap().millis + 60_000;
            self.start_sweep();
        }
        for index in 0..self.shards.len() {
            let mut world = self.world.lock().unwrap();
            let Some(shard) = self.shards.get_mut(index) else {
                continue;
            };
            if shard.busy {
                continue;
            }
            // At-least-once: the stream may deliver again what it was told is safe.
            if world.fault_rate > 0 && shard.done > 0 && world.rng.one_in(200) {
                shard.done -= 1 + world.rng.index(shard.done);
            }
            if shard.done == shard.records.len() || !world.rng.one_in(4) {
                continue;
            }
            let (from, size) = (shard.done, 1 + world.rng.index(20));
            let to = (from + size).min(shard.records.len());
            shard.busy = true;
            drop(world);
            self.start_batch(index, from, to);
        }
    }

    fn start_batch(&mut self, shard: usize, from: usize, to: usize) {
        let payloads: Vec<Box<RawValue>> =
            (from..to).map(|at| envelope(shard, at, self.shards[shard].records[at].as_slice())).collect();
        self.start(Some(shard), from, to, async move |alerter: Alerter, deadline| {
            let records: Vec<&RawValue> = payloads.iter().map(AsRef::as_ref).collect();
            Some(alerter.batch(&records, deadline, &mut Counters::default()).await)
        });
    }

    fn start_sweep(&mut self) {
        self.start(None, 0, 0, async move |alerter: Alerter, deadline| {
            alerter.sweep(deadline, &mut Counters::default()).await.ok().map(|()| Vec::new())
        });
    }

    fn start<F>(&mut self, shard: Option<usize>, from: usize, to: usize, work: F)
    where
        F: AsyncFnOnce(Alerter, Timestamp) -> Option<Vec<String>> + 'static,
    {
        let (id, dead) = (self.next_id, Arc::new(AtomicBool::new(false)));
        self.next_id += 1;
        let ports = Arc::new(Ports { world: Arc::clone(&self.world), invocation: id, dead: Arc::clone(&dead) });
        let deadline = self.world.lock().unwrap().millis + TIMEOUT_MILLIS;
        let alerter = Alerter {
            store: ports.clone(),
            notifier: ports.clone(),
            quarantine: ports.clone(),
            clock: ports,
            memory: self.process(),
            config: config(self.storm_cap),
        };
        self.running.push(Invocation {
            id,
            shard,
            from,
            to,
            deadline,
            dead,
            future: Box::pin(async move { work(alerter, Timestamp::from_millis(deadline).unwrap()).await }),
        });
    }

    /// The memory of a process that lives for long, or of one that has just begun.
    fn process(&self) -> Arc<Memory> {
        let at = self.world.lock().unwrap().rng.index(self.processes.len() + 1);
        self.processes.get(at).map(Arc::clone).unwrap_or_default()
    }

    fn step(&mut self) {
        if self.running.is_empty() {
            self.world.lock().unwrap().millis += 50;
            return;
        }
        let at = self.world.lock().unwrap().rng.index(self.running.len());
        let invocation = &mut self.running[at];
        let late = self.world.lock().unwrap().millis > invocation.deadline;
        let polled = if late {
            self.world.lock().unwrap().disturbed.entry(invocation.id).or_default();
            Poll::Ready(None)
        } else {
            invocation.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        let answer = match polled {
            Poll::Ready(answer) => answer,
            Poll::Pending if invocation.dead.load(Ordering::SeqCst) => None,
            Poll::Pending => return,
        };
        self.deaths += usize::from(late || invocation.dead.load(Ordering::SeqCst));
        let ended = self.running.swap_remove(at);
        let Some(shard) = ended.shard.and_then(|index| self.shards.get_mut(index)) else {
            return;
        };
        shard.busy = false;
        self.given_back += answer.as_ref().map_or(0, Vec::len);
        // The lowest failed sequence number is where the stream goes on; an error or a death repeats the batch.
        shard.done = match answer {
            Some(failed) => failed.iter().map(|seq| seq.parse::<usize>().unwrap()).min().unwrap_or(ended.to),
            None => ended.from,
        };
    }
}

fn config(storm_cap: u32) -> Config {
    Config {
        table: "table".to_owned(),
        topic: "arn:aws:sns:eu-west-1:1:topic".to_owned(),
        quarantine: "https://queue".to_owned(),
        retention_days: 90,
        severity_floor: Severity::Warning,
        dedup_seconds: 300,
        storm_cap,
        page: None,
        debug: false,
    }
}

pub(crate) fn envelope(shard: usize, at: usize, data: &[u8]) -> Box<RawValue> {
    let event = json!({
        "kinesis": {"data": STANDARD.encode(data), "sequenceNumber": at.to_string(), "approximateArrivalTimestamp": 1_795_410_000.5},
        "eventID": format!("shardId-{shard:012}:{at}"),
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:1:stream/weir-anomalies",
    });
    RawValue::from_string(event.to_string()).unwrap()
}
