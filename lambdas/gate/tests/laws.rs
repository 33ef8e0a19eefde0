//! The laws of the gate, over many seeds. Calls fail and processes die at any call, and still every row of every record is on the plain
//! stream, every refusal in quarantine byte for byte, the rows of a key in order on one shard, and what stands there twice has
//! one id.
//!
//! `WEIR_SEEDS` sets how many seeds each law runs, `WEIR_SEED` runs one.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod sim;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    ops::Range,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use weir_anomaly::Timestamp;
use weir_stream::{Declaration, plain::Unpacker};

use sim::{ARRIVAL, Driver, Rng, SHARDS, World};

const CLIMATE: &str = "envelope = \"auto\"\nheartbeat = true\nkey = \"device\"\nignore = \"n = 0\"\n[fields]\n\
    device = \"text\"\nn = { type = \"integer\", required = true }\npad = \"text\"\n";

fn seeds() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("WEIR_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WEIR_SEEDS").unwrap_or(150),
    }
}

fn declare(text: &str) -> Declaration {
    Declaration::parse("climate.toml".as_ref(), text).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Records of several values, gzipped or not, some of them damaged, some with a value that fills a record of its own.
fn records(rng: &mut Rng, count: usize) -> Vec<Vec<u8>> {
    let mut next = 0;
    (0..count)
        .map(|_| {
            let mut text = String::new();
            for _ in 0..1 + rng.below(5) {
                next += 1;
                let n = if rng.one_in(10) { 0 } else { next };
                let pad = if rng.one_in(30) { "x".repeat(100_000 + rng.index(300_000)) } else { String::new() };
                let key = if rng.one_in(8) { String::new() } else { format!("\"device\":\"d{}\",", rng.below(12)) };
                let n = if rng.one_in(15) { "\"damaged\"".to_owned() } else { n.to_string() };
                text.push_str(&format!("{{{key}\"n\":{n},\"pad\":\"{pad}\"}}"));
            }
            let mut bytes = if rng.one_in(2) { gzip(text.as_bytes()) } else { text.into_bytes() };
            if rng.one_in(12) {
                let at = rng.index(bytes.len());
                bytes[at] ^= 0x55;
            }
            bytes
        })
        .collect()
}

/// What a heartbeat puts on a stream.
fn heartbeat(seconds: i64) -> Vec<u8> {
    let at = Timestamp::from_nanos((ARRIVAL + seconds) * 1_000_000_000);
    format!("{{\"weir\":\"heartbeat\",\"timestamp\":\"{at}\"}}").into_bytes()
}

/// The time of a control record as the gate hands it on.
fn control(data: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(data).unwrap();
    if !text.contains("\"weir\"") {
        return None;
    }
    let record: Value = serde_json::from_str(text).expect("a control record stands alone");
    let time = record["timestamp"].as_str().unwrap();
    assert_eq!(record, serde_json::json!({"weir": "heartbeat", "timestamp": time}));
    Some(time.parse().unwrap())
}

/// The number that tells a row from the others of its scene.
fn number(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap()["n"].as_i64().unwrap()
}

/// What has to be found of a stream.
#[derive(Default)]
struct Due {
    /// The numbers of each key's rows on each shard, in order.
    rows: BTreeMap<(usize, String), Vec<i64>>,
    /// What each record holds that is none, in order.
    refused: BTreeSet<(String, Vec<u8>)>,
    /// The time of each control record, with the numbers of the rows before it on its shard.
    control: BTreeMap<Timestamp, Vec<i64>>,
    /// The newest of each shard.
    newest: BTreeSet<Timestamp>,
}

impl Due {
    fn of(declaration: &Declaration, shards: &[Vec<Vec<u8>>]) -> Self {
        let mut due = Self::default();
        let mut unpacker = Unpacker::new(declaration);
        for (shard, records) in shards.iter().enumerate() {
            let mut before = Vec::new();
            let mut newest = None;
            for (at, bytes) in records.iter().enumerate() {
                let unpacked = unpacker.unpack(bytes, ARRIVAL * 1_000_000_000, "");
                before.extend(unpacked.rows.iter().map(|row| number(&row.line)));
                for time in unpacked.control.iter().filter_map(|control| control.time).map(Timestamp::from_nanos) {
                    assert!(due.control.insert(time, before.clone()).is_none(), "each has a time of its own");
                    newest = newest.max(Some(time));
                }
                for row in &unpacked.rows {
                    let key = row.key.clone().unwrap_or_else(|| format!("p{}", at % 5));
                    due.rows.entry((shard, key)).or_default().push(number(&row.line));
                }
                for (entry, (bytes, poison)) in unpacked.refused.iter().enumerate() {
                    due.refused.insert((format!("{shard}:{at}:{entry}:{}", poison.reason), bytes.clone()));
                }
            }
            due.newest.extend(newest);
        }
        due
    }

    fn judge(&self, driver: &Driver) {
        let world = driver.world.lock().unwrap();
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        let mut first = Vec::new();
        let mut lane_of: BTreeMap<String, String> = BTreeMap::new();
        for put in world.plain.iter().filter(|put| control(&put.data).is_none()) {
            for line in std::str::from_utf8(&put.data).unwrap().split('\n') {
                let row: Value = serde_json::from_str(line).unwrap();
                let id = row["@record"].as_str().unwrap().to_owned();
                match ids.get(&id) {
                    Some(before) => assert_eq!(before, line, "an id is one row's"),
                    None => {
                        if let Some(key) = row["device"].as_str() {
                            let lane = lane_of.entry(key.to_owned()).or_insert_with(|| put.hash_key.clone());
                            assert_eq!(*lane, put.hash_key, "a key has one lane");
                        }
                        ids.insert(id, line.to_owned());
                        first.push(line.to_owned());
                    }
                }
            }
        }
        let due: usize = self.rows.values().map(Vec::len).sum();
        assert_eq!(first.len(), due, "every row is there, and nothing else");
        // A damaged record may say a number twice: then its first place counts for both.
        let mut found: BTreeMap<i64, usize> = BTreeMap::new();
        for (at, line) in first.iter().enumerate() {
            found.entry(number(line)).or_insert(at);
        }
        for rows in self.rows.values() {
            let places: Vec<usize> = rows.iter().map(|number| found[number]).collect();
            assert!(places.is_sorted(), "the rows of a key keep their order: {places:?}");
        }
        self.judge_control(&world);
        let mut parts: BTreeMap<(String, u64), Vec<u8>> = BTreeMap::new();
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for body in &world.queue {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["stream"], "climate");
            let mut id = body["record_id"].as_str().unwrap().split(':');
            let shard: usize = id.next().unwrap().trim_start_matches("shardId-").parse().unwrap();
            let at: usize = id.next().unwrap()[2..].parse().unwrap();
            let name = format!("{shard}:{at}:{}:{}", id.next().unwrap(), body["reason"].as_str().unwrap());
            counts.insert(name.clone(), body["parts"].as_u64().unwrap());
            parts.insert(
                (name, body["part"].as_u64().unwrap()),
                STANDARD.decode(body["raw"].as_str().unwrap()).unwrap(),
            );
        }
        let quarantined: BTreeSet<(String, Vec<u8>)> = counts
            .into_iter()
            .map(|(name, count)| {
                let bytes = (1..=count).flat_map(|part| parts[&(name.clone(), part)].clone()).collect();
                (name, bytes)
            })
            .collect();
        assert!(quarantined == self.refused, "every refusal is there byte for byte, and nothing else");
        if world.fault_rate == 0 {
            let rows = rows_put(&world);
            assert_eq!(rows, due, "without a fault nothing is put twice");
            assert!(driver.given_back == 0 || world.call_millis > 10, "in time nothing is given back");
        }
    }

    /// A control record says that nothing older comes: so it comes behind all that stood before it, on every shard alike, and says
    /// nothing that the stream did not say. The newest of a shard arrives where no call fails: one that is lost is followed by
    /// the next.
    fn judge_control(&self, world: &World) {
        let mut seen: BTreeSet<i64> = BTreeSet::new();
        let mut handed_on: BTreeMap<Timestamp, BTreeSet<&str>> = BTreeMap::new();
        for put in &world.plain {
            match control(&put.data) {
                Some(time) => {
                    let before = self.control.get(&time).expect("a time that no control record of the stream has");
                    let missing = before.iter().find(|number| !seen.contains(number));
                    assert_eq!(missing, None, "{time} overtook a row");
                    handed_on.entry(time).or_default().insert(&put.hash_key);
                }
                None => seen.extend(std::str::from_utf8(&put.data).unwrap().split('\n').map(number)),
            }
        }
        for time in self.newest.iter().filter(|_| world.fault_rate == 0 && world.call_millis == 10) {
            assert_eq!(handed_on.get(time).map(BTreeSet::len), Some(SHARDS), "the newest, {time}, is on every shard");
        }
    }
}

