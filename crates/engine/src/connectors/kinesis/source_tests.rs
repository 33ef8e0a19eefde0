//! The source against a stream in memory. Time is virtual: no test waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use md5::{Digest, Md5};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::api::Fault;
use super::clock::{Clock, virtually};
use super::fake::FakeStream;
use super::options::{SourceOptions, StartAt};
use super::source::KinesisSource;
use crate::connectors::{ConnectorError, PartitionStatus, Polled, RawRecord, Source};

const SECOND: Duration = Duration::from_secs(1);

fn options(start: StartAt) -> SourceOptions {
    SourceOptions { stream: "fake".into(), region: None, start }
}

async fn open(
    clock: &Clock,
    stream: &Arc<FakeStream>,
    start: StartAt,
    position: Option<&Value>,
) -> Result<KinesisSource, ConnectorError> {
    KinesisSource::open(stream.clone(), clock.clone(), &options(start), position).await
}

/// Polls until nothing came for two minutes: longer than any wait between attempts and than the time between listings.
async fn drain(source: &mut KinesisSource) -> Vec<RawRecord> {
    let mut records = Vec::new();
    while let Polled::Records(more) = source.poll(5, 120 * SECOND).await.unwrap() {
        records.extend(more);
    }
    records
}

fn texts(records: &[RawRecord]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.payload).into_owned()).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn earliest_reads_everything_with_arrival_time_and_partition() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(3));
        for index in 0..50 {
            stream.put_at(&format!("k{index}"), index.to_string(), 1_000 + index);
        }
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        let records = drain(&mut source).await;
        assert_eq!(sorted(texts(&records)), sorted((0..50).map(|index| index.to_string()).collect()));
        assert!(
            records.iter().all(|record| record.arrival_nanos.unwrap() / 1_000_000 >= 1_000 && record.partition < 3)
        );
        assert_eq!(source.lag_millis(), Some(0));
    });
}

#[test]
fn latest_is_the_first_start_and_stays_so_over_restarts() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(2));
        stream.put_at("a", "before", 1_000);
        let source = open(&clock, &stream, StartAt::Latest, None).await.unwrap();
        let position = source.position();
        drop(source);
        let later = chrono::Utc::now().timestamp_millis() + 1_000;
        for key in ["a", "b", "c", "d"] {
            stream.put_at(key, "while down", later);
        }
        let mut source = open(&clock, &stream, StartAt::Latest, Some(&position)).await.unwrap();
        assert_eq!(texts(&drain(&mut source).await), ["while down"; 4]);
    });
}

#[test]
fn latest_reads_a_shard_that_appears_later_from_its_beginning() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut source = open(&clock, &stream, StartAt::Latest, None).await.unwrap();
        stream.split(0);
        for index in 0..10 {
            stream.put_at(&format!("k{index}"), index.to_string(), 5);
        }
        assert_eq!(drain(&mut source).await.len(), 10);
    });
}

#[test]
fn a_restart_repeats_nothing_and_skips_nothing() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(2));
        (0..40).for_each(|index| stream.put(&format!("k{index}"), index.to_string()));
        let mut seen = Vec::new();
        let mut position = None;
        while seen.len() < 40 {
            let mut source = open(&clock, &stream, StartAt::Earliest, position.as_ref()).await.unwrap();
            if let Polled::Records(records) = source.poll(3, SECOND).await.unwrap() {
                assert!(records.len() <= 3);
                seen.extend(texts(&records));
            }
            position = Some(source.position());
        }
        assert_eq!(sorted(seen), sorted((0..40).map(|index| index.to_string()).collect()));
    });
}

#[test]
fn a_finished_parent_is_kept_finished() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.put("a", "1");
        stream.split(0);
        stream.put("a", "2");
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        assert_eq!(texts(&drain(&mut source).await), ["1", "2"]);
        assert_eq!(source.position()["shards"]["shardId-000000000000"]["finished"], json!(true));
        let position = source.position();
        let mut source = open(&clock, &stream, StartAt::Earliest, Some(&position)).await.unwrap();
        assert!(drain(&mut source).await.is_empty());
        let partitions: Vec<u32> = source.partitions().iter().map(|status| status.partition).collect();
        assert_eq!(partitions, [1, 2]);
    });
}

