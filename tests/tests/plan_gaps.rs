//! `scripts/plan-gaps.py`: a second plan on another emulator may change what its list of gaps names, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{fs, process::Command};

use serde_json::{Value, json};
use weir_tests::repo;

const GAPS: &str =
    "[[gap]]\nresource = \"aws_sns_topic\"\nattributes = [\"tracing_config\"]\nwhy = \"it is dropped\"\n";

/// Whether a plan passes, and what is said of it.
fn judged(changes: &Value) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let (plan, gaps) = (folder.path().join("plan.json"), folder.path().join("gaps.toml"));
    fs::write(&plan, json!({ "resource_changes": changes }).to_string()).unwrap();
    fs::write(&gaps, GAPS).unwrap();
    let mut command = Command::new("python3");
    let output = command.arg(repo().join("scripts/plan-gaps.py")).args([&plan, &gaps]).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn topic(before: &Value, after: &Value, unknown: &Value) -> Value {
    json!({ "address": "aws_sns_topic.alerts", "type": "aws_sns_topic",
        "change": { "actions": ["update"], "before": before, "after": after, "after_unknown": unknown } })
}

#[test]
fn a_change_that_a_gap_names_is_explained() {
    let change = topic(
        &json!({ "name": "a", "tracing_config": "", "policy": "p" }),
        &json!({ "name": "a", "tracing_config": "PassThrough", "policy": "p" }),
        &json!({ "policy": false }),
    );
    let (passes, said) = judged(&json!([change]));
    assert!(passes && said.contains("seen: aws_sns_topic tracing_config: it is dropped"), "{said}");
    let (passes, said) = judged(&json!([]));
    assert!(passes && said.contains("not seen this time: aws_sns_topic"), "{said}");
}

/// What is known only after the apply is a change: a second plan has nothing to find out.
#[test]
fn what_a_plan_does_not_know_is_a_change() {
    let known = json!({ "name": "a", "tracing_config": "", "policy": [{ "id": "p" }] });
    for (after, unknown, name) in [
        (json!({ "name": "a", "tracing_config": "" }), json!({ "policy": true }), "policy"),
        (json!({ "name": "a", "tracing_config": "", "policy": [{}] }), json!({ "policy": [{ "id": true }] }), "policy"),
        (known.clone(), json!({ "new": { "deep": [false, true] } }), "new"),
    ] {
        let (passes, said) = judged(&json!([topic(&known, &after, &unknown)]));
        assert!(!passes && said.contains(&format!("aws_sns_topic.alerts {name} (update)")), "{said}");
        assert!(said.contains("known after the apply"), "{said}");
    }
    let explained =
        topic(&known, &json!({ "name": "a", "policy": [{ "id": "p" }] }), &json!({ "tracing_config": true }));
    assert!(judged(&json!([explained])).0, "a gap of the attribute explains it");
}

#[test]
fn any_other_change_fails_and_is_named() {
    let renamed = topic(
        &json!({ "name": "a", "tracing_config": "" }),
        &json!({ "name": "b", "tracing_config": "x" }),
        &json!({}),
    );
    let (passes, said) = judged(&json!([renamed]));
    assert!(!passes && said.contains("no gap explains: aws_sns_topic.alerts name (update)"), "{said}");
    for (actions, before, after) in [
        (json!(["create"]), Value::Null, json!({ "tracing_config": "x" })),
        (json!(["delete"]), json!({ "tracing_config": "x" }), Value::Null),
        (json!(["update"]), json!({ "name": "a" }), json!({ "name": "a" })),
    ] {
        let change = json!({ "address": "t", "type": "aws_sns_topic",
            "change": { "actions": actions, "before": before, "after": after } });
        assert!(!judged(&json!([change])).0, "{actions} of a whole resource is no gap of one attribute");
    }
    let queue = json!({ "address": "q", "type": "aws_sqs_queue",
        "change": { "actions": ["update"], "before": { "tracing_config": "" }, "after": { "tracing_config": "x" } } });
    assert!(!judged(&json!([queue])).0, "the gap of a topic is no queue's");
}
