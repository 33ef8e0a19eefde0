//! Lanes: rows on their way to the plain stream, in order by key.
//!
//! A key belongs to one of [`LANES`] lanes, and a lane to one place of the stream's hash range, so that the rows of a key lie on
//! one shard. Rows of a lane that are put together become the lines of one record: a call then has at most one record of a
//! lane, and one that is refused and put again overtakes no row of its keys ("PutRecords … does not guarantee the ordering of
//! records", <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>). It also saves records: a
//! shard takes a thousand a second.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest as _, Sha256};

use crate::ports::Put;

/// As many as a byte tells apart: enough for an even load on the shards that a gate may have, few enough that their rows come
/// together in records.
pub const LANES: u128 = 256;

/// A record is not made larger by a further row. Far below a record's 1 MiB, so that a shard's megabyte a second is not spent
/// on one try; above the 25 KB in which puts are billed.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// The most that is put at once. Calls of a few megabytes that leave together: what begins in time ends in time.
pub const WAVE_BYTES: usize = 8 * 1024 * 1024;

/// Which lane.
pub type Lane = u8;

/// The lane of a key.
#[must_use]
pub fn lane_of(key: &str) -> Lane {
    Sha256::digest(key.as_bytes()).first().copied().unwrap_or_default()
}

/// Where on the stream a lane is: its place in the hash range, which all lanes divide evenly.
#[must_use]
pub fn hash_key(lane: Lane) -> String {
    (u128::from(lane) * (u128::MAX / LANES + 1)).to_string()
}

/// A record that is being filled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) data: Vec<u8>,
    /// The records of the batch that its rows come from, each with the number of its rows.
    pub(crate) rows: Vec<(usize, usize)>,
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Lane, VecDeque<Record>>,
    pub(crate) bytes: usize,
}

impl Lanes {
    /// Adds a row of the batch's record `index` behind the others of its lane.
    pub(crate) fn add(&mut self, lane: Lane, index: usize, line: &str) {
        let records = self.lanes.entry(lane).or_default();
        let fits = |record: &Record| record.data.len() + line.len() < MAX_RECORD_BYTES;
        if !records.back().is_some_and(fits) {
            records.push_back(Record::default());
        }
        let Some(record) = records.back_mut() else { return };
        if !record.data.is_empty() {
            record.data.push(b'\n');
        }
        record.data.extend_from_slice(line.as_bytes());
        self.bytes += line.len() + 1;
        match record.rows.last_mut() {
            Some((last, count)) if *last == index => *count += 1,
            _ => record.rows.push((index, 1)),
        }
    }

    /// The next record of each lane, of as many lanes as fit; empty when nothing waits.
    pub(crate) fn wave(&mut self) -> Vec<(Lane, Record)> {
        let mut wave = Vec::new();
        let mut bytes = 0;
        for (lane, records) in &mut self.lanes {
            bytes += records.front().map_or(0, |record| record.data.len());
            if bytes > WAVE_BYTES && !wave.is_empty() {
                break;
            }
            wave.extend(records.pop_front().map(|record| (*lane, record)));
        }
        self.lanes.retain(|_, records| !records.is_empty());
        self.bytes = self.bytes.saturating_sub(wave.iter().map(|(_, record)| record.data.len() + 1).sum());
        if self.lanes.is_empty() {
            self.bytes = 0;
        }
        wave
    }

    /// The lanes on which something waits.
    pub(crate) fn waiting(&self) -> Vec<Lane> {
        self.lanes.keys().copied().collect()
    }

    /// Takes out what waits on a lane.
    pub(crate) fn close(&mut self, lane: Lane) -> impl Iterator<Item = Record> {
        self.lanes.remove(&lane).unwrap_or_default().into_iter()
    }
}

impl Record {
    /// Its lines, on their way. The records that they come from are kept.
    pub(crate) fn take(&mut self, lane: Lane) -> Put {
        Put { hash_key: hash_key(lane), data: std::mem::take(&mut self.data).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_divide_the_range_evenly() {
        assert_eq!(hash_key(0), "0");
        assert_eq!(hash_key(128), "170141183460469231731687303715884105728", "the first of the second of two shards");
        assert_eq!(hash_key(255).parse::<u128>().unwrap() + ((1 << 120) - 1), u128::MAX);
        let mut found = std::collections::BTreeSet::new();
        (0..10_000).for_each(|n| {
            found.insert(lane_of(&n.to_string()));
        });
        assert_eq!(found.len() as u128, LANES);
    }

    #[test]
    fn a_wave_has_one_record_of_each_lane_and_loses_no_row() {
        let mut lanes = Lanes::default();
        let line = "x".repeat(MAX_RECORD_BYTES / 3);
        for index in 0..8 {
            lanes.add(1, index / 2, &line);
        }
        lanes.add(2, 7, "{}");
        let mut rows = Vec::new();
        let mut waves = 0;
        loop {
            let wave = lanes.wave();
            if wave.is_empty() {
                break;
            }
            waves += 1;
            for (lane, record) in wave {
                assert!(record.data.len() <= MAX_RECORD_BYTES);
                rows.extend(record.rows.iter().flat_map(|(index, count)| vec![(lane, *index); *count]));
            }
        }
        assert_eq!(waves, 4);
        rows.sort_unstable();
        assert_eq!(rows, [(1, 0), (1, 0), (1, 1), (1, 1), (1, 2), (1, 2), (1, 3), (1, 3), (2, 7)]);
        assert_eq!(lanes.bytes, 0);
    }

    #[test]
    fn a_wave_is_bounded_and_the_rest_follows() {
        let mut lanes = Lanes::default();
        let line = "x".repeat(MAX_RECORD_BYTES - 1);
        (0..=u8::MAX).for_each(|lane| lanes.add(lane, 0, &line));
        let waves: Vec<usize> =
            std::iter::from_fn(|| Some(lanes.wave().len()).filter(|records| *records > 0)).collect();
        assert_eq!((waves.iter().sum::<usize>(), waves.len()), (256, 8));
        assert_eq!(lanes.bytes, 0);
    }

    #[test]
    fn a_row_larger_than_a_record_has_one_of_its_own() {
        let mut lanes = Lanes::default();
        lanes.add(1, 0, "{}");
        lanes.add(1, 1, &"x".repeat(MAX_RECORD_BYTES * 3));
        lanes.add(1, 2, "{}");
        let sizes: Vec<usize> = (0..3).map(|_| lanes.wave()[0].1.data.len()).collect();
        assert_eq!(sizes, [2, MAX_RECORD_BYTES * 3, 2]);
    }
}
