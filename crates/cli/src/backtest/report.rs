//! What came of a backtest: for people, for scripts, and for a comment on a pull request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;
use weir_anomaly::{Anomaly, Stage};
use weir_rules::Rule;

use super::{
    Rules,
    cost::{Cost, PRICES},
    history::History,
    replay::{Replayed, grouped},
    score::{self, Alert, Score},
    starved::{Starved, starved},
};
use crate::data::labels::Label;

/// How many of the noisiest keys are told.
const NOISIEST: usize = 5;
/// How many of the missed labels are told.
const MISSED: usize = 10;

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
    /// Lines that were no events.
    skipped: usize,
    /// Records that the rules' tables refused.
    poison: usize,
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
    pub(super) fn new(of: &Rules, history: &History, replayed: &Replayed, labels: Option<&[Label]>) -> Self {
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
        let starved = compiled.filter(silent).filter_map(|rule| starved(of, rule, history)).collect();
        let all = row("all", Stage::Active, &|_: &&Anomaly| true);
        let days = history.days();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate"
        )]
        let events_per_second = (history.events as f64 / replayed.seconds.max(1e-6)) as u64;
        Self {
            history: HistoryRow {
                events: history.events,
                skipped: history.skipped.count,
                poison: replayed.poison,
                late: replayed.late,
                incomplete: replayed.incomplete,
                series: history.series.len(),
                first: history.first.to_rfc3339_millis(),
                last: history.last.to_rfc3339_millis(),
                days,
            },
            rules,
            starved,
            noisiest_keys: noisiest(&replayed.anomalies),
            missed_labels: labels.map(|labels| {
                score::missed(&replayed.anomalies, labels, history.sampling).into_iter().cloned().collect()
            }),
            cost_usd_a_month: Cost::of(all.anomalies, all.alerts, days),
            all,
            prices: PRICES,
            replay_seconds: replayed.seconds,
            events_per_second,
        }
    }

    /// As Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("### Backtest\n\n{}\n\n", self.headline());
        let scored = self.all.score.is_some();
        text.push_str("| rule | anomalies | alerts | a week |");
        text.push_str(if scored { " precision | recall | delay |\n" } else { "\n" });
        text.push_str("|---|--:|--:|--:|");
        text.push_str(if scored { "--:|--:|--:|\n" } else { "\n" });
        for row in self.rules.iter().chain([&self.all]) {
            let _ = write!(
                text,
                "| {} | {} | {} | {} |",
                row.name(),
                row.anomalies,
                row.all_alerts(),
                self.a_week(row.counted())
            );
            if scored {
                let [precision, recall, delay] = row.scores();
                let _ = write!(text, " {precision} | {recall} | {delay} |");
            }
            text.push('\n');
        }
        text.push('\n');
        for starved in &self.starved {
            let _ = writeln!(text, "{}\n", starved.to_string().replace("\n  hint: ", "; hint: "));
        }
        let _ = writeln!(text, "{}", self.cost());
        text
    }

    /// The history in one sentence.
    pub(super) fn headline(&self) -> String {
        let h = &self.history;
        format!(
            "{} events of {} series, {} to {} ({:.1} days)",
            grouped(h.events),
            grouped(h.series),
            minute(&h.first),
            minute(&h.last),
            h.days
        )
    }

    fn cost(&self) -> String {
        let cost = &self.cost_usd_a_month;
        format!(
            "about {:.0} alerts a month; USD a month for one subscriber: email {:.2}, SMS {:.2}, HTTP {:.4}; DynamoDB writes {:.4}\n({PRICES})",
            cost.alerts_a_month, cost.email, cost.sms_us, cost.http, cost.store
        )
    }

    fn a_week(&self, alerts: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let a_week = alerts as f64 / self.history.days * 7.0;
        format!("{a_week:.1}")
    }

    /// Anomalies over the days, as a row of bars: one a day, or one for several days where history is long.
    fn bars(&self, row: &RuleRow) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const MOST: usize = 31;
        let date = |text: &str| text.get(..10).and_then(|day| day.parse::<chrono::NaiveDate>().ok());
        let (Some(first), Some(last)) = (date(&self.history.first), date(&self.history.last)) else {
            return String::new();
        };
        let days = usize::try_from((last - first).num_days()).unwrap_or(0) + 1;
        let each = days.div_ceil(MOST);
        let mut counts = vec![0; days.div_ceil(each)];
        for (day, count) in &row.by_day {
            let at = date(day).and_then(|day| usize::try_from((day - first).num_days()).ok()).unwrap_or(0) / each;
            if let Some(bar) = counts.get_mut(at) {
                *bar += count;
            }
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bar = |count: &usize| match count {
            0 => '·',
            count => BARS.get((count * BARS.len()).div_ceil(most) - 1).copied().unwrap_or('█'),
        };
        counts.iter().map(bar).collect()
    }
}

