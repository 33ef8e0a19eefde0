//! What a plan says of each pack: rules, columns, state, warm-up, readers, and what was changed by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;

use std::{path::Path, time::Duration};

use common::start;
use weir_arroyo::{Action, Cluster, Pack, PackPlan, Plan, Wanted, plan};
use weir_arroyo_stand_in::{Options, StandIn, State};
use weir_rules::{Environment, Rule, compile};

/// A rule over single events.
fn limit(high: &str) -> String {
    rule("limit", &format!("SELECT series AS key, event_time, value, 1.0 AS score FROM events WHERE value > {high}"))
}

/// A rule over windows of this length, with these further columns.
fn mean(window: &str, columns: &str) -> String {
    let name = format!("mean_{}", window.replace(' ', "_"));
    rule(
        &name,
        &format!(
            "SELECT key, window, value, 1.0 AS score{columns} FROM (\n  SELECT series AS key, hop(INTERVAL '1 minute', \
             INTERVAL '{window}') AS window, avg(value) AS value, min(value) AS least, max(value) AS most\n  FROM events \
             GROUP BY series, window\n) WHERE value > 1.0"
        ),
    )
}

fn rule(name: &str, body: &str) -> String {
    format!(
        "-- name = \"{name}\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n\n{body}\n"
    )
}

/// The rules as one pack, compiled with the tables that everybody gets.
fn pack(rules: &[String]) -> Pack {
    let shared = weir_rules::Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")).unwrap();
    // A rule stands in a file of its name, which its first line says.
    let file = |text: &str| format!("{}.sql", text.split('"').nth(1).unwrap());
    let rules = rules.iter().map(|text| Rule::parse(Path::new(&file(text)), text).unwrap()).collect();
    let program = compile(&weir_rules::Pack { rules, ..shared }, &Environment::default()).unwrap().sql;
    Pack { name: "rules".to_owned(), program, udfs: Vec::new() }
}

fn wanted(pack: Pack) -> Wanted {
    Wanted {
        environment: "dev".to_owned(),
        packs: vec![pack],
        parallelism: 1,
        checkpoint_interval: None,
        after_reshard: false,
        events_stream: Some("weir-events".to_owned()),
    }
}

/// The plan against a cluster in which these packs run.
async fn planned(wanted: &Wanted, running: &[&Pack], others: impl FnOnce(&StandIn)) -> Plan {
    let (stand_in, client) = start(Options::default()).await;
    for pack in running {
        let _id = stand_in.seed(&pack.pipeline_name("dev").to_string(), &pack.program, 1, State::Running);
    }
    others(&stand_in);
    plan(wanted, &Cluster::observe(&client, "dev").await.unwrap())
}

/// The one pack's part, from one set of rules to another.
async fn change(before: &[String], after: &[String]) -> PackPlan {
    let plan = planned(&wanted(pack(after)), &[&pack(before)], |_| {}).await;
    plan.packs.into_iter().next().unwrap()
}

#[tokio::test]
async fn rules_that_come_go_and_change_are_named_with_their_columns() {
    let before = [limit("90"), mean("5 minutes", ", least"), mean("1 hour", "")];
    let changed = change(&before, &[limit("95"), mean("5 minutes", ", most"), mean("1 day", "")]).await;
    assert_eq!(changed.action, Action::Changed);
    assert_eq!(
        (&changed.rules.added[..], &changed.rules.removed[..]),
        (&["mean_1_day".to_owned()][..], &["mean_1_hour".to_owned()][..])
    );
    let names: Vec<&str> = changed.rules.changed.iter().map(|change| change.rule.as_str()).collect();
    assert_eq!(names, ["limit", "mean_5_minutes"]);
    assert!(changed.rules.changed.iter().all(|change| change.from != change.to));
    assert_eq!(
        (&changed.rules.changed[0].added_columns[..], &changed.rules.changed[0].removed_columns[..]),
        (&[][..], &[][..])
    );
    assert_eq!(changed.rules.changed[1].added_columns, ["most"]);
    assert_eq!(changed.rules.changed[1].removed_columns, ["least"]);
    assert!(!changed.rules.shared_changed);
    let same = change(&before, &before).await;
    assert_eq!((same.action, same.rules.unchanged, same.state_lost), (Action::Unchanged, 3, false));
}

