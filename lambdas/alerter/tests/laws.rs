//! The laws of the alert path, over many seeds: whatever fails or dies at whichever step, at the end every acknowledged
//! anomaly is stored once, every due alert was sent, none twice without a fault, and every bad record is in quarantine.
//!
//! `WEIR_SEEDS` sets how many seeds each law runs, `WEIR_SEED` runs one.

mod sim;

use std::ops::Range;

fn seeds() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("WEIR_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WEIR_SEEDS").unwrap_or(2_000),
    }
}

/// Runs a scene to its end and judges it; says the seed of one that breaks a law.
fn play(seed: u64, fault_rate: u64) {
    let result = std::panic::catch_unwind(|| {
        let (mut driver, promised) = sim::scene(seed, fault_rate);
        driver.drain();
        driver.settle();
        promised.judge(&driver.world.lock().unwrap());
        replay_changes_nothing(&mut driver);
        promised.judge(&driver.world.lock().unwrap());
    });
    if let Err(cause) = result {
        eprintln!("seed {seed} with a fault in {fault_rate} calls breaks a law: WEIR_SEED={seed}");
        std::panic::resume_unwind(cause);
    }
}

/// All records come once more, long afterwards: nobody hears anything.
fn replay_changes_nothing(driver: &mut sim::driver::Driver) {
    let before = driver.world.lock().unwrap().topic.len();
    for shard in &mut driver.shards {
        shard.done = 0;
    }
    driver.drain();
    driver.settle();
    let world = driver.world.lock().unwrap();
    let more: Vec<_> = world.topic.iter().skip(before).map(|p| &p.message.subject).collect();
    assert!(more.is_empty(), "a replay sent {more:?}");
}

#[test]
fn the_laws_hold_without_faults() {
    for seed in seeds() {
        play(seed, 0);
    }
}

#[test]
fn the_laws_hold_when_calls_fail_now_and_then() {
    for seed in seeds() {
        play(seed, 20);
    }
}

#[test]
fn the_laws_hold_when_calls_fail_all_the_time() {
    for seed in seeds() {
        play(seed, 4);
    }
}
