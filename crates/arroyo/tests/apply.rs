//! Applying against the stand-in: the order of things, and what happens when something goes wrong. The law that repeated applying
//! ends in exactly what is wanted is in `tests/tests/apply_law.rs`, for a real Arroyo too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::time::Duration;

use common::start;
use weir_arroyo::{Applier, ArroyoError, Client, Cluster, Pack, Patience, Wanted, plan};
use weir_arroyo_stand_in::{Options, StandIn, State};

const PATIENCE: Patience = Patience {
    poll: Duration::from_millis(1),
    start: Duration::from_millis(600),
    catch_up: Duration::from_secs(5),
    stop: Duration::from_millis(150),
    settle: Duration::from_millis(30),
};

fn pack(name: &str, program: &str) -> Pack {
    Pack { name: name.to_owned(), program: program.to_owned(), udfs: Vec::new() }
}

fn wanted(packs: &[Pack]) -> Wanted {
    Wanted {
        environment: "dev".to_owned(),
        packs: packs.to_vec(),
        parallelism: 1,
        checkpoint_interval: None,
        after_reshard: false,
        events_stream: Some("weir-events".to_owned()),
    }
}

/// The name of a pack's pipeline in the environment of [`wanted`].
fn name(pack: &Pack) -> String {
    pack.pipeline_name("dev").to_string()
}

async fn apply(client: &Client, wanted: &Wanted) -> Result<bool, ArroyoError> {
    Applier { client, patience: PATIENCE, progress: &|_| {} }.apply(wanted).await
}

fn running(stand_in: &StandIn) -> Vec<String> {
    let mut names: Vec<String> = stand_in.entries().into_iter().filter(|e| e.runs()).map(|e| e.name).collect();
    names.sort();
    names
}

fn seed(stand_in: &StandIn, pack: &Pack, state: State) -> String {
    stand_in.seed(&name(pack), &pack.program, 1, state)
}

#[tokio::test]
async fn a_new_pack_is_started_and_applying_again_changes_nothing() {
    let (stand_in, client) = start(Options::default()).await;
    let wanted = wanted(&[pack("rules", "SELECT 1")]);
    assert!(apply(&client, &wanted).await.unwrap());
    assert_eq!(running(&stand_in), [name(&wanted.packs[0])]);
    let calls = stand_in.calls().len();
    assert!(!apply(&client, &wanted).await.unwrap());
    let again = stand_in.calls().split_off(calls);
    assert!(again.iter().all(|call| call.starts_with("GET ")), "{again:?}");
}

#[tokio::test]
async fn a_changed_pack_starts_beside_the_old_one_and_then_replaces_it() {
    let (stand_in, client) = start(Options::default()).await;
    let old = seed(&stand_in, &pack("rules", "SELECT 1"), State::Running);
    stand_in.guard(&["weir/dev/rules"]);
    let wanted = wanted(&[pack("rules", "SELECT 2 #backlog")]);
    assert!(apply(&client, &wanted).await.unwrap());
    assert_eq!(stand_in.violations(), Vec::<String>::new());
    assert_eq!(stand_in.entries().len(), 1, "the old one is deleted");
    assert_eq!(running(&stand_in), [name(&wanted.packs[0])]);
    let calls = stand_in.calls();
    let stopped = calls.iter().position(|call| *call == format!("PATCH /pipelines/{old}")).unwrap();
    let before = &calls[..stopped];
    assert!(before.iter().any(|call| call.ends_with("/checkpoints")), "it waits for a checkpoint");
    let looks =
        before.iter().filter(|call| call.contains("pl_0002") && call.ends_with("operator_metric_groups")).count();
    assert!(looks > 4, "it waits until the backlog is read: {looks}");
}

#[tokio::test]
async fn what_a_broken_apply_left_running_must_catch_up_before_the_old_one_ends() {
    let (stand_in, client) = start(Options::default()).await;
    let old = seed(&stand_in, &pack("rules", "SELECT 1"), State::Running);
    let wanted = wanted(&[pack("rules", "SELECT 2 #backlog")]);
    let new = seed(&stand_in, &wanted.packs[0], State::Running);
    stand_in.by_hand(&new, |entry| entry.checkpoints = 0);
    stand_in.guard(&["weir/dev/rules"]);
    assert!(apply(&client, &wanted).await.unwrap());
    let calls = stand_in.calls();
    let stopped = calls.iter().position(|call| *call == format!("PATCH /pipelines/{old}")).unwrap();
    let looks = calls[..stopped].iter().filter(|call| call.contains(&new));
    assert!(looks.clone().any(|call| call.ends_with("/checkpoints")), "{calls:?}");
    assert!(looks.filter(|call| call.ends_with("operator_metric_groups")).count() > 4, "{calls:?}");
    assert_eq!(stand_in.violations(), Vec::<String>::new());
    assert_eq!(stand_in.entries().len(), 1);
}

