//! What came of a backtest: its figures, which are the JSON for scripts; [`text`] has them for people, [`markdown`] for a comment
//! on a pull request, and [`words`] what those two have in common.

mod markdown;
mod text;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;
use weir_anomaly::{Anomaly, Stage};
use weir_rules::Rule;

use super::{
    Rules,
    cost::{Cost, PRICES},
    history::History,
    replay::Replayed,
    score::{self, Score},
    starved::{Starved, starved},
    workbench::Figures,
};
use crate::data::labels::Label;
pub(super) use text::table;

/// How many of the noisiest keys are told.
const NOISIEST: usize = 5;

/// The figures of a backtest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    history: HistoryRow,
    pub(super) rules: Vec<RuleRow>,
    /// All rules together.
    pub(super) all: RuleRow,
    noisiest_keys: Vec<KeyRow>,
    /// Labels that no rule found; `None` without labels.
    missed_labels: Option<Vec<Label>>,
    /// Rules that found nothing and could not have.
    starved: Vec<Starved>,
    cost_usd_a_month: Cost,
    prices: &'static str,
    replay_seconds: f64,
    events_per_second: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HistoryRow {
    events: usize,
    /// Records that were no events.
    skipped: usize,
    skipped_by_reason: BTreeMap<String, usize>,
    /// Records of Weir's own, in whose place the backtest puts heartbeats of its own.
    control: usize,
    /// Events far before or after all others; `first`, `last` and `days` are without them.
    strays: usize,
    /// Events that the rules' tables refused.
    poison: usize,
    poison_by_reason: BTreeMap<String, usize>,
    /// Events that came after their window had closed.
    late: u64,
    /// Anomalies of windows that reach past the end of history.
    incomplete: usize,
    series: usize,
    first: String,
    last: String,
    days: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RuleRow {
    pub(super) rule: String,
    pub(super) stage: Stage,
    pub(super) anomalies: usize,
    /// What people receive: at most one a key and dedup period, none from a rule on trial.
    pub(super) alerts: usize,
    /// What people would receive if the rule were active.
    would_be_alerts: usize,
    keys: usize,
    /// Anomalies by day (UTC), days without left out.
    by_day: BTreeMap<String, usize>,
    /// Against the labels; `None` without.
    pub(super) score: Option<Score>,
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KeyRow {
    key: String,
    rule: String,
    anomalies: usize,
    alerts: usize,
}

impl Report {
    pub(super) fn new(of: &Rules, history: &History, replayed: &Replayed, labels: Option<&[Label]>) -> Result<Self> {
        let compiled = of.pack.rules.iter().filter(|rule| rule.header.stage != Stage::Off);
        let row = |rule: &str, stage, of: &dyn Fn(&&Anomaly) -> bool| {
            rule_row((rule, stage), &replayed.anomalies.iter().filter(of).collect::<Vec<_>>(), labels, history.sampling)
        };
        let rules: Vec<RuleRow> = compiled
            .clone()
            .map(|rule| {
                let name = rule.header.name.as_str();
                row(name, rule.header.stage, &|anomaly: &&Anomaly| anomaly.rule == name)
            })
            .collect();
        let silent = |rule: &&Rule| !replayed.anomalies.iter().any(|anomaly| anomaly.rule == rule.header.name);
        let starved = starved(of, compiled.filter(silent), history)?;
        // Where every rule is on trial, what they would send is what a person wants to know.
        let trial = !rules.is_empty() && rules.iter().all(|row| row.stage == Stage::Shadow);
        let stage = if trial { Stage::Shadow } else { Stage::Active };
        let all = row("all", stage, &|_: &&Anomaly| true);
        let days = history.days();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate"
        )]
        let events_per_second = (history.events as f64 / replayed.seconds.max(1e-6)) as u64;
        Ok(Self {
            history: HistoryRow {
                events: history.events,
                skipped: history.refused.count(),
                skipped_by_reason: history
                    .refused
                    .by_reason
                    .iter()
                    .map(|(reason, (count, _))| (reason.clone(), *count))
                    .collect(),
                control: history.refused.control,
                strays: history.strays.iter().map(|stray| stray.events).sum(),
                poison: replayed.poison.values().sum(),
                poison_by_reason: replayed.poison.clone(),
                late: replayed.late,
                incomplete: replayed.incomplete,
                series: history.series.len(),
                first: history.first.to_rfc3339_millis(),
                last: history.last.to_rfc3339_millis(),
                days,
            },
            rules,
            starved,
            noisiest_keys: noisiest(&replayed.anomalies, trial),
            missed_labels: labels.map(|labels| {
                score::missed(&replayed.anomalies, labels, history.sampling).into_iter().cloned().collect()
            }),
            cost_usd_a_month: Cost::of(all.anomalies, all.counted(), days),
            all,
            prices: PRICES,
            replay_seconds: replayed.seconds,
            events_per_second,
        })
    }
}

impl Report {
    /// What an editor keeps in sight.
    pub(super) fn figures(&self) -> Figures {
        let score = self.all.score.as_ref();
        Figures {
            anomalies: self.all.anomalies,
            alerts: self.all.would_be_alerts,
            on_trial: self.all.stage == Stage::Shadow,
            days: self.history.days,
            labels: score.map(|score| score.labels),
            found: score.map(|score| score.found),
            precision: self.all.precision,
            recall: self.all.recall,
            delay_seconds: score.and_then(|score| score.delay_seconds),
            cost_usd_a_month: self.cost_usd_a_month.email + self.cost_usd_a_month.store,
            starved: self.starved.iter().map(Starved::parts).collect(),
        }
    }
}

fn rule_row((rule, stage): (&str, Stage), anomalies: &[&Anomaly], labels: Option<&[Label]>, sampling: i64) -> RuleRow {
    let mut by_day = BTreeMap::new();
    for anomaly in anomalies {
        let day = anomaly.timestamp.to_rfc3339_millis().chars().take(10).collect::<String>();
        *by_day.entry(day).or_default() += 1;
    }
    let score = labels.map(|labels| Score::of(anomalies.iter().copied(), labels, sampling));
    RuleRow {
        rule: rule.to_owned(),
        stage,
        anomalies: anomalies.len(),
        alerts: score::alerts(anomalies.iter().copied()),
        would_be_alerts: score::would_be_alerts(anomalies),
        keys: anomalies.iter().map(|anomaly| &anomaly.key).collect::<BTreeSet<_>>().len(),
        by_day,
        precision: score.as_ref().and_then(Score::precision),
        recall: score.as_ref().and_then(Score::recall),
        score,
    }
}

/// The keys with the most alerts (on trial: with the most that there would be), then the most anomalies.
fn noisiest(anomalies: &[Anomaly], trial: bool) -> Vec<KeyRow> {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Anomaly>> = BTreeMap::new();
    for anomaly in anomalies {
        by_key.entry((&anomaly.key, &anomaly.rule)).or_default().push(anomaly);
    }
    let mut rows: Vec<KeyRow> = by_key
        .into_iter()
        .map(|((key, rule), of)| KeyRow {
            key: key.to_owned(),
            rule: rule.to_owned(),
            anomalies: of.len(),
            alerts: if trial { score::would_be_alerts(&of) } else { score::alerts(of.iter().copied()) },
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.alerts, row.anomalies)));
    rows.truncate(NOISIEST);
    rows
}
