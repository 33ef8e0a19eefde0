//! The shards of a stream as a tree: parents are read to their end before their children begin, which is what keeps the
//! records of one key in order across a reshard.

use std::collections::BTreeMap;
use std::time::Duration;

use super::api::{ShardInfo, Start};
use super::clock::Clock;
use super::position::{Position, ShardPosition};
use crate::connectors::PartitionStatus;

/// A shard that was at its tip, without a record, for this long no longer holds windows open: ten polls that found nothing.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// How many listings in a row must be without a shard, or must follow its end, before that is believed: one may have been
/// on its way while the stream was resharded.
const LISTINGS_TO_BELIEVE: u8 = 2;

/// Every shard that matters: open ones, closed ones that are not read yet, and finished ones while the stream lists them.
#[derive(Debug)]
pub(super) struct Shards {
    clock: Clock,
    shards: BTreeMap<String, Shard>,
}

#[derive(Debug)]
pub(super) struct Shard {
    /// The number that its records carry.
    pub(super) partition: u32,
    pub(super) position: ShardPosition,
    parents: Vec<String>,
    stage: Stage,
    /// Listings since it was last listed.
    unlisted: u8,
    /// Listings since it was drained.
    listed_drained: u8,
    behind_millis: Option<u64>,
    /// When it last had a record, or was behind.
    quiet_since: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its parents are not finished.
    Waiting,
    /// A reader works on it.
    Reading,
    /// All handed out, but what continues it is not known yet. Until then it counts as open, or the watermark would run
    /// ahead of its children.
    Drained,
    Finished,
}

impl Shards {
    /// With what an earlier run knew.
    pub(super) fn restore(clock: Clock, position: Option<Position>) -> Self {
        let mut shards = Self { clock, shards: BTreeMap::new() };
        for (id, position) in position.unwrap_or_default().shards {
            shards.insert(ShardInfo { id, parents: Vec::new() }, position);
        }
        shards
    }

