//! The client against the stand-in: both shapes of answers, paging, the key, and calls that go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::time::Duration;

use common::{TIMING, start};
use weir_arroyo::{
    Client, Cluster, Fault,
    api::{JobState, NewPipeline, Stop},
    status::status,
};
use weir_arroyo_stand_in::{Options, StandIn, State, Trouble, Version};

fn new(name: &str, query: &str) -> NewPipeline {
    NewPipeline {
        name: name.to_owned(),
        query: query.to_owned(),
        udfs: Vec::new(),
        parallelism: 1,
        checkpoint_interval_micros: None,
    }
}

fn version(version: Version) -> Options {
    Options { version, ..Options::default() }
}

#[tokio::test]
async fn a_pipeline_lives_and_ends() {
    let (stand_in, client) = start(Options::default()).await;
    client.ping().await.unwrap();
    let made = client.create(&new("weir/dev/rules@0123456789ab", "SELECT 1")).await.unwrap();
    while client.job(&made.id).await.unwrap().unwrap().state != JobState::Running {}
    let refused = client.delete(&made.id).await.unwrap_err();
    assert_eq!(refused.kind, Fault::Refused, "{refused}");
    client.stop(&made.id, Stop::Checkpoint).await.unwrap();
    while client.job(&made.id).await.unwrap().unwrap().state != JobState::Stopped {}
    client.delete(&made.id).await.unwrap();
    client.delete(&made.id).await.expect("deleting what is gone is no error");
    assert!(stand_in.entries().is_empty());
}

