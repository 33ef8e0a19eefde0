//! The outside of the alerter in memory: table with a lagging index, topic, queue and clock, with faults at every call.

use std::collections::{BTreeMap, VecDeque};

use weir_alerter::ports::{Fault, Inserted, Message, Update, Updated};
use weir_anomaly::{
    Timestamp,
    store::{Attr, Item, attr},
};

use super::rng::Rng;

/// 2026-11-23T05:00:00Z.
pub(crate) const START_MILLIS: i64 = 1_795_410_000_000;

/// The store refuses anomalies of keys that begin so, as DynamoDB does with an item that breaks one of its limits.
pub(crate) const REFUSED: &str = "refused-";

/// Whether the store refuses anomalies of this key.
pub(crate) fn refuses(key: &str) -> bool {
    key.starts_with(REFUSED)
}

/// How one call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// Throttled: nothing happened.
    Throttled,
    /// It happened, and the answer was lost.
    AnswerLost,
    /// It happened for some items.
    Partial,
    /// The process dies before the call.
    DiesBefore,
    /// The process dies after the call took effect.
    DiesAfter,
}

/// One message that reached the topic.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) message: Message,
    pub(crate) invocation: usize,
    /// Whether the invocation learned of it.
    pub(crate) answered: bool,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) millis: i64,
    pub(crate) table: BTreeMap<String, Item>,
    index: BTreeMap<String, Item>,
    /// Writes that the indexes have not seen: visible from, item.
    lag: VecDeque<(i64, Item)>,
    pub(crate) topic: Vec<Published>,
    pub(crate) queue: Vec<String>,
    /// Calls fail once in so many; 0: never.
    pub(crate) fault_rate: u64,
    /// Up to when nothing answers: longer than an invocation tries.
    outage_until: i64,
    /// Invocations that met any fault.
    pub(crate) disturbed: BTreeMap<usize, Vec<Fate>>,
    /// Alerts that an invocation marked as sent and knows it.
    pub(crate) marked: Vec<(String, usize)>,
    /// When an alert was closed, and how many anomalies counted for it then.
    pub(crate) closed: BTreeMap<String, (i64, usize)>,
}

