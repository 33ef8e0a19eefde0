//! For any bytes that a producer writes: nothing panics, nothing is given back to the stream, and each record ends in the store
//! or, byte for byte, in quarantine. Valid records of every kind are damaged by chance, with words that parsers trip over.
//!
//! `WEIR_FUZZ_INPUTS` sets how many records are tried, `WEIR_SEED` where the chance starts.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

#[allow(dead_code, reason = "the laws use the rest of it")]
mod sim;

use std::collections::{BTreeMap, BTreeSet};

use weir_alerter::decode::{self, Entry};
use weir_anomaly::{
    Record,
    store::{Alert, StoredAnomaly},
};

use sim::{driver::Driver, driver::Shard, judge::quarantined, records, rng::Rng, world::World};

/// Some seconds of work in a test's build.
const INPUTS: usize = 20_000;
/// Records of one world: few, so that a failure names few.
const BATCH: usize = 50;

/// Words that break parsers, clocks, periods and messages.
const WORDS: [&[u8]; 28] = [
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1e-400",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"0.30000000000000004",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"\\",
    b"\"",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[",
    b",",
    b"\xef\xbf\xbf",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    b"\"2262-04-11T23:47:16.854775807Z\"",
    b"\"1677-09-21T00:12:43.145224193\"",
    b"\"9999-12-31T23:59:59Z\"",
    b"\"dedup_seconds\":18446744073709551615",
    b"\"details\":{\"password\":[{}]},",
    b"\"record_type\":\"poison\",",
    b"\"severity\":\"critical\",",
    b"\"stage\":\"shadow\"",
];

fn seeds() -> [Vec<u8>; 6] {
    let windowed = br#"{"id":"0123456789abcdef0123456789abcdef","rule":"zscore","rule_version":"a1b2c3d4e5f6","severity":"warning","key":"pump-7/temperature","timestamp":"2026-11-23T05:00:00","window_start":"2026-11-23T04:00:00","window_end":"2026-11-23T05:00:00","value":99.5,"expected":null,"score":0.875,"details":{"n":60,"tags":{"token":"t"}},"rule_meta":{"description":"d","owner":"ops","runbook":"r","dedup_seconds":900,"stage":"active"}}"#;
    let event = br#"{"id":"fedcba9876543210fedcba9876543210","rule":"spike","rule_version":"b","severity":"critical","key":"k","timestamp":"2026-11-23 05:00:00.25","window_start":null,"window_end":null,"value":1,"expected":2,"score":1}"#;
    let poison = br#"{"record_type":"poison","record_id":"c0ffee","stream":"weir-events","reason":"not_utf8","raw":"//79","part":1,"parts":1,"arrival_time":"2026-11-23T05:00:00"}"#;
    let probe = records::probe(weir_anomaly::Timestamp::from_nanos(1_795_410_000_000_000_000), 7);
    let several = records::aggregate(&[windowed.to_vec(), poison.to_vec(), event.to_vec()]);
    [windowed.to_vec(), event.to_vec(), poison.to_vec(), probe, several, Vec::new()]
}

/// A place in the bytes and one after it.
fn range(rng: &mut Rng, length: usize) -> (usize, usize) {
    let from = rng.index(length + 1);
    (from, (from + rng.index(24)).min(length))
}

fn damage(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[rng.index(corpus.len())].clone();
    for _ in 0..rng.below(7) {
        let (from, to) = range(rng, bytes.len());
        let put: Vec<u8> = match rng.below(8) {
            0 => Vec::new(),
            1 => vec![u8::try_from(rng.below(256)).unwrap()],
            2 => (0..rng.below(30)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect(),
            3 => bytes[from..to].repeat(2),
            4 => {
                let other = &corpus[rng.index(corpus.len())];
                let (from, to) = range(rng, other.len());
                other[from..to].to_vec()
            }
            // A part of it grows past what a message, or the store, takes.
            5 if rng.one_in(200) => vec![b'"'; 1 + rng.index(400_000)],
            _ => WORDS[rng.index(WORDS.len())].to_vec(),
        };
        // In place of what is there, or beside it.
        bytes.splice(from..if rng.one_in(2) { to } else { from }, put);
    }
    // The digest of an aggregated record is right again, or nothing behind it is ever reached.
    if rng.one_in(6) { records::sign(bytes.get(4..bytes.len().saturating_sub(16)).unwrap_or_default()) } else { bytes }
}

/// What has to be found for records: ids in the store, bytes in quarantine.
#[derive(Default)]
struct Due {
    ids: BTreeSet<String>,
    raw: BTreeMap<Vec<u8>, usize>,
    /// Bytes that came in an envelope, and how they are written there: an envelope that no message could hold the fields of
    /// is itself what is found.
    poison: BTreeSet<(Vec<u8>, String)>,
}

impl Due {
    fn of(records: &[Vec<u8>]) -> Self {
        let mut due = Self::default();
        for (at, bytes) in records.iter().enumerate() {
            for entry in decode::record(&sim::driver::envelope(0, at, bytes)).entries {
                match entry {
                    Entry::Anomaly(anomaly) if anomaly.is_probe() => {}
                    Entry::Anomaly(anomaly) => {
                        due.ids.insert(anomaly.id.to_string());
                    }
                    Entry::Invalid { raw, .. } => *due.raw.entry(raw).or_default() += 1,
                    Entry::Poison(poison) => {
                        let whole = poison.parts <= 1;
                        if let (true, Ok(raw)) = (whole, poison.raw_bytes()) {
                            due.poison.insert((raw, poison.raw));
                        }
                    }
                }
            }
        }
        due
    }
}

#[test]
fn whatever_a_producer_writes_is_stored_or_in_quarantine() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let first = number("WEIR_SEED").unwrap_or(0) as u64;
    let worlds = number("WEIR_FUZZ_INPUTS").unwrap_or(INPUTS).div_ceil(BATCH) as u64;
    let corpus = seeds();
    let (mut stored, mut moved) = (0, 0);
    for seed in first..first + worlds {
        let mut rng = Rng::new(seed ^ 0xF022);
        let records: Vec<Vec<u8>> = (0..BATCH).map(|_| damage(&mut rng, &corpus)).collect();
        let due = Due::of(&records);
        let shard = Shard { records, ..Shard::default() };
        let run = std::panic::catch_unwind(|| {
            let mut driver = Driver::new(World::new(seed, 0), vec![shard], 20);
            driver.drain();
            driver.settle();
            assert_eq!(driver.given_back, 0, "a record was given back to the stream though nothing failed");
            driver
        });
        let driver = run.unwrap_or_else(|cause| {
            eprintln!("WEIR_SEED={seed} WEIR_FUZZ_INPUTS=1 repeats it");
            std::panic::resume_unwind(cause)
        });
        let world = driver.world.lock().unwrap();
        let found = quarantined(&world);
        for raw in due.raw.keys() {
            assert!(found.values().any(|bytes| bytes == raw), "seed {seed}: {:?}", String::from_utf8_lossy(raw));
        }
        for (raw, text) in &due.poison {
            let in_envelope = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text.as_str());
            // Damaged envelopes may share a record's id, by which `found` puts parts together: the messages themselves count.
            let as_it_is = world.queue.iter().any(|body| body.contains(&format!("\"raw\":\"{text}\"")));
            let arrived = as_it_is || found.values().any(|bytes| bytes == raw || in_envelope(bytes));
            assert!(arrived, "seed {seed}: {:?}", String::from_utf8_lossy(raw));
        }
        for id in &due.ids {
            // What the store gave is what the record said.
            let item = world.table.get(id).unwrap_or_else(|| panic!("seed {seed}: {id} is not stored"));
            StoredAnomaly::from_item(item).unwrap();
        }
        for (id, item) in &world.table {
            if id.starts_with("alert#") {
                Alert::from_item(item).unwrap();
            }
        }
        (stored, moved) = (stored + due.ids.len(), moved + due.raw.len() + due.poison.len());
    }
    assert!(stored > 0 && moved > 0, "the damage is of one kind only: {stored} stored, {moved} in quarantine");
}

/// The corpus is what it says: without damage, each of its records is taken for what it is.
#[test]
fn the_undamaged_records_are_valid() {
    let [windowed, event, poison, probe, several, _] = seeds();
    for valid in [windowed, event, poison, probe] {
        Record::parse(&valid).unwrap();
    }
    let entries = decode::record(&sim::driver::envelope(0, 0, &several)).entries;
    assert!(matches!(entries.as_slice(), [Entry::Anomaly(_), Entry::Poison(_), Entry::Anomaly(_)]));
}
