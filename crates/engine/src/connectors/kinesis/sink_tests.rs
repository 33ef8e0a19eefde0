//! The sink against a stream in memory. Time is virtual: no test waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::api::Fault;
use super::clock::{Clock, virtually};
use super::fake::FakeStream;
use super::options::{MAX_BYTES_PER_REQUEST, SinkOptions};
use super::sink::KinesisSink;
use crate::connectors::{ConnectorError, Sink, SinkRow};

const MIB: usize = 1024 * 1024;

fn options() -> SinkOptions {
    SinkOptions {
        stream: "fake".into(),
        region: None,
        flush_interval: Duration::from_millis(1_000),
        bytes_per_batch: 4_000_000,
        records_per_batch: 500,
    }
}

fn sink(clock: &Clock, stream: &Arc<FakeStream>) -> KinesisSink {
    KinesisSink::new(stream.clone(), clock.clone(), options())
}

fn row(key: Option<&str>, payload: impl Into<Bytes>) -> SinkRow {
    SinkRow { payload: payload.into(), key: key.map(str::to_owned) }
}

fn payloads(stream: &FakeStream) -> Vec<String> {
    stream.stored().into_iter().map(|(_, data)| data).collect()
}

#[test]
fn rows_wait_for_the_flush_interval_and_not_longer() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut sink = sink(&clock, &stream);
        assert_eq!(sink.flush_due_in(), None);
        sink.write(vec![row(None, "1")]).await.unwrap();
        clock.sleep(Duration::from_millis(400)).await;
        sink.write(vec![row(None, "2")]).await.unwrap();
        assert_eq!(sink.flush_due_in(), Some(Duration::from_millis(600)));
        assert!(stream.requests().is_empty());
        clock.sleep(Duration::from_millis(700)).await;
        assert_eq!(sink.flush_due_in(), Some(Duration::ZERO));
        sink.flush().await.unwrap();
        assert_eq!(payloads(&stream), ["1", "2"]);
        assert_eq!((stream.requests().len(), sink.flush_due_in()), (1, None));
    });
}

#[test]
fn a_full_batch_leaves_at_once() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(4));
        let mut sink = sink(&clock, &stream);
        sink.write((0..1_234).map(|index| row(None, index.to_string())).collect()).await.unwrap();
        assert_eq!(stream.requests().iter().map(Vec::len).collect::<Vec<_>>(), [500, 500]);
        sink.flush().await.unwrap();
        assert_eq!(stream.stored().len(), 1_234);
    });
}

#[test]
fn a_request_stays_within_its_bytes() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(4));
        let mut sink = sink(&clock, &stream);
        sink.write((0..20).map(|_| row(None, vec![b'x'; 900_000])).collect()).await.unwrap();
        sink.flush().await.unwrap();
        for request in stream.requests() {
            assert!(
                request.iter().map(|entry| entry.data.len() + entry.partition_key.len()).sum::<usize>()
                    <= MAX_BYTES_PER_REQUEST
            );
        }
        assert_eq!(stream.stored().len(), 20);
    });
}

#[test]
fn a_row_that_is_too_large_is_set_aside_and_stops_nothing() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.limit_records(MIB);
        let mut sink = sink(&clock, &stream);
        sink.write(vec![row(Some("a"), "1"), row(Some("a"), vec![b'x'; 2 * MIB]), row(Some("a"), "2")]).await.unwrap();
        sink.flush().await.unwrap();
        assert_eq!(payloads(&stream), ["1", "2"]);
        assert_eq!(sink.counters().unwrap().report().set_aside, 1);
    });
}

#[test]
fn a_large_row_is_written_where_the_stream_takes_it() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.limit_records(10 * MIB);
        let mut sink = sink(&clock, &stream);
        sink.write(vec![row(Some("a"), "1"), row(Some("a"), vec![b'x'; 2 * MIB]), row(Some("a"), "2")]).await.unwrap();
        sink.flush().await.unwrap();
        let lengths: Vec<usize> = payloads(&stream).iter().map(String::len).collect();
        assert_eq!((lengths, sink.counters().unwrap().report().set_aside), (vec![1, 2 * MIB, 1], 0));
    });
}

