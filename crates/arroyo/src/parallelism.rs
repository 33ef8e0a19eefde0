//! How parallel a pipeline may be on a stream: Arroyo 0.15 ends a source task that owns no open shard, and with it the job.
//!
//! A subtask owns the shards whose id hashes to it (Arroyo 0.15.0, `arroyo-connectors/src/kinesis/source.rs`, `sync_shards`).
//! One that owns none selects over an empty set of futures, which panics, and so does the pipeline after every restart.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Where a parallelism leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What was asked for.
    pub asked: u32,
    /// The largest at or below it at which each subtask owns an open shard.
    pub safe: u32,
    /// The subtasks that would own none at what was asked.
    pub idle: Vec<u32>,
}

/// The subtask that reads a shard.
#[must_use]
pub fn subtask_of(shard: &str, parallelism: u32) -> u32 {
    // Arroyo hashes with the standard library's default hasher and its fixed keys, and so does this. Its algorithm may
    // change with a release of Rust, on either side: the test against known assignments says so.
    let mut hasher = DefaultHasher::new();
    shard.hash(&mut hasher);
    let low = u32::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or_default();
    low % parallelism.max(1)
}

/// The subtasks that own none of these shards.
#[must_use]
pub fn idle_subtasks(open_shards: &[String], parallelism: u32) -> Vec<u32> {
    let owned: Vec<u32> = open_shards.iter().map(|shard| subtask_of(shard, parallelism)).collect();
    (0..parallelism).filter(|subtask| !owned.contains(subtask)).collect()
}

/// The most shards that one subtask owns. Arroyo keeps one watermark a subtask: where one reads several shards, the events of
/// a shard that lags behind the others may come too late for their windows.
#[must_use]
pub fn most_shards_of_a_task(open_shards: &[String], parallelism: u32) -> usize {
    let owned: Vec<u32> = open_shards.iter().map(|shard| subtask_of(shard, parallelism)).collect();
    (0..parallelism).map(|subtask| owned.iter().filter(|owner| **owner == subtask).count()).max().unwrap_or_default()
}

/// The largest safe parallelism at or below the one asked for; `None` when the stream has no open shard.
#[must_use]
pub fn choose(open_shards: &[String], asked: u32) -> Option<Choice> {
    let asked = asked.max(1);
    let most = asked.min(u32::try_from(open_shards.len()).unwrap_or(u32::MAX));
    let safe = (1..=most).rev().find(|p| idle_subtasks(open_shards, *p).is_empty())?;
    Some(Choice { asked, safe, idle: idle_subtasks(open_shards, asked) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("shardId-{n:012}")).collect()
    }

    fn spread(count: usize, parallelism: u32) -> Vec<usize> {
        let shards = shards(count);
        (0..parallelism).map(|t| shards.iter().filter(|s| subtask_of(s, parallelism) == t).count()).collect()
    }

    /// As Arroyo 0.15.0 was seen to spread them.
    #[test]
    fn shards_go_to_the_subtasks_that_arroyo_gives_them() {
        for (count, parallelism, expected) in [
            (2, 2, vec![2, 0]),
            (3, 2, vec![2, 1]),
            (3, 3, vec![2, 0, 1]),
            (4, 2, vec![3, 1]),
            (4, 3, vec![2, 0, 2]),
            (4, 4, vec![1, 0, 2, 1]),
        ] {
            assert_eq!(spread(count, parallelism), expected, "{count} shards at parallelism {parallelism}");
        }
        for (count, parallelism, safe) in [(6, 4, true), (8, 4, true), (8, 8, false), (16, 8, true)] {
            assert_eq!(idle_subtasks(&shards(count), parallelism).is_empty(), safe, "{count}/{parallelism}");
        }
    }

    #[test]
    fn the_fullest_subtask_is_known() {
        assert_eq!([(2, 2), (3, 2), (4, 4)].map(|(n, p)| most_shards_of_a_task(&shards(n), p)), [2, 2, 2]);
        assert_eq!(most_shards_of_a_task(&shards(1), 1), 1);
    }

    #[test]
    fn the_largest_safe_parallelism_is_chosen() {
        let safe = |count, asked| choose(&shards(count), asked).map(|choice| choice.safe);
        assert_eq!(safe(2, 2), Some(1));
        assert_eq!(safe(3, 3), Some(2));
        assert_eq!(safe(4, 4), Some(2));
        assert_eq!(safe(8, 8).unwrap(), (1..=8).rev().find(|p| idle_subtasks(&shards(8), *p).is_empty()).unwrap());
        assert_eq!(safe(1, 100), Some(1));
        assert_eq!(safe(0, 1), None);
        assert_eq!(choose(&shards(2), 2).unwrap().idle, [1]);
    }
}