#[tokio::test]
async fn what_a_broken_apply_left_starting_is_waited_for() {
    let (stand_in, client) = start(Options::default()).await;
    let current = wanted(&[pack("rules", "SELECT 1")]);
    let id = seed(&stand_in, &current.packs[0], State::Created);
    let planned = plan(&current, &Cluster::observe(&client, "dev").await.unwrap());
    let drift = &planned.packs[0].drift[0];
    assert!(drift.starts_with(&format!("{id} does not run yet: it is ")), "{drift}");
    stand_in.by_hand(&id, |entry| entry.state = State::Created);
    assert!(apply(&client, &current).await.unwrap());
    assert_eq!(running(&stand_in), [name(&current.packs[0])]);

    // One that never comes up is not passed over.
    let stuck = wanted(&[pack("rules", "SELECT 1 #stuck ")]);
    let (stand_in, client) = start(Options::default()).await;
    seed(&stand_in, &stuck.packs[0], State::Created);
    let error = apply(&client, &stuck).await.unwrap_err();
    assert!(error.to_string().contains("it is still Scheduling"), "{error}");
}

#[tokio::test]
async fn a_new_version_that_does_not_come_up_is_deleted_and_the_old_one_runs_on() {
    for (program, said) in [
        ("SELECT 2 #fails", "owns no open shard"),
        ("SELECT 2 #stuck ", "it is still Scheduling"),
        ("SELECT 2 #no-checkpoint", "no checkpoint was whole"),
        ("SELECT 2 #refused", "table 'nothing' not found"),
    ] {
        let (stand_in, client) = start(Options::default()).await;
        let old = pack("rules", "SELECT 1");
        let id = seed(&stand_in, &old, State::Running);
        stand_in.guard(&["weir/dev/rules"]);
        let error = apply(&client, &wanted(&[pack("rules", program)])).await.unwrap_err();
        let text = error.to_string();
        if program.contains("#fails") {
            assert!(text.contains("is_terminated") || text.contains("again and again"), "{text}");
        } else {
            assert!(text.contains(said), "{text}");
        }
        assert!(text.contains("still run"), "it says how things stand: {text}");
        assert_eq!(running(&stand_in), [name(&old)], "{program}");
        assert_eq!(stand_in.entries().iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
        assert_eq!(stand_in.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_is_put_right() {
    let (stand_in, client) = start(Options::default()).await;
    let mut wanted = wanted(&[pack("rules", "SELECT 1")]);
    wanted.checkpoint_interval = Some(Duration::from_secs(10));
    let id = seed(&stand_in, &wanted.packs[0], State::Running);
    let settled = |stand_in: &StandIn| {
        let all = stand_in.entries();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].id.clone(), all[0].parallelism, all[0].interval), (id.clone(), 1, 10_000_000));
        assert!(all[0].runs(), "{:?}", all[0]);
    };
    stand_in.by_hand(&id, |entry| (entry.stop, entry.state) = ("checkpoint".to_owned(), State::Stopped));
    assert!(apply(&client, &wanted).await.unwrap());
    settled(&stand_in);
    stand_in.by_hand(&id, |entry| (entry.parallelism, entry.interval) = (4, 1_000_000));
    assert!(apply(&client, &wanted).await.unwrap());
    settled(&stand_in);
    stand_in.by_hand(&id, |entry| (entry.state, entry.failure) = (State::Failed, Some("task panicked".to_owned())));
    assert!(apply(&client, &wanted).await.unwrap());
    settled(&stand_in);
}

#[tokio::test]
async fn a_program_under_a_name_that_is_not_its_own_is_replaced() {
    let (stand_in, client) = start(Options::default()).await;
    let wanted = wanted(&[pack("rules", "SELECT 1")]);
    let _id = stand_in.seed(&name(&wanted.packs[0]), "SELECT 'by hand'", 1, State::Running);
    let cluster = Cluster::observe(&client, "dev").await.unwrap();
    assert!(plan(&wanted, &cluster).packs[0].drift[0].contains("holds another program"));
    apply(&client, &wanted).await.unwrap();
    let all = stand_in.entries();
    assert_eq!((all.len(), all[0].query.as_str()), (1, "SELECT 1"));
}

#[tokio::test]
async fn after_a_reshard_the_same_version_is_made_anew_once() {
    let (stand_in, client) = start(Options::default()).await;
    let mut wanted = wanted(&[pack("rules", "SELECT 1")]);
    let old = seed(&stand_in, &wanted.packs[0], State::Running);
    stand_in.guard(&["weir/dev/rules"]);
    wanted.after_reshard = true;
    assert!(apply(&client, &wanted).await.unwrap());
    let all = stand_in.entries();
    assert_eq!(all.len(), 1);
    assert_ne!(all[0].id, old);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn packs_that_are_no_longer_wanted_go_and_what_is_not_weirs_stays() {
    let (stand_in, client) = start(Options { page: Some(3), ..Options::default() }).await;
    for n in 0..7 {
        let _id = stand_in.seed(&format!("somebody's {n}"), "q", 1, State::Running);
    }
    let _id = stand_in.seed("weir/prod/rules@0123456789ab", "q", 1, State::Running);
    seed(&stand_in, &pack("retired", "SELECT 1 #stuck-stopping"), State::Running);
    let wanted = wanted(&[pack("rules", "SELECT 1")]);
    apply(&client, &wanted).await.unwrap();
    assert_eq!(stand_in.entries().len(), 9);
    let ended = Applier { client: &client, patience: PATIENCE, progress: &|_| {} }.destroy("dev").await.unwrap();
    assert_eq!((ended, stand_in.entries().len()), (1, 8));
}