#[tokio::test]
async fn state_is_lost_where_there_is_some() {
    let windowed = [limit("90"), mean("5 minutes", "")];
    for (before, after, lost) in [
        (&windowed[..], &[limit("95"), mean("5 minutes", "")][..], true),
        (&windowed[..], &[limit("90")][..], true),
        (&[limit("90")][..], &[limit("95")][..], false),
        // What begins to keep state has none to lose.
        (&[limit("90")][..], &windowed[..], false),
    ] {
        assert_eq!(change(before, after).await.state_lost, lost, "{before:?} -> {after:?}");
    }
    let new = planned(&wanted(pack(&windowed)), &[], |_| {}).await;
    assert_eq!((new.packs[0].action, new.packs[0].state_lost), (Action::New, false));
    for (retired, lost) in [(pack(&windowed), true), (pack(&[limit("90")]), false)] {
        let retired = Pack { name: "retired".to_owned(), ..retired };
        let gone = planned(&wanted(pack(&windowed)), &[&retired], |_| {}).await.packs.remove(1);
        assert_eq!((gone.action, gone.state_lost), (Action::Removed, lost));
    }
}

#[tokio::test]
async fn the_warm_up_is_that_of_the_longest_window() {
    let told = |pack: PackPlan| (pack.warm_up_seconds, pack.warm_up_rule);
    let rules = [mean("5 minutes", ""), mean("1 day", ""), limit("90")];
    assert_eq!(told(change(&[limit("1")], &rules).await), (Some(86_400), Some("mean_1_day".to_owned())));
    assert_eq!(told(change(&rules, &[limit("90")]).await), (None, None));
    assert_eq!(told(change(&rules, &rules).await), (None, None), "what runs on is warm");
}

#[tokio::test]
async fn whoever_reads_the_stream_is_counted() {
    let (before, after) = (pack(&[limit("90")]), pack(&[limit("95")]));
    let others = |stand_in: &StandIn| {
        let other = "CREATE TABLE t (v TEXT) WITH (connector = 'kinesis', stream_name = 'weir-events')";
        for (name, query, state) in [
            ("by hand", other, State::Running),
            ("stopped", other, State::Stopped),
            ("another stream", "SELECT 'weir-events-2'", State::Running),
            ("weir/prod/rules@0123456789ab", other, State::Running),
        ] {
            let _id = stand_in.seed(name, query, 1, state);
        }
    };
    let readers = planned(&wanted(after.clone()), &[&before], others).await.readers;
    assert_eq!((readers.now, readers.during, readers.after, readers.foreign), (3, 4, 3, 2));
    let readers = planned(&wanted(after.clone()), &[&after], |_| {}).await.readers;
    assert_eq!((readers.now, readers.during, readers.after, readers.foreign), (1, 1, 1, 0));
    let readers = planned(&wanted(after), &[], |_| {}).await.readers;
    assert_eq!((readers.now, readers.during, readers.after), (0, 1, 1));
}

#[tokio::test]
async fn what_was_changed_by_hand_is_drift() {
    let one = pack(&[mean("5 minutes", "")]);
    let wanted = Wanted { checkpoint_interval: Some(Duration::from_secs(10)), ..wanted(one.clone()) };
    for (said, by_hand) in [
        (
            "pl_0001 was stopped",
            (&|stand_in: &StandIn| {
                stand_in
                    .by_hand("pl_0001", |entry| (entry.stop, entry.state) = ("checkpoint".to_owned(), State::Stopped));
            }) as &dyn Fn(&StandIn),
        ),
        ("pl_0001 runs at parallelism 4, wanted is 1", &|stand_in| {
            stand_in.by_hand("pl_0001", |entry| entry.parallelism = 4);
        }),
        ("pl_0001 writes a checkpoint every 1s, wanted is 10s", &|stand_in| {
            stand_in.by_hand("pl_0001", |entry| entry.interval = 1_000_000);
        }),
        ("pl_0001 has failed: task panicked", &|stand_in| {
            stand_in.by_hand("pl_0001", |e| (e.state, e.failure) = (State::Failed, Some("task panicked".to_owned())));
        }),
        ("pl_0001 is a second copy, Running", &|stand_in| {
            let _id = stand_in.seed(&one.pipeline_name("dev").to_string(), &one.program, 1, State::Running);
        }),
    ] {
        let plan = planned(&wanted, &[&one], by_hand).await;
        assert_eq!((plan.packs[0].action, plan.packs[0].drift.as_slice()), (Action::Repaired, &[said.to_owned()][..]));
        assert!(!plan.packs[0].state_lost, "it goes on from its checkpoint: {said}");
    }
    // Arroyo cannot change a program in place, but a person can make one under the same name.
    let by_hand = |stand_in: &StandIn| {
        let _id = stand_in.seed(&one.pipeline_name("dev").to_string(), "SELECT 'by hand'", 1, State::Running);
    };
    let plan = planned(&wanted, &[&one], by_hand).await;
    assert_eq!(plan.packs[0].action, Action::Repaired);
    assert!(plan.packs[0].drift[0].starts_with("pl_0002 is named weir/dev/rules@"), "{:?}", plan.packs[0].drift);
    assert!(plan.packs[0].drift[0].ends_with("but holds another program: made or changed by hand"));
}