/// Rows on the plain stream, with those that stand there twice.
fn rows_put(world: &World) -> usize {
    let rows = world.plain.iter().filter(|put| control(&put.data).is_none());
    rows.map(|put| put.data.split(|byte| *byte == b'\n').count()).sum()
}

fn scene(seed: u64, fault_rate: u64) -> (Driver, Due) {
    let mut rng = Rng(seed ^ 0x5EED);
    let declaration = declare(CLIMATE);
    let mut shards: Vec<Vec<Vec<u8>>> = vec![records(&mut rng, 30)];
    if rng.one_in(2) {
        // Numbers tell rows apart, also those of two shards.
        let second = shards[0].split_off(12 + rng.index(6));
        shards.push(second);
    }
    let mut seconds = 0;
    for shard in &mut shards {
        for at in (0..shard.len()).rev().filter(|at| at % 4 == 1).collect::<Vec<_>>() {
            // Not in the order of their places: of several in one batch the newest counts.
            seconds += 60;
            shard.insert(at, heartbeat(seconds * if seed.is_multiple_of(3) { 1 } else { -1 }));
        }
    }
    let due = Due::of(&declaration, &shards);
    (Driver::new(seed, fault_rate, Unpacker::new(&declaration), shards), due)
}

fn play_all(fault_rate: u64) {
    let (seeds, workers) = (seeds(), std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let seeds = seeds.clone();
            scope.spawn(move || {
                for seed in seeds.skip(worker).step_by(workers) {
                    let result = std::panic::catch_unwind(|| {
                        let (mut driver, due) = scene(seed, fault_rate);
                        driver.drain();
                        due.judge(&driver);
                    });
                    if let Err(cause) = result {
                        eprintln!("seed {seed} with a fault in {fault_rate} calls breaks a law: WEIR_SEED={seed}");
                        std::panic::resume_unwind(cause);
                    }
                }
            });
        }
    });
}

