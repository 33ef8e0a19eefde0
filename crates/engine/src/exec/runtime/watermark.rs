//! How far event time has come in a source, shard by shard.
//!
//! The watermark of a shard is the highest value that its records gave; the source's is the lowest of the shards that are
//! not idle, and never moves back. It moves record by record and does not depend on batches: results are the same for
//! every batch size.

use std::collections::BTreeMap;

use arrow::array::{Array, TimestampNanosecondArray};
use serde::{Deserialize, Serialize};

use crate::connectors::PartitionStatus;
use crate::exec::time::{after, before};

/// The watermark of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatermarkTracker {
    current: i64,
    partitions: BTreeMap<u32, i64>,
    /// When the newest row of each shard arrived that told time, or the first that lay in the future while none did.
    #[serde(default)]
    arrivals: BTreeMap<u32, i64>,
    /// How far shards may be taken to have come whose newest row lies in the future: they hold nobody back for ever.
    #[serde(default)]
    passed: BTreeMap<u32, i64>,
    /// The shard of the row at hand, while a batch is observed: ahead of `partitions` and `arrivals`.
    #[serde(skip)]
    latest: Option<Latest>,
    #[serde(skip)]
    statuses: Vec<PartitionStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Latest {
    partition: u32,
    mark: i64,
    arrival: Option<i64>,
}

/// A watermark expression may run so far ahead of its row's event time: what lies further says nothing about time.
const MOST_AHEAD: i64 = 3_600_000_000_000;

/// What a batch said about time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The watermark before each row; `None` when no row is behind it. Rows that are not behind it may show less, unless
    /// it was asked for of every row.
    pub(crate) before: Option<Vec<i64>>,
    /// Rows that say nothing usable about time, in ascending order.
    pub(crate) without_time: Vec<u32>,
    /// Rows whose time lies too far beyond their arrival.
    pub(crate) future: u64,
    /// How far the furthest of them does.
    pub(crate) furthest: i64,
    /// The watermark at each cut.
    pub(crate) at_cuts: Vec<i64>,
}

/// The columns of a batch that tell time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times<'a> {
    pub(crate) event: &'a TimestampNanosecondArray,
    /// What each row says; the event time less `lateness` when `None`.
    pub(crate) marks: Option<&'a TimestampNanosecondArray>,
    pub(crate) lateness: i64,
    /// When records arrived, where that is known.
    pub(crate) arrival: Option<&'a TimestampNanosecondArray>,
    /// Each row's shard; all 0 when empty.
    pub(crate) partitions: &'a [u32],
    /// Rows before which the watermark is asked for, in ascending order.
    pub(crate) cuts: &'a [usize],
    /// Whether the watermark before every row is asked for, behind it or not.
    pub(crate) every: bool,
}

impl WatermarkTracker {
    pub(crate) fn new() -> Self {
        Self {
            current: i64::MIN,
            partitions: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            passed: BTreeMap::new(),
            latest: None,
            statuses: Vec::new(),
        }
    }

    pub(crate) fn watermark(&self) -> i64 {
        self.current
    }

    /// Takes note of the shards that are open.
    pub(crate) fn set_partitions(&mut self, statuses: Vec<PartitionStatus>) {
        if statuses == self.statuses {
            return;
        }
        if !statuses.is_empty() {
            for known in [&mut self.partitions, &mut self.arrivals, &mut self.passed] {
                known.retain(|p, _| statuses.iter().any(|s| s.partition == *p));
            }
        }
        self.statuses = statuses;
        self.raise();
    }

