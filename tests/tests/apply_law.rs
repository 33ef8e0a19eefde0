//! The law of applying, on the stand-in for Arroyo's API and on a real Arroyo: from any starting state, after any failure at any
//! call, a repeated `apply` ends in exactly the wanted pipelines, and no pack that ran is left without a copy that runs.
//!
//! The stand-in gets starting states and faults at random, and every usual start with a fault at every kind of call. A real Arroyo,
//! where `ARROYO_BIN` names one or one is on `PATH`, gets the same starts and the same faults, behind a proxy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use tokio::{sync::Semaphore, task::JoinSet};
use weir_arroyo_stand_in::{Ambush, Options, StandIn, State, Trouble, Version};
use weir_tests::arroyo::{
    Cluster, Real, binary,
    law::{HURRY, REAL, Start, Trial, What, usual_starts},
};

/// Longer than any try: all that a try still asks goes wrong.
const OUTAGE: usize = 10_000;
/// Pipelines come and go in as many trials at a time: most of a trial is waiting for Arroyo.
const REAL_TRIALS: usize = 8;
/// The same for the stand-in.
const STAND_IN_TRIALS: usize = 8;

fn any_starts() -> impl Strategy<Value = Vec<Start>> {
    let state = prop::sample::select(vec![
        State::Created,
        State::Scheduling,
        State::Running,
        State::Running,
        State::Recovering,
        State::CheckpointStopping,
        State::Stopping,
        State::Stopped,
        State::Failed,
        State::Finished,
    ]);
    let what = prop::sample::select(vec![
        What::Current(0),
        What::Current(1),
        What::Old(0),
        What::Old(1),
        What::Retired,
        What::Stranger,
        What::ByHand,
    ]);
    let one = (what, state, 1..3_u32);
    prop::collection::vec(one.prop_map(|(what, state, parallelism)| Start { what, state, parallelism }), 0..7)
}

/// Calls that go wrong, and for how many calls in a row.
fn any_troubles() -> impl Strategy<Value = Vec<(usize, usize, Trouble)>> {
    let kind = prop::sample::select(vec![
        Trouble::Lost,
        Trouble::LostAfter,
        Trouble::Unavailable,
        Trouble::ErrorAfter,
        Trouble::Broken,
    ]);
    prop::collection::vec((0..120_usize, 1..6_usize, kind), 0..5)
}

fn on_stand_in() -> Trial<'static> {
    let (timing, patience) = HURRY;
    Trial { environment: "dev", packs: 2, timing, patience, calm_after: 6 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stand_in_ends_in_what_is_wanted_from_any_start_after_any_faults(
        starts in any_starts(),
        troubles in any_troubles(),
        next in any::<bool>(),
        page in 1..12_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let held = runtime.block_on(async {
            let version = if next { Version::Next } else { Version::V015 };
            let stand_in = StandIn::start(Options { version, page: Some(page), ..Options::default() }).await;
            let arm = |faults: &mut weir_arroyo_stand_in::Faults| {
                for (at, length, trouble) in troubles {
                    (at..at + length).for_each(|call| faults.trouble(call, trouble));
                }
            };
            on_stand_in().run(&stand_in, &starts, arm).await
        });
        prop_assert!(held.is_ok(), "{}", held.unwrap_err());
    }
}

/// The faults of one start: where they begin, and how long they last.
///
/// A call that changes something is met with every fault, once (the client's own retries) and for the rest of the try. A call that
/// only looks is met once and with an outage; what the fault is then matters little, and they take turns.
fn ambushes(kinds: &[String], troubles: &[Trouble], thorough: bool) -> Vec<Ambush> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    kinds.iter().for_each(|kind| *seen.entry(kind).or_default() += 1);
    let mut all = Vec::new();
    for (turn, (kind, times)) in seen.into_iter().enumerate() {
        let mut add = |nth, length, trouble| all.push(Ambush { kind: kind.to_owned(), nth, length, trouble });
        if !kind.starts_with("GET ") {
            for trouble in troubles {
                add(0, OUTAGE, *trouble);
                if thorough {
                    add(0, 1, *trouble);
                }
            }
        } else if thorough {
            add(0, 1, troubles[turn % troubles.len()]);
            add(0, OUTAGE, troubles[(turn + 1) % troubles.len()]);
            if times > 1 {
                add(times - 1, OUTAGE, troubles[(turn + 2) % troubles.len()]);
            }
        }
    }
    all
}

