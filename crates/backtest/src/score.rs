//! Anomalies against what is known to be wrong, and alerts as the alerter would send them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weir_anomaly::{Anomaly, Stage, store::Period};

use crate::data::labels::Label;

/// The alerter's own default (`WEIR_DEDUP_DEFAULT_SECONDS`).
const DEDUP_DEFAULT_SECONDS: u64 = 900;

/// What a person receives: one for a rule, key and dedup period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Alert<'a> {
    pub(super) rule: &'a str,
    pub(super) key: &'a str,
    pub(super) period: Period,
}

impl<'a> Alert<'a> {
    /// The alert that an anomaly counts for; none where its rule is on trial.
    pub(super) fn of(anomaly: &'a Anomaly) -> Option<Self> {
        let meta = &anomaly.rule_meta;
        let period = Period::of(anomaly.timestamp, meta.dedup_seconds.unwrap_or(DEDUP_DEFAULT_SECONDS));
        (meta.stage == Stage::Active).then_some(Self { rule: &anomaly.rule, key: &anomaly.key, period })
    }

    /// The same with its shadow: what a rule on trial would have sent.
    pub(super) fn would_be(anomaly: &'a Anomaly) -> Self {
        let period = Period::of(anomaly.timestamp, anomaly.rule_meta.dedup_seconds.unwrap_or(DEDUP_DEFAULT_SECONDS));
        Self { rule: &anomaly.rule, key: &anomaly.key, period }
    }
}

/// How well a rule, or all together, did against labels. Precision counts alerts, as people receive them (for a rule on trial,
/// those it would have sent): one is right when any of its anomalies lies in a label. Recall counts labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Score {
    /// Alerts with an anomaly in a label.
    pub(super) right: usize,
    /// Alerts without.
    pub(super) wrong: usize,
    /// Labels with an anomaly in them.
    pub(super) found: usize,
    /// Labels.
    pub(super) labels: usize,
    /// From a found label's start to its first anomaly (its event, or the end of its window), seconds: the median.
    pub(super) delay_seconds: Option<i64>,
}

impl Score {
    pub(super) fn of<'a>(anomalies: impl Iterator<Item = &'a Anomaly>, labels: &[Label], sampling: i64) -> Self {
        let mut alerts: BTreeMap<Alert<'_>, bool> = BTreeMap::new();
        let mut first: Vec<Option<i64>> = vec![None; labels.len()];
        for anomaly in anomalies {
            let right = alerts.entry(Alert::would_be(anomaly)).or_default();
            for (label, first) in labels.iter().zip(&mut first) {
                if label.is_found_by(anomaly, sampling) {
                    *right = true;
                    let delay = anomaly.timestamp.since(label.start) / 1_000_000_000;
                    *first = Some(first.map_or(delay, |earlier| earlier.min(delay)));
                }
            }
        }
        let right = alerts.values().filter(|right| **right).count();
        let mut delays: Vec<i64> = first.into_iter().flatten().collect();
        delays.sort_unstable();
        Self {
            right,
            wrong: alerts.len() - right,
            found: delays.len(),
            labels: labels.len(),
            delay_seconds: delays.get(delays.len() / 2).copied(),
        }
    }

    /// Share of alerts that were right; `None` without any.
    pub(super) fn precision(&self) -> Option<f64> {
        share(self.right, self.right + self.wrong)
    }

    /// Share of labels that were found; `None` without any.
    pub(super) fn recall(&self) -> Option<f64> {
        share(self.found, self.labels)
    }
}

/// The labels that nothing found.
pub(super) fn missed<'a>(anomalies: &[Anomaly], labels: &'a [Label], sampling: i64) -> Vec<&'a Label> {
    let found = |label: &&Label| !anomalies.iter().any(|anomaly| label.is_found_by(anomaly, sampling));
    labels.iter().filter(found).collect()
}

/// How many alerts people get.
pub(super) fn alerts<'a>(anomalies: impl Iterator<Item = &'a Anomaly>) -> usize {
    anomalies.filter_map(Alert::of).collect::<BTreeSet<_>>().len()
}

/// How many people would get if every rule were active.
pub(super) fn would_be_alerts(anomalies: &[&Anomaly]) -> usize {
    anomalies.iter().map(|anomaly| Alert::would_be(anomaly)).collect::<BTreeSet<_>>().len()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = part as f64 / whole as f64;
    (whole > 0).then_some(share)
}