#[test]
fn a_refusal_that_is_about_no_single_row_ends_the_program() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        stream.refuse(Some(Fault::Invalid("ValidationException: what is this".into())));
        let mut sink = sink(&clock, &stream);
        sink.write(vec![row(None, "1")]).await.unwrap();
        assert!(matches!(sink.flush().await, Err(ConnectorError::Configuration(_))));
        stream.refuse(None);
        sink.flush().await.unwrap();
        assert_eq!(payloads(&stream), ["1"]);
    });
}

#[test]
fn a_flush_that_is_given_up_loses_nothing() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut sink = sink(&clock, &stream);
        sink.write(vec![row(Some("a"), "1"), row(Some("a"), "2"), row(None, "3")]).await.unwrap();
        stream.hang(true);
        assert!(clock.before(clock.now() + Duration::from_secs(5), sink.flush()).await.is_none());
        stream.hang(false);
        sink.flush().await.unwrap();
        let stored: HashSet<String> = payloads(&stream).into_iter().collect();
        assert_eq!(stored, HashSet::from(["1", "2", "3"].map(str::to_owned)));
    });
}

#[test]
fn keys_that_the_service_would_refuse_still_keep_rows_together() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(1));
        let mut sink = sink(&clock, &stream);
        let long = "k".repeat(1_000);
        sink.write(vec![row(Some(&long), "1"), row(Some(&long), "2"), row(Some(""), "3")]).await.unwrap();
        sink.flush().await.unwrap();
        let keys: Vec<String> = stream.stored().into_iter().map(|(key, _)| key).collect();
        assert!(keys.iter().all(|key| (1..=256).contains(&key.len())));
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 2);
    });
}

#[test]
fn rows_without_a_key_spread_over_the_shards() {
    virtually(async |clock| {
        let stream = Arc::new(FakeStream::new(4));
        let mut sink = sink(&clock, &stream);
        sink.write((0..400).map(|index| row(None, index.to_string())).collect()).await.unwrap();
        sink.flush().await.unwrap();
        let keys: HashSet<String> = stream.stored().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 400);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Under faults of calls and of single entries every row is stored once, and the rows of a key in order.
    #[test]
    fn every_row_once_and_in_order_of_its_key(
        keys in prop::collection::vec(prop::option::of(0..6_u8), 1..200), seed: u64, percent in 0..45_u64, records in 1..30_usize, flush_every in 1..50_usize,
    ) {
        let stream = Arc::new(FakeStream::new(3).with_faults(seed, percent));
        virtually(async |clock| {
            let mut sink = KinesisSink::new(stream.clone(), clock, SinkOptions { records_per_batch: records, ..options() });
            for (index, key) in keys.iter().enumerate() {
                let key = key.map(|key| format!("k{key}"));
                sink.write(vec![row(key.as_deref(), format!("{}:{index:05}", key.clone().unwrap_or_default()))]).await.unwrap();
                if index % flush_every == 0 {
                    sink.flush().await.unwrap();
                }
            }
            sink.flush().await.unwrap();
        });
        let stored = payloads(&stream);
        prop_assert_eq!(stored.iter().collect::<HashSet<_>>().len(), keys.len());
        prop_assert_eq!(stored.len(), keys.len());
        let mut by_key: HashMap<&str, Vec<&str>> = HashMap::new();
        for (key, number) in stored.iter().filter_map(|text| text.split_once(':')).filter(|(key, _)| !key.is_empty()) {
            by_key.entry(key).or_default().push(number);
        }
        for numbers in by_key.values() {
            prop_assert!(numbers.is_sorted(), "{:?}", numbers);
        }
        for request in stream.requests() {
            prop_assert!(request.len() <= records);
            prop_assert_eq!(request.iter().map(|entry| &entry.partition_key).collect::<HashSet<_>>().len(), request.len());
        }
    }
}
