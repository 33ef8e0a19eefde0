//! What came of the events, in a table that a person can read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;
use weir_anomaly::{Anomaly, Timestamp, store::attr};
use weir_backtest::data::labels::Label;
use weir_rules::Interval;

use super::{
    replay::{Replayed, delay_nanos},
    watch::{Alert, Seen},
};
use crate::stats::Stats;

/// The figures of a demo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Records put on the events stream: events, poison and control records.
    records: usize,
    /// By rule.
    rules: Vec<RuleRow>,
    /// Injected anomalies, by kind: found, of how many.
    injected: Vec<InjectedRow>,
    /// Anomalies whose window touches no label; `None` without labels.
    outside_labels: Option<usize>,
    /// Poison records put, and messages in quarantine.
    poison: usize,
    quarantined: usize,
    /// Repeats on the anomalies stream that the store collapsed.
    repeats: usize,
    /// Ids of the items in the store.
    stored_ids: BTreeSet<String>,
    /// Events that came after their window had closed; `None` of an engine that does not count them.
    late: Option<u64>,
    put_to_stored: Latency,
    put_to_alert: Latency,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RuleRow {
    rule: String,
    severity: String,
    anomalies: usize,
    stored: usize,
    alerts: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct InjectedRow {
    kind: &'static str,
    found: usize,
    of: usize,
    by: BTreeSet<String>,
}

/// Milliseconds; `None` when nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Latency {
    p50: Option<i64>,
    p99: Option<i64>,
    measured: usize,
}

impl Report {
    pub(crate) fn new(
        replayed: &Replayed,
        (seen, stats): &(Seen, Option<Stats>),
        labels: &[Label],
        delay: Interval,
        sampling: i64,
    ) -> Self {
        let triggers = Triggers::new(replayed, delay);
        let stored = seen.anomalies.values().filter_map(|anomaly| {
            let first_seen = seen.stored.get(anomaly.id.as_str())?.text("first_seen")?;
            Some(first_seen.parse::<Timestamp>().ok()?.millis() - triggers.put_millis(anomaly)?)
        });
        let alerted = seen.alerts.iter().filter_map(|alert| {
            let anomaly = seen.anomalies.get(alert.anomaly_id.as_deref()?)?;
            Some(alert.millis? - triggers.put_millis(anomaly)?)
        });
        Self {
            records: replayed.records,
            rules: rule_rows(seen),
            injected: injected_rows(seen, labels, sampling),
            outside_labels: (!labels.is_empty()).then(|| {
                let inside = |a: &&Anomaly| labels.iter().any(|label| label.touches(a, sampling));
                seen.anomalies.len() - seen.anomalies.values().filter(inside).count()
            }),
            poison: replayed.poison,
            quarantined: seen.quarantined.len(),
            repeats: seen.anomaly_records - seen.anomalies.len(),
            stored_ids: seen.stored.keys().cloned().collect(),
            late: stats.as_ref().map(|stats| stats.late),
            put_to_stored: Latency::of(stored),
            put_to_alert: Latency::of(alerted),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&["rule", "severity", "anomalies", "stored", "alerts"], 2);
        for row in &self.rules {
            table.add_row([
                row.rule.clone(),
                row.severity.clone(),
                row.anomalies.to_string(),
                row.stored.to_string(),
                row.alerts.to_string(),
            ]);
        }
        let total = |count: fn(&RuleRow) -> usize| self.rules.iter().map(count).sum::<usize>().to_string();
        table.add_row([
            "all".to_owned(),
            String::new(),
            total(|r| r.anomalies),
            total(|r| r.stored),
            total(|r| r.alerts),
        ]);
        writeln!(f, "\n{table}")?;
        if !self.injected.is_empty() {
            let mut injected = table_of_injected();
            for row in &self.injected {
                let by: Vec<&str> = row.by.iter().map(String::as_str).collect();
                injected.add_row([
                    row.kind.to_owned(),
                    row.of.to_string(),
                    row.found.to_string(),
                    (row.of - row.found).to_string(),
                    by.join(", "),
                ]);
            }
            writeln!(f, "{injected}")?;
        }
        if let Some(outside) = self.outside_labels {
            writeln!(f, "false alarms (anomalies whose window holds nothing of a labelled fault): {outside}")?;
        }
        writeln!(f, "poison records: {} put, {} in quarantine", self.poison, self.quarantined)?;
        let late = self.late.map_or_else(|| "not counted by Arroyo".to_owned(), |late| late.to_string());
        writeln!(f, "repeats collapsed by id: {}; late events: {late}", self.repeats)?;
        writeln!(f, "latency from the put of the event that completes an anomaly:")?;
        writeln!(f, "  to stored   {}", self.put_to_stored)?;
        write!(f, "  to alert    {}", self.put_to_alert)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.p50, self.p99) {
            (Some(p50), Some(p99)) => write!(f, "p50 {p50} ms, p99 {p99} ms (of {})", self.measured),
            _ => write!(f, "not measured"),
        }
    }
}