    /// Moves the watermark by a batch; `limit` is how far a time may lie beyond the arrival.
    pub(crate) fn observe(&mut self, times: Times<'_>, limit: Option<i64>) -> Observed {
        let mut observed = Observed::default();
        let mut cuts = times.cuts.iter().peekable();
        for row in 0..times.event.len() {
            if cuts.next_if_eq(&&row).is_some() {
                observed.at_cuts.push(self.current);
            }
            let own = self.mark_of(times.partitions.get(row).copied().unwrap_or(0));
            let before_row = own.max(self.current);
            let event = times.event.is_valid(row).then(|| times.event.value(row));
            if times.every || event.is_some_and(|t| t < before_row) {
                let before_rows = observed.before.get_or_insert_with(|| vec![i64::MIN; times.event.len()]);
                if let Some(slot) = before_rows.get_mut(row) {
                    *slot = before_row;
                }
            }
            let mark = match times.marks {
                Some(marks) => marks.is_valid(row).then(|| marks.value(row)),
                None => event.map(|t| before(t, times.lateness)),
            };
            let usable = event.zip(mark).filter(|(event, mark)| *mark <= after(*event, MOST_AHEAD));
            let Some((event, mark)) = usable else {
                observed.without_time.extend(u32::try_from(row));
                continue;
            };
            let arrival = times.arrival.and_then(|a| a.is_valid(row).then(|| a.value(row)));
            let ahead = arrival.map_or(0, |arrival| before(event, arrival).max(0));
            if let (Some(arrival), Some(limit)) = (arrival, limit.filter(|limit| ahead > *limit)) {
                observed.future += 1;
                observed.furthest = observed.furthest.max(ahead);
                self.pass_by(arrival, limit);
                continue;
            }
            // A clock that runs a little ahead must not make late what others send: time has come to the arrival, no further.
            let mark = if limit.is_some() { before(mark, ahead) } else { mark };
            self.told_time(arrival, mark);
        }
        self.settle();
        observed
    }

    /// Turns to a shard, and says how far it has come.
    fn mark_of(&mut self, partition: u32) -> i64 {
        if let Some(latest) = self.latest.filter(|l| l.partition == partition) {
            return latest.mark;
        }
        self.settle();
        let mark = self.partitions.get(&partition).copied().unwrap_or(i64::MIN);
        self.latest = Some(Latest { partition, mark, arrival: self.arrivals.get(&partition).copied() });
        mark
    }

    /// The shard at hand has a row that tells time.
    fn told_time(&mut self, arrival: Option<i64>, mark: i64) {
        let Some(latest) = &mut self.latest else { return };
        latest.arrival = arrival.or(latest.arrival);
        if !self.passed.is_empty() {
            self.passed.remove(&latest.partition);
        }
        if mark > latest.mark {
            latest.mark = mark;
            if mark > self.current {
                self.raise();
            }
        }
    }

    /// The shard at hand has a row from the future. While all of a shard's rows are such, nothing tells how far it has
    /// come but the time that passes between arrivals; a shard that never told time is waited for as long as the limit.
    fn pass_by(&mut self, arrival: i64, limit: i64) {
        let Some(latest) = &mut self.latest else { return };
        let waited = before(arrival, *latest.arrival.get_or_insert(arrival)).max(0);
        let reached = match latest.mark {
            i64::MIN if waited < limit => return,
            i64::MIN => i64::MAX,
            mark => after(mark, waited),
        };
        let slot = self.passed.entry(latest.partition).or_insert(i64::MIN);
        if reached > *slot {
            *slot = reached;
            self.raise();
        }
    }

    /// Puts the partition at hand beside the others.
    fn settle(&mut self) {
        let Some(Latest { partition, mark, arrival }) = self.latest.take() else { return };
        if mark > i64::MIN {
            self.partitions.insert(partition, mark);
        }
        if let Some(arrival) = arrival {
            self.arrivals.insert(partition, arrival);
        }
    }

