//! The laws of the gate, over many seeds. Calls fail and processes die at any call, and still every row of every record is on the plain
//! stream, every refusal in quarantine byte for byte, the rows of a key in order on one shard, and what stands there twice has
//! one id.
//!
//! `WEIR_SEEDS` sets how many seeds each law runs, `WEIR_SEED` runs one.

#![allow(
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
use weir_stream::{Declaration, plain::Unpacker};

use sim::{ARRIVAL, Driver, Rng};

const CLIMATE: &str = "envelope = \"auto\"\nkey = \"device\"\nignore = \"n = 0\"\n[fields]\n\
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
}

impl Due {
    fn of(declaration: &Declaration, shards: &[Vec<Vec<u8>>]) -> Self {
        let mut due = Self::default();
        let mut unpacker = Unpacker::new(declaration);
        for (shard, records) in shards.iter().enumerate() {
            for (at, bytes) in records.iter().enumerate() {
                let unpacked = unpacker.unpack(bytes, ARRIVAL * 1_000_000_000, "");
                for row in &unpacked.rows {
                    let key = row.key.clone().unwrap_or_else(|| format!("p{}", at % 5));
                    due.rows.entry((shard, key)).or_default().push(number(&row.line));
                }
                for (entry, (bytes, poison)) in unpacked.refused.iter().enumerate() {
                    due.refused.insert((format!("{shard}:{at}:{entry}:{}", poison.reason), bytes.clone()));
                }
            }
        }
        due
    }

    fn judge(&self, driver: &Driver) {
        let world = driver.world.lock().unwrap();
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        let mut first = Vec::new();
        let mut lane_of: BTreeMap<String, String> = BTreeMap::new();
        for put in &world.plain {
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
            let rows: usize = world.plain.iter().map(|put| put.data.split(|byte| *byte == b'\n').count()).sum();
            assert_eq!((rows, driver.given_back), (due, 0), "without a fault nothing is put twice or given back");
        }
    }
}

fn scene(seed: u64, fault_rate: u64) -> (Driver, Due) {
    let mut rng = Rng(seed ^ 0x5EED);
    let declaration = declare(CLIMATE);
    let shards: Vec<Vec<Vec<u8>>> = vec![records(&mut rng, 30)];
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
        let rows: usize = world.plain.iter().map(|put| put.data.split(|byte| *byte == b'\n').count()).sum();
        *found.entry("put twice").or_default() += rows - due.rows.values().map(Vec::len).sum::<usize>();
        *found.entry("deaths").or_default() += driver.deaths;
        *found.entry("given back").or_default() += driver.given_back;
        *found.entry("remembered").or_default() += usize::try_from(driver.skipped).unwrap();
        *found.entry("quarantined").or_default() += due.refused.len();
    }
    for kind in ["put twice", "deaths", "given back", "remembered", "quarantined"] {
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
