//! The report as Markdown.

use std::fmt::Write as _;

use weir_terminal::markdown;

use super::Report;

impl Report {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### Backtest\n\n{}\n\n", self.headline());
        let scored = self.all.score.is_some();
        text.push_str("| rule | anomalies | alerts | a week |");
        text.push_str(if scored { " precision | recall | delay |\n" } else { "\n" });
        text.push_str("|---|--:|--:|--:|");
        text.push_str(if scored { "--:|--:|--:|\n" } else { "\n" });
        for row in self.rows() {
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
            let _ = writeln!(text, "{}\n", markdown(&starved.to_string().replace("\n  hint: ", "; hint: ")));
        }
        let _ = writeln!(text, "{}", self.cost());
        text
    }
}