#[test]
fn the_stand_in_ends_in_what_is_wanted_after_a_fault_at_every_kind_of_call() {
    let troubles = [Trouble::Lost, Trouble::LostAfter, Trouble::Unavailable, Trouble::ErrorAfter, Trouble::Broken];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failures = runtime.block_on(async {
        let (mut trials, free) = (JoinSet::new(), Arc::new(Semaphore::new(STAND_IN_TRIALS)));
        for (name, starts) in usual_starts() {
            let stand_in = StandIn::start(Options::default()).await;
            let kinds = on_stand_in().run(&stand_in, &starts, |_| {}).await.unwrap_or_else(|e| panic!("{name}: {e}"));
            for ambush in ambushes(&kinds, &troubles, true) {
                let (starts, free) = (starts.clone(), Arc::clone(&free));
                trials.spawn(async move {
                    let _turn = free.acquire().await.unwrap();
                    let stand_in = StandIn::start(Options::default()).await;
                    let trial = Trial { calm_after: 1, ..on_stand_in() };
                    let held = trial.run(&stand_in, &starts, |faults| faults.ambush(ambush.clone())).await;
                    held.err().map(|error| format!("{name}, {ambush:?}: {error}"))
                });
            }
        }
        let all = trials.join_all().await;
        println!("{} trials on the stand-in", all.len());
        all.into_iter().flatten().collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Trials on one real cluster, each in an environment of its own.
struct Trials {
    api_port: u16,
    folder: std::path::PathBuf,
    free: Semaphore,
}

impl Trials {
    async fn run(
        &self,
        name: &str,
        number: usize,
        starts: &[Start],
        ambush: Option<Ambush>,
    ) -> Result<Vec<String>, String> {
        let _turn = self.free.acquire().await.unwrap();
        let environment = format!("trial{number}");
        // Only a source that may be missing lets a pipeline fail and run later; only a generator runs in parallel.
        let fragile = starts.iter().any(|start| start.state == State::Failed);
        let real = Real::new(self.api_port, self.folder.join(&environment), fragile).await.unwrap();
        let (timing, patience) = REAL;
        let trial = Trial { environment: &environment, packs: 1, timing, patience, calm_after: 1 };
        let begun = Instant::now();
        let armed = ambush.clone();
        let held = trial.run(&real, starts, |faults| armed.into_iter().for_each(|ambush| faults.ambush(ambush))).await;
        let held = held.map_err(|error| format!("{name}, {ambush:?}: {error}"));
        let said = held.as_ref().map_or_else(|error| format!("BROKEN {error}"), |_| "held".to_owned());
        println!("[{:>3} s] {environment} {name} {ambush:?}: {said}", begun.elapsed().as_secs());
        real.clear(&environment).await.map_err(|error| format!("{name}: {error}"))?;
        held
    }
}

async fn on_real(binary: &Path, folder: &Path) -> Vec<String> {
    // The worst that a proxy can do takes as long as the client waits for an answer.
    let late = Trouble::Slow(REAL.0.create + Duration::from_secs(1));
    let worst = [Trouble::LostAfter, Trouble::Unavailable];
    let every = [Trouble::Lost, Trouble::LostAfter, Trouble::Unavailable, Trouble::ErrorAfter, Trouble::Broken];
    let environment = [
        ("ARROYO__DEFAULT_CHECKPOINT_INTERVAL", "1s".to_owned()),
        // A worker process for each pipeline, as in production: inside one process jobs that start together lose tasks.
        ("ARROYO__CONTROLLER__SCHEDULER", "process".to_owned()),
    ];
    let cluster = Cluster::start(binary, &folder.join("arroyo"), &environment).unwrap();
    let trials =
        Arc::new(Trials { api_port: cluster.api.port(), folder: folder.to_owned(), free: Semaphore::new(REAL_TRIALS) });
    // `PROGRAM` names starts, as it does programs in the other suite.
    let only = std::env::var("PROGRAM").ok();
    let asked = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|part| name.contains(part)));
    let begun = Instant::now();
    let mut number = 0;
    let mut next = || {
        number += 1;
        number
    };

    let mut learned = JoinSet::new();
    for (name, starts) in usual_starts().into_iter().filter(|(name, _)| asked(name)) {
        let (trials, number) = (Arc::clone(&trials), next());
        learned.spawn(async move { (name, starts.clone(), trials.run(name, number, &starts, None).await) });
    }
    let mut failures = Vec::new();
    let mut faulty = JoinSet::new();
    for (name, starts, kinds) in learned.join_all().await {
        let kinds = match kinds {
            Ok(kinds) => kinds,
            Err(error) => {
                failures.push(error);
                continue;
            }
        };
        let thorough = name == "old version";
        let mut all = ambushes(&kinds, if thorough { &every } else { &worst }, thorough);
        let changes: BTreeSet<&String> = kinds.iter().filter(|kind| thorough && !kind.starts_with("GET ")).collect();
        all.extend(changes.into_iter().map(|kind| Ambush { kind: kind.clone(), nth: 0, length: 1, trouble: late }));
        for ambush in all {
            let (trials, starts, number) = (Arc::clone(&trials), starts.clone(), next());
            faulty.spawn(async move { trials.run(name, number, &starts, Some(ambush)).await.err() });
        }
    }
    failures.extend(faulty.join_all().await.into_iter().flatten());
    println!("{number} trials on a real Arroyo in {} s; {} broke the law", begun.elapsed().as_secs(), failures.len());
    assert!(number > 0, "no starting state is called {only:?}");
    if !failures.is_empty() {
        failures.push(cluster.log());
    }
    failures
}

#[test]
fn a_real_arroyo_ends_in_what_is_wanted_after_a_fault_at_every_kind_of_call() {
    let Some(binary) = binary() else {
        println!("skipped: the law of applying on a real Arroyo (no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failures = runtime.block_on(on_real(&binary, folder.path()));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