#[test]
fn the_laws_hold_without_faults() {
    play_all(0);
}

#[test]
fn the_laws_hold_when_calls_fail_now_and_then() {
    play_all(20);
}

#[test]
fn the_laws_hold_when_calls_fail_all_the_time() {
    play_all(3);
}

/// Laws that nothing ever tests hold for ever: each kind of trouble has to come up.
#[test]
fn the_scenes_are_worth_their_name() {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..40 {
        let (mut driver, due) = scene(seed, 4);
        driver.drain();
        let world = driver.world.lock().unwrap();
        let rows = rows_put(&world);
        *found.entry("control").or_default() += world.plain.iter().filter(|put| control(&put.data).is_some()).count();
        *found.entry("two shards").or_default() += usize::from(driver.shards.len() > 1);
        *found.entry("put twice").or_default() += rows - due.rows.values().map(Vec::len).sum::<usize>();
        *found.entry("deaths").or_default() += driver.deaths;
        *found.entry("given back").or_default() += driver.given_back;
        *found.entry("remembered").or_default() += usize::try_from(driver.skipped).unwrap();
        *found.entry("quarantined").or_default() += due.refused.len();
    }
    for kind in ["control", "two shards", "put twice", "deaths", "given back", "remembered", "quarantined"] {
        assert!(found.get(kind) >= Some(&5), "{kind} hardly ever happens: {found:?}");
    }
}

/// More than is kept in memory at once, and a record that becomes two hundred megabytes.
#[test]
fn a_batch_that_unpacks_to_much_is_put_piece_by_piece() {
    let declaration = declare(CLIMATE);
    let value = |n: usize| format!("{{\"device\":\"d{}\",\"n\":{n},\"pad\":\"{}\"}}", n % 3, "x".repeat(200_000));
    let record = |from: usize| gzip((from..from + 45).map(value).collect::<String>().as_bytes());
    let bomb = gzip(&vec![b' '; 200_000_000]);
    let shards = vec![vec![record(1), bomb, record(100), record(200), record(300)]];
    let due = Due::of(&declaration, &shards);
    assert_eq!(due.refused.len(), 1);
    let mut driver = Driver::new(1, 0, Unpacker::new(&declaration), shards);
    driver.drain();
    due.judge(&driver);
}