    fn insert(&mut self, info: ShardInfo, position: ShardPosition) {
        let stage = if position.finished { Stage::Finished } else { Stage::Waiting };
        let shard = Shard {
            partition: partition_of(&info.id),
            position,
            parents: info.parents,
            stage,
            unlisted: 0,
            listed_drained: 0,
            behind_millis: None,
            quiet_since: self.clock.now(),
        };
        self.shards.insert(info.id, shard);
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Shard> {
        self.shards.get_mut(id)
    }

    /// Takes in a listing of all shards. New ones start at `start_millis`, or at their beginning. Returns the shards that
    /// the stream no longer has although they were not read to their end: their records are gone.
    pub(super) fn take_listing(
        &mut self,
        listing: Vec<ShardInfo>,
        start_millis: Option<i64>,
    ) -> Vec<(String, ShardPosition)> {
        let mut lost = Vec::new();
        self.shards.retain(|id, shard| {
            let listed = listing.iter().any(|info| info.id == *id);
            shard.unlisted = if listed { 0 } else { shard.unlisted + 1 };
            let kept = shard.unlisted < LISTINGS_TO_BELIEVE;
            if !kept && !matches!(shard.stage, Stage::Finished | Stage::Drained) {
                lost.push((id.clone(), shard.position.clone()));
            }
            kept
        });
        for (id, shard) in self.shards.iter_mut().filter(|(_, shard)| shard.stage == Stage::Drained) {
            shard.listed_drained += 1;
            let continued = listing.iter().any(|info| info.parents.contains(id));
            if continued || shard.listed_drained >= LISTINGS_TO_BELIEVE {
                shard.stage = Stage::Finished;
            }
        }
        for info in listing {
            match self.shards.get_mut(&info.id) {
                Some(known) => known.parents = info.parents,
                None => self.insert(info, ShardPosition { start_millis, ..ShardPosition::default() }),
            }
        }
        lost
    }

    /// Everything of a shard was handed out. Returns false when a listing must say what continues it.
    pub(super) fn drained(&mut self, id: &str, children: Vec<ShardInfo>) -> bool {
        let known = !children.is_empty()
            && children.iter().all(|child| child.parents.iter().all(|parent| self.shards.contains_key(parent)));
        if let Some(shard) = self.shards.get_mut(id) {
            shard.stage = if known { Stage::Finished } else { Stage::Drained };
            shard.position.finished = true;
        }
        if known {
            for child in children {
                if !self.shards.contains_key(&child.id) {
                    self.insert(child, ShardPosition::default());
                }
            }
        }
        known
    }

    /// The shards whose reading can begin, with where it begins; they count as being read from now on.
    pub(super) fn start_ready(&mut self) -> Vec<(String, Start, Option<i64>)> {
        let open = |parent: &String| {
            self.shards.get(parent).is_some_and(|shard| !matches!(shard.stage, Stage::Finished | Stage::Drained))
        };
        let ready: Vec<String> = self
            .shards
            .iter()
            .filter(|(_, shard)| shard.stage == Stage::Waiting && !shard.parents.iter().any(open))
            .map(|(id, _)| id.clone())
            .collect();
        let now = self.clock.now();
        let mut started = Vec::with_capacity(ready.len());
        for id in ready {
            if let Some(shard) = self.shards.get_mut(&id) {
                shard.stage = Stage::Reading;
                shard.quiet_since = now;
                started.push((id, shard.position.start(), shard.position.read_until_millis));
            }
        }
        started
    }

    /// The reader of a shard stopped without reaching its end: it may be started again.
    pub(super) fn stopped(&mut self, id: &str) {
        if let Some(shard) = self.shards.get_mut(id).filter(|shard| shard.stage == Stage::Reading) {
            shard.stage = Stage::Waiting;
        }
    }

    /// Whether the end of a shard still waits for a listing that says what continues it.
    pub(super) fn awaits_listing(&self) -> bool {
        self.shards.values().any(|shard| shard.stage == Stage::Drained || shard.unlisted > 0)
    }

    pub(super) fn position(&self, stream: &str) -> Position {
        let shards = self.shards.iter().map(|(id, shard)| (id.clone(), shard.position.clone())).collect();
        Position { stream: stream.to_owned(), shards }
    }

    pub(super) fn partitions(&self, has_pending: impl Fn(&str) -> bool) -> Vec<PartitionStatus> {
        let now = self.clock.now();
        let open = self.shards.iter().filter(|(_, shard)| matches!(shard.stage, Stage::Reading | Stage::Drained));
        open.map(|(id, shard)| {
            let quiet = shard.behind_millis == Some(0) && now.saturating_sub(shard.quiet_since) >= IDLE_AFTER;
            PartitionStatus { partition: shard.partition, idle: quiet && !has_pending(id) }
        })
        .collect()
    }

    /// How far the shard that is furthest behind is behind.
    pub(super) fn lag_millis(&self) -> Option<u64> {
        self.shards.values().filter(|shard| shard.stage == Stage::Reading).filter_map(|shard| shard.behind_millis).max()
    }
}

impl Shard {
    /// A page was handed out to its end.
    pub(super) fn page_done(
        &mut self,
        now: Duration,
        had_records: bool,
        behind_millis: Option<u64>,
        read_until_millis: Option<i64>,
    ) {
        if had_records || behind_millis != Some(0) {
            self.quiet_since = now;
        }
        self.behind_millis = behind_millis;
        if read_until_millis.is_some() {
            self.position.read_until_millis = read_until_millis;
        }
    }
}

/// A small number that a shard has for ever: the one in its name.
pub(super) fn partition_of(id: &str) -> u32 {
    let digits = id.rsplit('-').next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| {
        // Not AWS's naming: FNV-1a of the name is as stable.
        id.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: &str, parents: &[&str]) -> ShardInfo {
        ShardInfo { id: id.into(), parents: parents.iter().map(|parent| (*parent).to_owned()).collect() }
    }

    fn started(shards: &mut Shards) -> Vec<String> {
        shards.start_ready().into_iter().map(|(id, _, _)| id).collect()
    }

    #[test]
    fn children_begin_when_every_parent_is_drained() {
        let mut shards = Shards::restore(Clock::real(), None);
        shards.take_listing(vec![info("s-0", &[]), info("s-1", &[]), info("s-2", &["s-0", "s-1"])], None);
        assert_eq!(started(&mut shards), ["s-0", "s-1"]);
        shards.drained("s-0", vec![info("s-2", &["s-0", "s-1"])]);
        assert!(started(&mut shards).is_empty());
        shards.drained("s-1", vec![info("s-2", &["s-0", "s-1"])]);
        assert_eq!(started(&mut shards), ["s-2"]);
    }

    #[test]
    fn a_parent_counts_as_open_until_its_children_are_known() {
        let mut shards = Shards::restore(Clock::real(), None);
        shards.take_listing(vec![info("s-0", &[])], None);
        started(&mut shards);
        assert!(!shards.drained("s-0", Vec::new()));
        assert_eq!(shards.partitions(|_| false), [PartitionStatus { partition: 0, idle: false }]);
        shards.take_listing(vec![info("s-0", &[]), info("s-7", &["s-0"])], None);
        assert_eq!(started(&mut shards), ["s-7"]);
        assert_eq!(shards.partitions(|_| false), [PartitionStatus { partition: 7, idle: false }]);
    }

    #[test]
    fn a_parent_that_the_stream_has_forgotten_holds_nobody_up() {
        let mut shards = Shards::restore(Clock::real(), None);
        shards.take_listing(vec![info("s-5", &["s-1"])], None);
        assert_eq!(started(&mut shards), ["s-5"]);
    }

    #[test]
    fn an_unread_shard_that_vanishes_is_reported() {
        let mut shards = Shards::restore(Clock::real(), None);
        shards.take_listing(vec![info("s-0", &[]), info("s-1", &[])], None);
        started(&mut shards);
        shards.drained("s-0", Vec::new());
        assert!(shards.take_listing(vec![info("s-2", &[])], None).is_empty());
        let lost = shards.take_listing(vec![info("s-2", &[])], None);
        assert_eq!(lost.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["s-1"]);
    }

    #[test]
    fn partitions_are_the_numbers_in_the_names() {
        assert_eq!(partition_of("shardId-000000000012"), 12);
        assert_eq!(partition_of("other"), partition_of("other"));
    }
}