impl World {
    pub(crate) fn new(seed: u64, fault_rate: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            millis: START_MILLIS,
            table: BTreeMap::new(),
            index: BTreeMap::new(),
            lag: VecDeque::new(),
            topic: Vec::new(),
            queue: Vec::new(),
            fault_rate,
            outage_until: 0,
            disturbed: BTreeMap::new(),
            marked: Vec::new(),
            closed: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis).unwrap()
    }

    /// Decides how a call of an invocation goes, and lets time pass for it.
    pub(crate) fn fate(&mut self, invocation: usize) -> Fate {
        self.millis += 1 + i64::try_from(self.rng.below(40)).unwrap();
        if self.fault_rate == 0 {
            return Fate::Works;
        }
        if self.rng.one_in(self.fault_rate * 15) {
            self.outage_until = self.millis + 2_000 + i64::try_from(self.rng.below(30_000)).unwrap();
        }
        if self.millis < self.outage_until {
            self.disturbed.entry(invocation).or_default().push(Fate::Throttled);
            return Fate::Throttled;
        }
        if !self.rng.one_in(self.fault_rate) {
            return Fate::Works;
        }
        let fate = match self.rng.below(6) {
            0 | 1 => Fate::Throttled,
            2 => Fate::AnswerLost,
            3 => Fate::Partial,
            4 => Fate::DiesBefore,
            _ => Fate::DiesAfter,
        };
        if matches!(fate, Fate::AnswerLost) {
            self.millis += 3_000;
        }
        self.disturbed.entry(invocation).or_default().push(fate);
        fate
    }

    /// Runs a call for many items under its fate. `None`: the process is dead.
    pub(crate) fn many<T, R>(
        &mut self,
        fate: Fate,
        items: &[T],
        mut effect: impl FnMut(&mut Self, &T) -> R,
    ) -> Option<Vec<Result<R, Fault>>> {
        let throttled = || Err(Fault::Retryable("throttled".to_owned()));
        match fate {
            Fate::Works => Some(items.iter().map(|item| Ok(effect(self, item))).collect()),
            Fate::Throttled => Some(items.iter().map(|_| throttled()).collect()),
            Fate::AnswerLost => Some(
                items
                    .iter()
                    .map(|item| {
                        effect(self, item);
                        Err(Fault::Retryable("timed out".to_owned()))
                    })
                    .collect(),
            ),
            Fate::Partial => Some(
                items
                    .iter()
                    .map(|item| match self.rng.below(3) {
                        0 => throttled(),
                        1 => {
                            effect(self, item);
                            Err(Fault::Retryable("timed out".to_owned()))
                        }
                        _ => Ok(effect(self, item)),
                    })
                    .collect(),
            ),
            Fate::DiesBefore => None,
            Fate::DiesAfter => {
                // Calls for many items are several requests: some may have left.
                for item in items {
                    if !self.rng.one_in(3) {
                        effect(self, item);
                    }
                }
                None
            }
        }
    }

    pub(crate) fn insert(&mut self, item: &Item) -> Inserted {
        if self.table.contains_key(item.id()) {
            return Inserted::Duplicate;
        }
        self.write(item.clone());
        Inserted::New
    }

    pub(crate) fn update(&mut self, update: &Update) -> Updated {
        let Some(mut item) = self.table.get(&update.id).cloned() else {
            return Updated::Refused;
        };
        if update.expect.iter().any(|(name, value)| item.get(name) != Some(value)) {
            return Updated::Refused;
        }
        for (name, value) in &update.set {
            item.set(*name, value.clone());
        }
        for (name, amount) in &update.add {
            let before: i64 = item.text(name).unwrap().parse().unwrap();
            item.set(*name, Attr::int(before + amount));
        }
        for name in &update.remove {
            item.remove(name);
        }
        if item.text(attr::STATE) == Some("closed") && item.id().starts_with("alert#") {
            let counted = self.table.values().filter(|i| i.text(attr::ALERT_ID) == Some(item.id())).count();
            self.closed.entry(item.id().to_owned()).or_insert((self.millis, counted));
        }
        self.write(item);
        Updated::Done
    }

    pub(crate) fn add(&mut self, id: &str, name: &'static str, amount: i64, expires_at: i64) -> i64 {
        let mut item = self.table.get(id).cloned().unwrap_or_else(|| Item::new(id));
        let before: i64 = item.text(name).map_or(0, |text| text.parse().unwrap());
        item.set(name, Attr::int(before + amount));
        item.set(attr::EXPIRES_AT, Attr::int(expires_at));
        self.write(item);
        before + amount
    }

    pub(crate) fn raise(&mut self, id: &str, newest: &(&'static str, Attr), set: &[(&'static str, Attr)]) -> Updated {
        let mut item = self.table.get(id).cloned().unwrap_or_else(|| Item::new(id));
        if item.get(newest.0).is_some_and(|value| !value.is_before(&newest.1)) {
            return Updated::Refused;
        }
        item.set(newest.0, newest.1.clone());
        for (name, value) in set {
            item.set(*name, value.clone());
        }
        self.write(item);
        Updated::Done
    }

    /// Items of an index as it shows them now, in order of their timestamp.
    pub(crate) fn index(&mut self, partition: &str, value: &str) -> Vec<Item> {
        while self.lag.front().is_some_and(|(visible, _)| *visible <= self.millis) {
            let (_, item) = self.lag.pop_front().unwrap();
            self.index.insert(item.id().to_owned(), item);
        }
        let mut items: Vec<(&str, &Item)> = self
            .index
            .values()
            .filter(|item| item.text(partition) == Some(value))
            .filter_map(|item| Some((item.text(attr::TIMESTAMP)?, item)))
            .collect();
        items.sort_by_key(|(timestamp, item)| (*timestamp, item.id()));
        items.into_iter().map(|(_, item)| item.clone()).collect()
    }

    /// Whether anything waits for a sweep, ever.
    pub(crate) fn has_pending(&self) -> bool {
        self.table.values().any(|item| item.text(attr::RULE) == Some("#pending"))
    }

    fn write(&mut self, item: Item) {
        let after = self.lag.back().map_or(0, |(visible, _)| *visible);
        let visible = after.max(self.millis + i64::try_from(self.rng.below(800)).unwrap());
        self.lag.push_back((visible, item.clone()));
        self.table.insert(item.id().to_owned(), item);
    }
}