/// More than one invocation has the time for, on a stream that takes seconds for each call: it answers before Lambda ends it, and
/// the next one goes on from there.
#[test]
fn a_slow_stream_costs_invocations_and_no_row() {
    let declaration = declare(CLIMATE);
    let value = |n: usize| format!("{{\"device\":\"d{}\",\"n\":{n},\"pad\":\"{}\"}}", n % 3, "x".repeat(200_000));
    let record = |from: usize| gzip((from..from + 45).map(value).collect::<String>().as_bytes());
    let poison = |_: usize| vec![0xff_u8; 700_000];
    for seed in 0..3 {
        let rows = [1, 100, 200].map(record).into_iter();
        let shards = vec![rows.chain((0..12).map(poison)).collect::<Vec<_>>()];
        let due = Due::of(&declaration, &shards);
        let mut driver = Driver::new(seed, 0, Unpacker::new(&declaration), shards);
        driver.world.lock().unwrap().call_millis = 2_900;
        driver.drain();
        assert!(driver.given_back > 0, "it was never short of time");
        due.judge(&driver);
    }
}

/// Damaged bytes, on streams of every kind.
#[test]
fn any_bytes_are_put_ignored_or_in_quarantine() {
    let streams = [
        CLIMATE,
        "envelope = \"cloudwatch_logs\"\nformat = \"text\"\npattern = \"{device} {n}\"\nkey = \"device\"\n[fields]\ndevice = \"text\"\nn = \"integer\"\n",
        "envelope = [\"kpl\", \"gzip\", \"lines\"]\n[fields]\ndevice = { type = \"json\", path = \"$\" }\nn = \"integer\"\n",
        "format = \"csv\"\ncolumns = [\"device\", \"n\"]\n[fields]\ndevice = \"text\"\nn = \"integer\"\n",
    ];
    let log = r#"{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1767225600000,"message":"d1 7"},{"id":"2","timestamp":1767225600000,"message":"d1"}]}"#;
    let corpus: [Vec<u8>; 6] = [
        b"{\"device\":\"d1\",\"n\":1}{\"device\":\"d2\",\"n\":2}".to_vec(),
        gzip(b"{\"device\":\"d1\",\"n\":1}\n{\"device\":[1,{}],\"n\":2}"),
        gzip(log.as_bytes()),
        log.as_bytes().to_vec(),
        b"d1,7".to_vec(),
        gzip(br#"{"messageType":"CONTROL_MESSAGE"}"#),
    ];
    let (mut rows, mut refused) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng(seed ^ 0xF022);
        let declaration = declare(streams[rng.index(streams.len())]);
        let mut records = Vec::new();
        for _ in 0..40 {
            let mut bytes = corpus[rng.index(corpus.len())].clone();
            for _ in 0..rng.below(4) {
                let at = rng.index(bytes.len() + 1);
                let other = &corpus[rng.index(corpus.len())];
                let put: Vec<u8> = match rng.below(3) {
                    0 => Vec::new(),
                    1 => vec![u8::try_from(rng.below(256)).unwrap()],
                    _ => other[..rng.index(other.len())].to_vec(),
                };
                let to = (at + rng.index(6)).min(bytes.len());
                bytes.splice(at..to, put);
            }
            records.push(bytes);
        }
        let mut unpacker = Unpacker::new(&declaration);
        let wanted: Vec<_> = records.iter().map(|bytes| unpacker.unpack(bytes, ARRIVAL * 1_000_000_000, "")).collect();
        let (due_rows, due_refused) = wanted.iter().fold((0, 0), |(r, f), u| (r + u.rows.len(), f + u.refused.len()));
        let mut driver = Driver::new(seed, 0, Unpacker::new(&declaration), vec![records]);
        driver.drain();
        let world = driver.world.lock().unwrap();
        let put: usize = world.plain.iter().map(|put| put.data.split(|byte| *byte == b'\n').count()).sum();
        assert_eq!((put, world.queue.len(), driver.given_back), (due_rows, due_refused, 0), "seed {seed}");
        (rows, refused) = (rows + put, refused + world.queue.len());
    }
    assert!(rows > 1_000 && refused > 1_000, "the damage is of one kind only: {rows} rows, {refused} refused");
}