#[test]
fn a_shard_is_idle_when_it_was_silent_at_its_tip() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.put("a", "1");
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        assert_eq!(source.partitions(), [PartitionStatus { partition: 0, idle: false }]);
        source.poll(10, SECOND).await.unwrap();
        assert_eq!(source.partitions(), [PartitionStatus { partition: 0, idle: false }]);
        source.poll(10, 3 * SECOND).await.unwrap();
        assert_eq!(source.partitions(), [PartitionStatus { partition: 0, idle: true }]);
        stream.put("a", "2");
        source.poll(10, SECOND).await.unwrap();
        assert_eq!(source.partitions(), [PartitionStatus { partition: 0, idle: false }]);
    });
}

#[test]
fn at_the_tip_a_shard_is_read_five_times_a_second() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut source = open(&clock, &stream, StartAt::Latest, None).await.unwrap();
        source.poll(10, 10 * SECOND).await.unwrap();
        assert!((48..=52).contains(&stream.reads()), "{}", stream.reads());
    });
}

#[test]
fn nobody_reads_further_ahead_than_the_memory_allows() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(4));
        (0..2_000).for_each(|index| stream.put(&format!("k{index}"), index.to_string()));
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        clock.sleep(60 * SECOND).await;
        assert!(stream.reads() <= 10, "{}", stream.reads());
        assert_eq!(drain(&mut source).await.len(), 2_000);
    });
}

#[test]
fn an_outage_of_hours_is_waited_for() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        stream.refuse(Some(Fault::Passing("no connection".into())));
        assert!(matches!(source.poll(10, 7_200 * SECOND).await.unwrap(), Polled::Idle));
        assert!(source.counters().unwrap().report().retries > 500);
        stream.refuse(None);
        stream.put("a", "after");
        assert_eq!(texts(&drain(&mut source).await), ["after"]);
    });
}

#[test]
fn throttles_expired_iterators_and_reshards_are_counted_though_nobody_polls() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        let counters = source.counters().unwrap();
        stream.refuse(Some(Fault::Throttled("ProvisionedThroughputExceededException".into())));
        clock.sleep(10 * SECOND).await;
        let report = counters.report();
        assert!(report.throttles > 1 && report.retries >= report.throttles, "{report:?}");
        stream.refuse(None);
        clock.sleep(20 * SECOND).await;
        stream.expire_iterators();
        stream.split(0);
        stream.put("k", "1");
        assert_eq!(drain(&mut source).await.len(), 1);
        let report = counters.report();
        assert_eq!((report.expired_iterators, report.reshards, report.gaps), (1, 1, 0), "{report:?}");
    });
}

#[test]
fn a_stream_that_does_not_exist_ends_the_program_with_a_hint() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.refuse(Some(Fault::NotFound("ResourceNotFoundException: Stream fake not found".into())));
        let error = open(&clock, &stream, StartAt::Latest, None).await.err().unwrap().to_string();
        assert_eq!(
            error,
            "kinesis stream fake in memory: cannot list its shards: ResourceNotFoundException: Stream fake not found; \
             check the name, the region and the account"
        );
    });
}

#[test]
fn a_refusal_in_the_middle_ends_the_program_only_when_it_lasts() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        stream.refuse(Some(Fault::Denied("ExpiredTokenException: renewed soon".into())));
        source.poll(10, 60 * SECOND).await.unwrap();
        stream.refuse(None);
        stream.put("a", "1");
        assert_eq!(texts(&drain(&mut source).await), ["1"]);
        stream.refuse(Some(Fault::Denied("AccessDeniedException: no".into())));
        let error = source.poll(10, 3_600 * SECOND).await.unwrap_err();
        assert!(
            matches!(&error, ConnectorError::Configuration(text) if text.contains("GetShardIterator and GetRecords")),
            "{error}"
        );
    });
}

#[test]
fn a_position_that_was_trimmed_goes_on_at_the_oldest_record() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        (0..10).for_each(|index| stream.put("a", index.to_string()));
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        source.poll(2, SECOND).await.unwrap();
        let mut position = source.position();
        position["shards"]["shardId-000000000000"]["read_until_millis"] = json!(1_000);
        stream.trim(0, 6);
        let mut source = open(&clock, &stream, StartAt::Earliest, Some(&position)).await.unwrap();
        assert_eq!(texts(&drain(&mut source).await), ["6", "7", "8", "9"]);
    });
}

#[test]
fn a_position_of_a_stream_that_was_made_anew_starts_it_from_its_beginning() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.put("a", "new");
        let position = json!({"stream": "fake", "shards": {"shardId-000000000000": {"sequence_number": "17"}}});
        let mut source = open(&clock, &stream, StartAt::Latest, Some(&position)).await.unwrap();
        assert_eq!(texts(&drain(&mut source).await), ["new"]);
    });
}

