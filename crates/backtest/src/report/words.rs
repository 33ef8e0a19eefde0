//! Figures in words, the same in every form of the report.

use weir_anomaly::Stage;

use super::{Report, RuleRow};
use crate::{cost::PRICES, replay::grouped};

impl Report {
    /// The rows of the table: one a rule and, of several, all together.
    pub(super) fn rows(&self) -> impl Iterator<Item = &RuleRow> {
        self.rules.iter().chain((self.rules.len() != 1).then_some(&self.all))
    }

    /// The history in one sentence.
    pub(crate) fn headline(&self) -> String {
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

    pub(super) fn cost(&self) -> String {
        let cost = &self.cost_usd_a_month;
        format!(
            "about {:.0} alerts a month{}; USD a month for one subscriber: email {:.2}, SMS {:.2}, HTTP {:.4}; DynamoDB writes {:.4}\n({PRICES})",
            cost.alerts_a_month,
            if self.all.stage == Stage::Shadow { ", were it not on trial" } else { "" },
            cost.email,
            cost.sms_us,
            cost.http,
            cost.store
        )
    }

    pub(super) fn a_week(&self, alerts: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let a_week = alerts as f64 / self.history.days * 7.0;
        format!("{a_week:.1}")
    }
}

/// `1 alert`, `2 alerts`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

impl RuleRow {
    pub(super) fn name(&self) -> String {
        if self.stage == Stage::Shadow { format!("{} (shadow)", self.rule) } else { self.rule.clone() }
    }

    /// The alerts; of a rule on trial, those that it would have sent.
    pub(super) fn counted(&self) -> usize {
        if self.stage == Stage::Shadow { self.would_be_alerts } else { self.alerts }
    }

    /// The same for people: in brackets where nobody received them.
    pub(super) fn all_alerts(&self) -> String {
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