    /// Lifts the source's watermark to what its shards allow.
    fn raise(&mut self) {
        // The only shard there is: nobody else holds the source back.
        if let Some(Latest { partition, mark, .. }) = self.latest
            && self.statuses.is_empty()
            && self.partitions.keys().chain(self.passed.keys()).all(|p| *p == partition)
        {
            self.current = self.current.max(mark);
            return;
        }
        if let Some(Latest { partition, mark, .. }) = self.latest.filter(|l| l.mark > i64::MIN) {
            self.partitions.insert(partition, mark);
        }
        let told = |p: u32| self.partitions.get(&p).copied().unwrap_or(i64::MIN);
        let of = |p: u32| told(p).max(self.passed.get(&p).copied().unwrap_or(i64::MIN));
        let most = self.partitions.values().copied().max();
        let reached = if self.statuses.is_empty() {
            self.partitions.keys().map(|p| of(*p)).min()
        } else {
            let waiting = self.statuses.iter().filter(|s| !s.idle).map(|s| of(s.partition)).min();
            // Nobody holds it back: everything that was sent has been read.
            waiting.or(most)
        };
        // However long a shard was passed by, time has come no further than some shard told.
        let reached = reached.zip(most).map_or(i64::MIN, |(reached, most)| reached.min(most));
        self.current = self.current.max(reached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(tracker: &mut WatermarkTracker, times: &[i64], partitions: &[u32]) -> Observed {
        let event = TimestampNanosecondArray::from(times.to_vec());
        tracker.observe(
            Times { event: &event, marks: None, lateness: 0, arrival: None, partitions, cuts: &[], every: false },
            Some(1000),
        )
    }

    #[test]
    fn never_moves_back_and_tells_what_it_was_before_each_row() {
        let mut tracker = WatermarkTracker::new();
        let observed = observe(&mut tracker, &[5, 3, 9, 8], &[]);
        assert_eq!(observed.before, Some(vec![i64::MIN, 5, i64::MIN, 9]));
        assert_eq!(tracker.watermark(), 9);
        assert_eq!(observe(&mut tracker, &[10, 11], &[]).before, None);
    }

    #[test]
    fn is_the_lowest_of_the_shards_that_are_not_idle() {
        let status = |partition, idle| PartitionStatus { partition, idle };
        let mut tracker = WatermarkTracker::new();
        tracker.set_partitions(vec![status(0, false), status(1, false)]);
        observe(&mut tracker, &[5, 6], &[0, 0]);
        assert_eq!(tracker.watermark(), i64::MIN, "shard 1 has not spoken");
        observe(&mut tracker, &[2], &[1]);
        assert_eq!(tracker.watermark(), 2);
        tracker.set_partitions(vec![status(0, false), status(1, true)]);
        assert_eq!(tracker.watermark(), 6);
        tracker.set_partitions(vec![status(0, true), status(1, true)]);
        let late = observe(&mut tracker, &[4], &[1]);
        assert_eq!((late.before, tracker.watermark()), (Some(vec![6]), 6));
        tracker.set_partitions(vec![status(1, true)]);
        assert_eq!(tracker.watermark(), 6, "shard 0 is closed");
    }

    #[test]
    fn times_beyond_their_arrival_do_not_count() {
        let mut tracker = WatermarkTracker::new();
        let event = TimestampNanosecondArray::from(vec![5000, 10]);
        let arrival = TimestampNanosecondArray::from(vec![10, 10]);
        let times = Times {
            event: &event,
            marks: None,
            lateness: 0,
            arrival: Some(&arrival),
            partitions: &[],
            cuts: &[],
            every: false,
        };
        assert_eq!(tracker.observe(times, Some(1000)).future, 1);
        assert_eq!(tracker.watermark(), 10);
    }

    #[test]
    fn rows_without_time_are_passed_over() {
        let mut tracker = WatermarkTracker::new();
        let event = TimestampNanosecondArray::from(vec![Some(1), None, Some(7)]);
        let marks = TimestampNanosecondArray::from(vec![Some(4_000_000_000_000), Some(3), Some(6)]);
        let times = Times {
            event: &event,
            marks: Some(&marks),
            lateness: 0,
            arrival: None,
            partitions: &[],
            cuts: &[1],
            every: false,
        };
        let observed = tracker.observe(times, Some(1000));
        assert_eq!((observed.without_time, observed.at_cuts), (vec![0, 1], vec![i64::MIN]));
        assert_eq!(tracker.watermark(), 6);
    }

    #[test]
    fn cuts_tell_what_a_batch_that_ended_there_would_have_told() {
        let event = TimestampNanosecondArray::from(vec![5, 3, 9, 8, 20]);
        let times = Times {
            event: &event,
            marks: None,
            lateness: 1,
            arrival: None,
            partitions: &[],
            cuts: &[1, 2, 4],
            every: false,
        };
        assert_eq!(WatermarkTracker::new().observe(times, Some(1000)).at_cuts, [4, 4, 8]);
    }

    #[test]
    fn batches_of_any_size_end_at_the_same_watermark() {
        let times = [5, 3, 9, 8, 20, 1, 19];
        let mut whole = WatermarkTracker::new();
        let all = observe(&mut whole, &times, &[]).before.unwrap();
        let mut single = WatermarkTracker::new();
        for (row, time) in times.iter().enumerate() {
            let before = observe(&mut single, &[*time], &[]).before.map_or(i64::MIN, |b| b[0]);
            assert_eq!(before, all[row]);
        }
        assert_eq!(whole, single);
    }
}
