//! A simulated outside for the alerter, driven by a seed.

pub(crate) mod driver;
pub(crate) mod judge;
pub(crate) mod ports;
pub(crate) mod records;
pub(crate) mod rng;
pub(crate) mod world;

use weir_anomaly::{Anomaly, AnomalyId, RuleMeta, Severity, Stage, Timestamp, id::Identity, store::Silence};

use driver::{Driver, Shard};
use judge::Promised;
use rng::Rng;
use world::{START_MILLIS, World};

/// Makes a world, a stream with anomalies, duplicates and bad records on several shards, and what they promise.
pub(crate) fn scene(seed: u64, fault_rate: u64) -> (Driver, Promised) {
    let mut rng = Rng::new(seed ^ 0x57E1_4000);
    let mut world = World::new(seed, fault_rate);
    let now = world.now();
    let silences = vec![Silence::new("*", "quiet-*", after(now, 600), "ann", "service", now).unwrap()];
    for silence in &silences {
        world.insert(&silence.to_item());
    }
    world.millis += 2_000;

    // Spread over many periods, or all in one, which then closes for many keys at once.
    let times = if rng.one_in(3) { (START_MILLIS, 200_000) } else { (START_MILLIS - 1_200_000, 1_500_000) };
    let mut shards: Vec<Shard> = (0..1 + rng.index(3)).map(|_| Shard::default()).collect();
    let mut promised = Promised {
        // Low, so that storms happen, or high, so that many periods close at once.
        storm_cap: if seed.is_multiple_of(2) { 3 } else { 40 },
        anomalies: Vec::new(),
        bad: Vec::new(),
        newest_probe: None,
        silences,
    };
    for n in 0..20 + rng.index(80) {
        let data = if rng.one_in(8) {
            let several: Vec<_> =
                (0..1 + rng.index(4)).map(|at| record(&mut rng, n * 10 + at, times, &mut promised)).collect();
            records::aggregate(&several)
        } else {
            record(&mut rng, n * 10, times, &mut promised)
        };
        let shard = rng.index(shards.len());
        shards[shard].records.push(data);
    }
    (Driver::new(world, shards, promised.storm_cap), promised)
}

/// One record as a producer means it, and what it promises.
fn record(rng: &mut Rng, n: usize, times: (i64, u64), promised: &mut Promised) -> Vec<u8> {
    match rng.below(24) {
        0 | 1 => {
            let raw = format!("no anomaly {n}").into_bytes();
            promised.bad.push(raw.clone());
            raw
        }
        2 => {
            let (data, raw) = records::poison(rng, n);
            promised.bad.push(raw);
            data
        }
        3 => {
            let at = Timestamp::from_millis(START_MILLIS + i64::try_from(rng.below(600_000)).unwrap()).unwrap();
            promised.newest_probe = promised.newest_probe.max(Some(at));
            records::probe(at, n)
        }
        4 | 5 if !promised.anomalies.is_empty() => {
            let again: &Anomaly = &promised.anomalies[rng.index(promised.anomalies.len())];
            serde_json::to_vec(again).unwrap()
        }
        _ => {
            let anomaly = anomaly(rng, times);
            let json = serde_json::to_vec(&anomaly).unwrap();
            if world::refuses(&anomaly.key) {
                // With bytes that writing the anomaly anew would not give.
                let raw = [b" ", json.strip_suffix(b"}").unwrap(), b",\t\"unknown\": 1.50}\n"].concat();
                promised.bad.push(raw.clone());
                return raw;
            }
            promised.anomalies.push(anomaly);
            json
        }
    }
}

fn anomaly(rng: &mut Rng, (from, span): (i64, u64)) -> Anomaly {
    let (rule, severity, stage, dedup_seconds) = [
        ("zscore", Severity::Critical, Stage::Active, 300),
        ("spike", Severity::Warning, Stage::Active, 60),
        ("gentle", Severity::Info, Stage::Active, 300),
        ("trial", Severity::Critical, Stage::Shadow, 300),
    ][rng.index(4).min(rng.index(4))];
    let key = match rng.below(24) {
        0..4 => format!("quiet-{}", rng.below(12)),
        4 => format!("pümp \u{202e}\r\n\u{FFFF}'{}", rng.below(12)),
        5 => format!("{}{}", "\\\"".repeat(500), rng.below(12)),
        6 => format!("{}{}", world::REFUSED, rng.below(12)),
        _ => format!("pump-{}", rng.below(12)),
    };
    let timestamp = Timestamp::from_millis(from + i64::try_from(rng.below(span)).unwrap()).unwrap();
    Anomaly {
        id: AnomalyId::compute(rule, &key, Identity::Event { time: timestamp, event_id: "" }),
        rule: rule.to_owned(),
        rule_version: "a1b2c3d4e5f6".to_owned(),
        severity,
        key,
        timestamp,
        window_start: None,
        window_end: None,
        value: Some(1.5),
        expected: None,
        score: 0.5,
        details: serde_json::Map::new(),
        rule_meta: RuleMeta { dedup_seconds: Some(dedup_seconds), stage, ..RuleMeta::default() },
    }
}

fn after(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos() + seconds * 1_000_000_000)
}