impl Latency {
    fn of(millis: impl Iterator<Item = i64>) -> Self {
        let mut millis: Vec<i64> = millis.collect();
        millis.sort_unstable();
        let at = |percent: usize| millis.get((millis.len().saturating_sub(1)) * percent / 100).copied();
        Self { p50: at(50), p99: at(99), measured: millis.len() }
    }
}

/// Which put completed an anomaly.
struct Triggers<'a> {
    by_event: BTreeMap<(i64, &'a str), i64>,
    /// `(event time, when it was put)`, in order of event time.
    in_order: Vec<(i64, i64)>,
    delay: i64,
}

impl<'a> Triggers<'a> {
    fn new(replayed: &'a Replayed, delay: Interval) -> Self {
        let by_event = replayed.events.iter().map(|e| ((e.time.nanos(), e.series.as_str()), e.put_millis)).collect();
        let in_order = replayed.events.iter().map(|e| (e.time.nanos(), e.put_millis)).collect();
        Self { by_event, in_order, delay: delay_nanos(delay) }
    }

    /// An anomaly of one event is complete with that event; one of a window with the first event that moves the watermark
    /// past the window's end. `None` for the last windows, which a control record closes.
    fn put_millis(&self, anomaly: &Anomaly) -> Option<i64> {
        let Some(end) = anomaly.window_end else {
            return self.by_event.get(&(anomaly.timestamp.nanos(), anomaly.key.as_str())).copied();
        };
        let due = end.nanos().saturating_add(self.delay);
        let at = self.in_order.partition_point(|(time, _)| *time < due);
        self.in_order.get(at).map(|(_, put)| *put)
    }
}

fn rule_rows(seen: &Seen) -> Vec<RuleRow> {
    let mut rows: BTreeMap<&str, RuleRow> = BTreeMap::new();
    for anomaly in seen.anomalies.values() {
        let row = rows.entry(&anomaly.rule).or_insert_with(|| RuleRow {
            rule: anomaly.rule.clone(),
            severity: anomaly.severity.to_string(),
            anomalies: 0,
            stored: 0,
            alerts: 0,
        });
        row.anomalies += 1;
    }
    for item in seen.stored.values() {
        if let Some(row) = item.text(attr::RULE).and_then(|rule| rows.get_mut(rule)) {
            row.stored += 1;
        }
    }
    for Alert { rule, .. } in &seen.alerts {
        if let Some(row) = rows.get_mut(rule.as_str()) {
            row.alerts += 1;
        }
    }
    rows.into_values().collect()
}

fn injected_rows(seen: &Seen, labels: &[Label], sampling: i64) -> Vec<InjectedRow> {
    let mut rows: BTreeMap<_, InjectedRow> = BTreeMap::new();
    for label in labels {
        let by: BTreeSet<String> =
            seen.anomalies.values().filter(|a| label.is_found_by(a, sampling)).map(|a| a.rule.clone()).collect();
        let row = rows.entry(label.kind).or_insert_with(|| InjectedRow {
            kind: label.kind.as_str(),
            found: 0,
            of: 0,
            by: BTreeSet::new(),
        });
        row.of += 1;
        row.found += usize::from(!by.is_empty());
        row.by.extend(by);
    }
    rows.into_values().collect()
}

/// Columns of a terminal that a table may fill; longer cells wrap.
const TABLE_WIDTH: u16 = 100;

fn table(header: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(TABLE_WIDTH);
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn table_of_injected() -> Table {
    let mut table = table(&["injected", "of", "found", "missed", "by"], 1);
    if let Some(by) = table.column_mut(4) {
        by.set_cell_alignment(CellAlignment::Left);
    }
    table
}