#[test]
fn a_shard_that_was_removed_unread_does_not_stop_the_others() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.put("a", "1");
        let position = json!({"stream": "fake", "shards": {"shardId-000000000099": {"sequence_number": "49"}}});
        let mut source = open(&clock, &stream, StartAt::Latest, Some(&position)).await.unwrap();
        stream.put_at("a", "2", chrono::Utc::now().timestamp_millis() + 1_000);
        assert_eq!(texts(&drain(&mut source).await), ["1", "2"]);
        assert!(source.position()["shards"].get("shardId-000000000099").is_none());
    });
}

/// An aggregated record as the Kinesis Producer Library writes it.
fn aggregated(parts: &[&str]) -> Bytes {
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let mut message = field(1, b"key");
    for part in parts {
        message.extend(field(3, &[&[1 << 3, 0][..], &field(3, part.as_bytes())].concat()));
    }
    Bytes::from([&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &Md5::digest(&message)].concat())
}

#[test]
fn aggregated_records_are_taken_apart_even_across_a_restart() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.put("a", "first");
        stream.put("a", aggregated(&["p", "q", "r"]));
        stream.put("a", "last");
        for at_once in 1..6 {
            let (mut seen, mut position) = (Vec::new(), None);
            while seen.len() < 5 {
                let mut source = open(&clock, &stream, StartAt::Earliest, position.as_ref()).await.unwrap();
                if let Polled::Records(records) = source.poll(at_once, SECOND).await.unwrap() {
                    seen.extend(texts(&records));
                }
                position = Some(source.position());
            }
            assert_eq!(seen, ["first", "p", "q", "r", "last"], "{at_once} at once");
        }
    });
}

#[test]
fn a_broken_aggregated_record_is_passed_on_as_it_is() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut broken = aggregated(&["p"]).to_vec();
        broken[6] ^= 1;
        stream.put("a", broken.clone());
        let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
        assert_eq!(drain(&mut source).await[0].payload, broken);
    });
}

/// What happens to a stream and its reader.
#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Split(prop::sample::Index),
    Merge(prop::sample::Index),
    Poll(usize),
    Restart,
    ExpireIterators,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u8).prop_map(Step::Put),
        1 => any::<prop::sample::Index>().prop_map(Step::Split),
        1 => any::<prop::sample::Index>().prop_map(Step::Merge),
        4 => (1..9_usize).prop_map(Step::Poll),
        1 => Just(Step::Restart),
        1 => Just(Step::ExpireIterators),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Every record comes out exactly once and the records of a key in order.
    #[test]
    fn every_record_once_and_in_order_of_its_key(steps in prop::collection::vec(step(), 1..150), shards in 1..4_u64, seed: u64, percent in 0..40_u64) {
        let (put, seen) = virtually(async |clock| {
            let stream = Arc::new(FakeStream::new(shards).with_faults(seed, percent));
            let mut source = open(&clock, &stream, StartAt::Earliest, None).await.unwrap();
            let (mut put, mut seen) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Put(key) => {
                        let text = format!("{key}:{}", put.len());
                        stream.put(&format!("k{key}"), text.clone());
                        put.push(text);
                    }
                    Step::Split(at) => {
                        let open = stream.open_shards();
                        stream.split(open[at.index(open.len())]);
                    }
                    Step::Merge(at) => {
                        let open = stream.open_shards();
                        stream.merge(open[at.index(open.len())]);
                    }
                    Step::Poll(max) => {
                        if let Polled::Records(records) = source.poll(max, SECOND).await.unwrap() {
                            seen.extend(texts(&records));
                        }
                    }
                    Step::Restart => {
                        let position = source.position();
                        source = open(&clock, &stream, StartAt::Earliest, Some(&position)).await.unwrap();
                    }
                    Step::ExpireIterators => stream.expire_iterators(),
                }
            }
            seen.extend(texts(&drain(&mut source).await));
            (put, seen)
        });
        let by_key = |texts: &[String]| {
            let mut keys: HashMap<String, Vec<String>> = HashMap::new();
            for text in texts {
                let (key, number) = text.split_once(':').unwrap();
                keys.entry(key.to_owned()).or_default().push(number.to_owned());
            }
            keys
        };
        prop_assert_eq!(by_key(&seen), by_key(&put));
    }
}
