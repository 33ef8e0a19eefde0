//! A drill for each alarm: its cause is brought about, that alarm is told and no other, the cause ends, and all is well. The alarms are those of
//! Terraform's plan, evaluated as CloudWatch documents it; what the metrics do in an outage is written here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod cloudwatch;
mod plan;

use std::{collections::BTreeSet, fs, path::Path};

use cloudwatch::{CloudWatch, CompositeAlarm, MetricAlarm, State};
use weir_tests::repo;

/// A well stack runs so long before and after each cause, minutes: longer than any alarm remembers.
const WELL: usize = 120;
/// And a cause lasts so long.
const OUTAGE: usize = 90;

/// What a metric says while all is well.
fn well(alarm: &MetricAlarm) -> Option<f64> {
    Some(if alarm.above { 0.0 } else { alarm.threshold * 2.0 + 1.0 })
}

/// What it says when it is bad.
fn bad(alarm: &MetricAlarm) -> Option<f64> {
    Some(if alarm.above { alarm.threshold * 2.0 + 1.0 } else { 0.0 })
}

struct Drills {
    metric: Vec<MetricAlarm>,
    composite: Vec<CompositeAlarm>,
}

impl Drills {
    fn stack(&self) -> CloudWatch {
        CloudWatch::new(self.metric.clone(), self.composite.clone())
    }

    /// A stack that was well, in an outage: which alarms tell of it. Afterwards all is well again.
    fn told(&self, outage: impl Fn(&MetricAlarm, usize) -> Option<f64>) -> BTreeSet<String> {
        let mut stack = self.stack();
        for _ in 0..WELL {
            // What is told of a new alarm without data is another drill.
            stack.pass(well);
        }
        let mut told = BTreeSet::new();
        for minute in 0..OUTAGE {
            told.extend(stack.pass(|alarm| outage(alarm, minute)));
        }
        for _ in 0..WELL {
            told.extend(stack.pass(well));
        }
        let left: Vec<_> = stack.states.iter().filter(|(_, state)| **state != State::Ok).collect();
        assert!(left.is_empty(), "it is over, and still: {left:?}");
        told
    }

    /// The alarm that speaks for this one.
    fn speaks_for(&self, alarm: &MetricAlarm) -> String {
        if alarm.tells.0 {
            return alarm.name.clone();
        }
        let quoted = format!("ALARM(\"{}\")", alarm.name);
        let mut speakers =
            self.composite.iter().filter(|composite| composite.tells && composite.rule.contains(&quoted));
        let speaker = speakers.next().unwrap_or_else(|| panic!("nobody is told of {}", alarm.name));
        assert!(speakers.next().is_none(), "{} is told twice", alarm.name);
        speaker.name.clone()
    }
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("weir-{name}")).collect()
}

#[test]
fn every_alarm_is_told_for_its_cause_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let (metric, composite) = plan::alarms(folder.path());
    assert!(metric.len() > 30 && composite.len() == 3, "{} alarms, {} composite ones", metric.len(), composite.len());
    let drills = Drills { metric, composite };

    for cause in &drills.metric {
        let one = |what: fn(&MetricAlarm) -> Option<f64>| {
            drills.told(move |alarm, _| if alarm.name == cause.name { what(alarm) } else { well(alarm) })
        };
        assert_eq!(one(bad), BTreeSet::from([drills.speaks_for(cause)]), "{} is bad", cause.name);
        let silent = one(|_| None);
        let expected = if cause.missing_is_told { BTreeSet::from([drills.speaks_for(cause)]) } else { BTreeSet::new() };
        assert_eq!(silent, expected, "{} has no data any more", cause.name);
    }
    outages(&drills);
    a_new_stack(&drills);
    every_metric_of_ours_is_written(&drills.metric);
}

/// What one cause does to many metrics.
fn outages(drills: &Drills) {
    let is = |alarm: &MetricAlarm, names: &[&str]| names.iter().any(|name| alarm.name == format!("weir-{name}"));
    // Without a reader, or a cluster, there is no metric of it; the age of the last probe grows.
    let probe = |minute: usize| f64::from(u32::try_from(minute).unwrap()) * 60_000.0;
    let engine_is_gone = |alarm: &MetricAlarm, minute: usize| {
        let gone =
            ["checkpoint-age", "checkpoint-unfinished", "engine-behind", "arroyo-memory", "pipeline-not-running"];
        if is(alarm, &gone) || is(alarm, &["stream-climate-behind", "stream-flows-behind", "stream-orders-behind"]) {
            None
        } else if is(alarm, &["probe-missing"]) {
            Some(probe(minute))
        } else {
            well(alarm)
        }
    };
    assert_eq!(drills.told(engine_is_gone), named(&["pipeline-not-running"]), "an Arroyo that is gone");

    let pipeline_failed = |alarm: &MetricAlarm, minute: usize| {
        if is(alarm, &["pipeline-failed"]) {
            bad(alarm)
        } else if is(alarm, &["pipeline-not-running"]) {
            well(alarm)
        } else {
            engine_is_gone(alarm, minute)
        }
    };
    assert_eq!(drills.told(pipeline_failed), named(&["pipeline-failed"]), "one of two pipelines failed");

    // The gate answers and gives everything back: its role lost a permission.
    let gate_is_denied = |alarm: &MetricAlarm, _: usize| {
        if is(alarm, &["gate-flows-failed", "gate-flows-behind"]) { bad(alarm) } else { well(alarm) }
    };
    assert_eq!(drills.told(gate_is_denied), named(&["gate-flows-failed"]));
    // A stream of somebody else's refuses heartbeats, and nobody mends it. What breaks meanwhile is told all the same.
    for broken in ["heartbeat-streams", "gate-flows-failed"] {
        let both = |alarm: &MetricAlarm, minute: usize| {
            let late = minute > 30 && is(alarm, &["probe-missing", "engine-behind"]);
            if late || is(alarm, &[broken]) { bad(alarm) } else { well(alarm) }
        };
        assert_eq!(drills.told(both), named(&[broken, "path"]), "{broken} mutes nothing");
    }
}

/// Nothing is told before there was something to lose: no rules are deployed, no probe came through.
fn a_new_stack(drills: &Drills) {
    let mut stack = drills.stack();
    for _ in 0..WELL {
        let heartbeat = |alarm: &MetricAlarm| (alarm.name == "weir-heartbeat-missing").then_some(1.0);
        assert_eq!(stack.pass(heartbeat), BTreeSet::new(), "a stack without rules");
    }
}

/// An alarm on a metric that nobody writes is well for ever.
fn every_metric_of_ours_is_written(alarms: &[MetricAlarm]) {
    let sources = ["lambdas/alerter/src/metrics.rs", "lambdas/gate/src/metrics.rs", "lambdas/heartbeat/src/beat.rs"];
    let lambdas: String = sources.iter().map(|file| fs::read_to_string(repo().join(file)).unwrap()).collect();
    let engine = read_all(&repo().join("crates/cli/src")) + &read_all(&repo().join("crates/engine/src"));
    for alarm in alarms.iter().filter(|alarm| alarm.metric.namespace == "Weir") {
        let written = if alarm.metric.dimensions.contains_key("pipeline") { &engine } else { &lambdas };
        let name = &alarm.metric.name;
        assert!(written.contains(&format!("\"{name}\"")), "nobody writes {name}, on which {} is", alarm.name);
    }
}

fn read_all(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| {
        if path.is_dir() { read_all(&path) } else { fs::read_to_string(path).unwrap_or_default() }
    };
    entries.map(text).collect()
}