impl RuleRow {
    fn name(&self) -> String {
        if self.stage == Stage::Shadow { format!("{} (shadow)", self.rule) } else { self.rule.clone() }
    }

    /// The alerts; of a rule on trial, those that it would have sent.
    fn counted(&self) -> usize {
        if self.stage == Stage::Shadow { self.would_be_alerts } else { self.alerts }
    }

    /// The same for people: in brackets where nobody received them.
    fn all_alerts(&self) -> String {
        let count = grouped(self.counted());
        if self.stage == Stage::Shadow { format!("({count})") } else { count }
    }

    /// Precision, recall and delay, for people.
    pub(super) fn scores(&self) -> [String; 3] {
        let Some(score) = &self.score else { return [const { String::new() }; 3] };
        let percent = |share: Option<f64>, part: usize, whole: usize| match share {
            Some(share) => format!("{:.0} % ({part} of {whole})", share * 100.0),
            None => "–".to_owned(),
        };
        [
            percent(self.precision, score.right, score.right + score.wrong),
            percent(self.recall, score.found, score.labels),
            score.delay_seconds.map_or_else(|| "–".to_owned(), span),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, replayed in {:.1} s ({} events/s)", self.headline(), self.replay_seconds, {
            grouped(usize::try_from(self.events_per_second).unwrap_or(usize::MAX))
        })?;
        let scored = self.all.score.is_some();
        let mut header = vec!["rule", "anomalies", "alerts", "a week", "keys"];
        if scored {
            header.extend(["precision", "recall", "delay"]);
        }
        header.push("anomalies by day");
        let mut table = table(&header);
        for row in self.rules.iter().chain([&self.all]) {
            let mut cells = vec![
                row.name(),
                grouped(row.anomalies),
                row.all_alerts(),
                self.a_week(row.counted()),
                grouped(row.keys),
            ];
            if scored {
                cells.extend(row.scores());
            }
            cells.push(self.bars(row));
            table.add_row(cells);
        }
        writeln!(f, "{table}")?;
        for starved in &self.starved {
            writeln!(f, "{starved}")?;
        }
        if !self.noisiest_keys.is_empty() {
            writeln!(f, "noisiest keys:")?;
            for row in &self.noisiest_keys {
                writeln!(f, "  {} by {}: {} anomalies, {} alerts", row.key, row.rule, row.anomalies, row.alerts)?;
            }
        }
        if let Some(missed) = self.missed_labels.as_ref().filter(|missed| !missed.is_empty()) {
            writeln!(f, "missed by every rule ({}):", missed.len())?;
            for label in missed.iter().take(MISSED) {
                let metric = label.metric.as_ref().map_or_else(String::new, |metric| format!("/{metric}"));
                writeln!(f, "  {} in {}{metric}, {} to {}", label.kind.as_str(), label.source, label.start, label.end)?;
            }
            if missed.len() > MISSED {
                writeln!(f, "  … and {} more", missed.len() - MISSED)?;
            }
        }
        let h = &self.history;
        if h.incomplete > 0 {
            writeln!(f, "{} anomalies of windows that reach past the end of history were left out", h.incomplete)?;
        }
        if h.poison > 0 || h.late > 0 {
            writeln!(f, "{} records were poison, {} late", h.poison, h.late)?;
        }
        write!(f, "{}", self.cost())
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
        would_be_alerts: anomalies.iter().map(|anomaly| Alert::would_be(anomaly)).collect::<BTreeSet<_>>().len(),
        keys: anomalies.iter().map(|anomaly| &anomaly.key).collect::<BTreeSet<_>>().len(),
        by_day,
        precision: score.as_ref().and_then(Score::precision),
        recall: score.as_ref().and_then(Score::recall),
        score,
    }
}

/// The keys with the most alerts, then the most anomalies.
fn noisiest(anomalies: &[Anomaly]) -> Vec<KeyRow> {
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
            alerts: score::alerts(of.iter().copied()),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.alerts, row.anomalies)));
    rows.truncate(NOISIEST);
    rows
}

/// A table whose first column is text, the rest numbers but for the last when it is the days'.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(header);
    for (column, name) in table.column_iter_mut().zip(header).skip(1) {
        if *name != "anomalies by day" {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `2026-01-01T00:00:00.000Z` to the minute.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// Seconds, for people.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