#[tokio::test]
async fn every_page_is_read() {
    let (stand_in, client) = start(Options { page: Some(10), ..Options::default() }).await;
    let made: Vec<String> = (0..31).map(|n| stand_in.seed(&format!("other {n}"), "q", 1, State::Running)).collect();
    let listed: Vec<String> = client.pipelines().await.unwrap().into_iter().map(|p| p.id).collect();
    assert_eq!(listed, made.into_iter().rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn both_versions_are_understood() {
    for shape in [Version::V015, Version::Next] {
        let (stand_in, client) = start(version(shape)).await;
        let errors = client.validate("SELECT * FROM nothing #refused", &[]).await.unwrap();
        assert!(errors[0].message.contains("table 'nothing' not found"), "{errors:?}");
        assert_eq!(errors[0].place, (shape == Version::Next).then_some((1, 15)));
        let id = stand_in.seed("weir/dev/rules@0123456789ab", "q", 1, State::Failed);
        let failure = client.job(&id).await.unwrap().unwrap().failure().unwrap();
        assert!(failure.starts_with("task panicked"), "{failure}");
        let absent = client.stop("pl_none", Stop::Checkpoint).await.unwrap_err();
        assert_eq!(absent.kind, Fault::Absent, "{shape:?}: {absent}");
    }
}

#[tokio::test]
async fn a_compiler_that_is_not_up_yet_is_no_fault_of_the_program() {
    let (stand_in, client) = start(Options::default()).await;
    assert_eq!(client.validate("SELECT f(1) #compiler-late", &[]).await.unwrap(), []);
    assert_eq!(stand_in.calls().len(), 3);
}

#[tokio::test]
async fn the_key_is_sent_and_its_refusal_says_what_to_do() {
    let stand_in = StandIn::start(Options { key: Some("k-right".to_owned()), ..Options::default() }).await;
    Client::new(stand_in.url(), Some("k-right".to_owned()), TIMING).unwrap().ping().await.unwrap();
    for key in [None, Some("k-wrong".to_owned())] {
        let error = Client::new(stand_in.url(), key.clone(), TIMING).unwrap().ping().await.unwrap_err();
        assert_eq!(error.kind, Fault::Configuration);
        assert!(error.to_string().contains("WEIR_ARROYO_KEY"), "{error}");
        assert!(!error.to_string().contains("k-wrong"), "{error}");
    }
}

#[tokio::test]
async fn what_can_be_asked_twice_is_asked_again() {
    let troubles = [
        Trouble::Lost,
        Trouble::LostAfter,
        Trouble::Unavailable,
        Trouble::Broken,
        Trouble::Slow(Duration::from_secs(2)),
    ];
    for trouble in troubles {
        let (stand_in, client) = start(Options::default()).await;
        let _id = stand_in.seed("x", "q", 1, State::Running);
        stand_in.trouble(0, trouble);
        assert_eq!(client.pipelines().await.unwrap().len(), 1, "{trouble:?}");
        assert_eq!(stand_in.calls().len(), 2, "{trouble:?}");
    }
}

#[tokio::test]
async fn retries_end() {
    let (stand_in, client) = start(Options::default()).await;
    (0..100).for_each(|call| stand_in.trouble(call, Trouble::Unavailable));
    let error = client.pipelines().await.unwrap_err();
    assert_eq!(error.kind, Fault::Retryable);
    assert!(error.to_string().contains("tried 3 times"), "{error}");
    assert_eq!(stand_in.calls().len(), 3);
}

#[tokio::test]
async fn making_is_never_tried_twice_by_itself() {
    for trouble in [Trouble::Lost, Trouble::LostAfter, Trouble::ErrorAfter, Trouble::Broken] {
        let (stand_in, client) = start(Options::default()).await;
        stand_in.trouble(0, trouble);
        let error = client.create(&new("x", "q")).await.unwrap_err();
        assert_eq!(error.kind, Fault::Retryable, "{trouble:?}: {error}");
        assert_eq!(stand_in.calls(), ["POST /pipelines"], "{trouble:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_or_not_arroyos_is_said_to_be() {
    let error = Client::new("arroyo:5115", None, TIMING).unwrap_err();
    assert_eq!(error.kind, Fault::Configuration);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Client::new(&format!("http://{closed}/api/v1/"), None, TIMING).unwrap().ping().await.unwrap_err();
    assert_eq!(error.kind, Fault::Retryable);
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(error.to_string().contains("hint: is Arroyo up"), "{error}");
}

#[tokio::test]
async fn the_status_finds_and_names_what_arroyo_only_logs() {
    let (stand_in, client) = start(Options::default()).await;
    let _id = stand_in.seed("weir/dev/rules@0123456789ab", "SELECT 1 #fails", 1, State::Running);
    while client.job("pl_0001").await.unwrap().unwrap().state != JobState::Failed {}
    let found = status(&client, "dev", 1_700_000_100_000_000).await.unwrap();
    let problems = found[0].problems.join("\n");
    assert!(problems.contains("arroyo gave it up after 2 restarts: a source task owns no open shard"), "{problems}");
    assert!(problems.contains("holds another program than its name says"), "{problems}");
    assert!(!found[0].well);
    assert!(status(&client, "prod", 0).await.unwrap().is_empty(), "another environment's are not shown");
}

#[tokio::test]
async fn the_status_names_a_task_that_a_reshard_has_left_without_a_shard() {
    let (stand_in, client) = start(Options::default()).await;
    let _id = stand_in.seed("weir/dev/rules@0123456789ab", "q", 2, State::Running);
    let shards = |ids: &[u32]| -> Vec<String> { ids.iter().map(|n| format!("shardId-{n:012}")).collect() };
    let mut one = status(&client, "dev", 0).await.unwrap().remove(0);
    let before = one.problems.clone();
    one.check_shards(&shards(&[0, 1, 2]));
    assert_eq!(one.problems, before, "each of two tasks owns one of three shards");
    one.check_shards(&shards(&[0, 1]));
    assert!(!one.well);
    let said = one.problems.last().unwrap();
    assert!(said.starts_with("of the stream's 2 open shards none falls to its task 1, and "), "{said}");
    assert!(said.ends_with("`weir apply --after-reshard`"), "{said}");
}

#[tokio::test]
async fn foreign_pipelines_are_told_apart() {
    let (stand_in, client) = start(Options::default()).await;
    for name in ["somebody's own", "weir/prod/rules@0123456789ab", "weir/dev/rules@0123456789ab"] {
        let _id = stand_in.seed(name, "q", 1, State::Running);
    }
    let cluster = Cluster::observe(&client, "dev").await.unwrap();
    assert_eq!((cluster.ours.len(), cluster.foreign.len()), (1, 2));
}
