//! The report for a terminal.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use weir_terminal::visible;

use super::{Report, RuleRow, words::counted};
use crate::replay::grouped;

/// How many of the missed labels are told.
const MISSED: usize = 10;

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
        for row in self.rows() {
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
                let (anomalies, alerts) =
                    (counted(row.anomalies, "anomaly", "anomalies"), counted(row.alerts, "alert", "alerts"));
                writeln!(f, "  {} by {}: {anomalies}, {alerts}", visible(&row.key), row.rule)?;
            }
        }
        if let Some(missed) = self.missed_labels.as_ref().filter(|missed| !missed.is_empty()) {
            writeln!(f, "missed by every rule ({}):", missed.len())?;
            for label in missed.iter().take(MISSED) {
                let metric = label.metric.as_ref().map_or_else(String::new, |metric| format!("/{}", visible(metric)));
                let (kind, source) = (label.kind.as_str(), visible(&label.source));
                writeln!(f, "  {kind} in {source}{metric}, {} to {}", label.start, label.end)?;
            }
            if missed.len() > MISSED {
                writeln!(f, "  … and {} more", missed.len() - MISSED)?;
            }
        }
        let h = &self.history;
        if h.incomplete > 0 {
            writeln!(
                f,
                "left out: {} of windows that reach past the end of history",
                counted(h.incomplete, "anomaly", "anomalies")
            )?;
        }
        if h.skipped > 0 {
            let reasons = h.skipped_by_reason.iter().map(|(reason, count)| format!("{reason} {}", grouped(*count)));
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            writeln!(
                f,
                "left out: {} ({reasons})",
                counted(h.skipped, "record that is no event", "records that are no events")
            )?;
        }
        if h.poison > 0 {
            writeln!(f, "the rules' tables refused {}", counted(h.poison, "event", "events"))?;
        }
        if h.late > 0 {
            writeln!(f, "{} events were late", h.late)?;
        }
        write!(f, "{}", self.cost())
    }
}

impl Report {
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

/// A table whose first column is text, the rest numbers but for the last when it is the days'.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(header);
    for (column, name) in table.column_iter_mut().zip(header).skip(1) {
        if *name != "anomalies by day" {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
