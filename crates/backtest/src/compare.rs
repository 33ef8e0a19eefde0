//! Two packs of rules on the same history: what the newer gains and loses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    path::Path,
};

use anyhow::{Context, Result};
use serde::Serialize;
use tempfile::TempDir;
use weir_anomaly::Anomaly;
use weir_project::{Repo, revision::checkout};
use weir_terminal::{markdown, markdown_code, visible};

use super::{
    BacktestOptions, Rules,
    replay::{Replayed, grouped},
    report::{Report, RuleRow, table},
    score::Alert,
};

/// How many of the gained and lost anomalies of a rule are told.
const EXAMPLES: usize = 5;

/// The rules to compare with.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) name: String,
    pub(super) rules: Rules,
    /// Where a revision's files lie for as long as they are needed.
    _checkout: Option<TempDir>,
}

impl Other {
    /// From a folder with `rules` or `tables.sql`, or from `sql` at a git revision.
    pub(super) fn load(repo: &Repo, with: &str, options: &BacktestOptions) -> Result<Self> {
        let folder = Path::new(with);
        let is_sql = folder.join("tables.sql").is_file() || folder.join("rules").is_dir();
        let (sql, checked_out) = if is_sql {
            (folder.to_owned(), None)
        } else {
            let own = &repo.manifest().sql;
            let folder = checkout(&repo.root, with, &[&own.to_string_lossy()])?;
            (folder.path().join(own), Some(folder))
        };
        // A rule that is new has nothing to be compared with, and one that went must still be seen.
        let rules = Rules::load_other(repo, &sql, options).with_context(|| format!("the rules of {with}"))?;
        Ok(Self { name: with.to_owned(), rules, _checkout: checked_out })
    }
}

/// One of the two packs, replayed.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) report: Report,
    pub(super) replayed: Replayed,
}

/// What changed, rule by rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Comparison {
    /// What was compared with.
    with: String,
    history: String,
    rules: Vec<Change>,
    all: Change,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Change {
    rule: String,
    /// Anomalies (a rule's key and window or time) that only the newer rules find.
    gained: usize,
    /// Anomalies that only the older rules found.
    lost: usize,
    same: usize,
    /// Alerts count rules on trial as if they were active: that is what a reader wants to know of them.
    alerts_before: usize,
    alerts_after: usize,
    before: Option<RuleRow>,
    after: Option<RuleRow>,
    gained_examples: Vec<String>,
    lost_examples: Vec<String>,
}

/// The same anomaly for both packs. Their ids may differ.
type Place<'a> = (&'a str, &'a str, i64, i64);

impl Comparison {
    pub(super) fn new(with: &str, before: &Side, after: &Side) -> Self {
        let (old, new) = (places(&before.replayed.anomalies), places(&after.replayed.anomalies));
        let row = |side: &Side, rule: &str| side.report.rules.iter().find(|row| row.rule == rule).cloned();
        let mut names = BTreeSet::new();
        for side in [before, after] {
            names.extend(side.report.rules.iter().map(|row| row.rule.as_str()));
        }
        let rules = names
            .iter()
            .map(|name| {
                let of = |place: &&Place<'_>| place.0 == *name;
                change(name, &old, &new, &of, row(before, name), row(after, name))
            })
            .collect();
        let all = change("all", &old, &new, &|_| true, Some(before.report.all.clone()), Some(after.report.all.clone()));
        Self { with: with.to_owned(), history: after.report.headline(), rules, all }
    }

    /// The rows of the table: one a rule and, of several, all together.
    fn rows(&self) -> impl Iterator<Item = &Change> {
        self.rules.iter().chain((self.rules.len() != 1).then_some(&self.all))
    }

    /// As Markdown: a table, and what was gained and lost folded away below it.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("### Backtest against {}\n\n{}\n\n", markdown_code(&self.with), self.history);
        let scored = self.all.is_scored();
        text.push_str("| rule | gained | lost | same | alerts |");
        text.push_str(if scored { " precision | recall |\n" } else { "\n" });
        text.push_str("|---|--:|--:|--:|--:|");
        text.push_str(if scored { "--:|--:|\n" } else { "\n" });
        for change in self.rows() {
            let cells = change.cells(scored);
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        for change in self.rules.iter().filter(|change| change.gained + change.lost > 0) {
            let _ =
                writeln!(text, "\n<details><summary>{}: +{} −{}</summary>\n", change.rule, change.gained, change.lost);
            change.examples(&mut text, "- ", &|example| markdown(example));
            text.push_str("\n</details>\n");
        }
        text
    }
}

impl Change {
    fn is_scored(&self) -> bool {
        self.after.as_ref().is_some_and(|row| row.score.is_some())
    }

    fn cells(&self, scored: bool) -> Vec<String> {
        let name = match (&self.before, &self.after) {
            (None, _) => format!("{} (new)", self.rule),
            (_, None) => format!("{} (removed)", self.rule),
            _ => self.rule.clone(),
        };
        let signed =
            |sign: char, count: usize| if count == 0 { "0".to_owned() } else { format!("{sign}{}", grouped(count)) };
        let mut cells = vec![
            name,
            signed('+', self.gained),
            signed('−', self.lost),
            grouped(self.same),
            moved(&grouped(self.alerts_before), &grouped(self.alerts_after)),
        ];
        if scored {
            let percent = |row: &Option<RuleRow>, of: fn(&RuleRow) -> Option<f64>| {
                row.as_ref().and_then(of).map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
            };
            for of in [(|row| row.precision) as fn(&RuleRow) -> Option<f64>, |row| row.recall] {
                cells.push(moved(&percent(&self.before, of), &percent(&self.after, of)));
            }
        }
        cells
    }

    fn examples(&self, text: &mut String, bullet: &str, shown: &dyn Fn(&str) -> String) {
        for (sign, examples, count) in
            [('+', &self.gained_examples, self.gained), ('−', &self.lost_examples, self.lost)]
        {
            for example in examples {
                let _ = writeln!(text, "{bullet}{sign} {}", shown(example));
            }
            if count > examples.len() {
                let _ = writeln!(text, "{bullet}{sign} … and {} more", count - examples.len());
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; against {}", self.history, self.with)?;
        let scored = self.all.is_scored();
        let mut header = vec!["rule", "gained", "lost", "same", "alerts"];
        if scored {
            header.extend(["precision", "recall"]);
        }
        let mut table = table(&header);
        for change in self.rows() {
            table.add_row(change.cells(scored));
        }
        write!(f, "{table}")?;
        for change in self.rules.iter().filter(|change| change.gained + change.lost > 0) {
            let mut text = String::new();
            change.examples(&mut text, "  ", &|example| visible(example).into_owned());
            write!(f, "\n{}:\n{}", change.rule, text.trim_end())?;
        }
        Ok(())
    }
}

fn moved(before: &str, after: &str) -> String {
    if before == after { after.to_owned() } else { format!("{before} → {after}") }
}

pub(super) fn places(anomalies: &[Anomaly]) -> BTreeMap<Place<'_>, &Anomaly> {
    let place = |a: &Anomaly| a.window_start.map_or(a.timestamp.nanos(), |start| start.nanos());
    anomalies.iter().map(|a| ((a.rule.as_str(), a.key.as_str(), a.timestamp.nanos(), place(a)), a)).collect()
}

fn change(
    rule: &str,
    old: &BTreeMap<Place<'_>, &Anomaly>,
    new: &BTreeMap<Place<'_>, &Anomaly>,
    of: &dyn Fn(&&Place<'_>) -> bool,
    before: Option<RuleRow>,
    after: Option<RuleRow>,
) -> Change {
    let only = |these: &BTreeMap<Place<'_>, &Anomaly>, those: &BTreeMap<Place<'_>, &Anomaly>| {
        these
            .iter()
            .filter(|(place, _)| of(place) && !those.contains_key(*place))
            .map(|(_, a)| said(a))
            .collect::<Vec<_>>()
    };
    let (mut gained_examples, mut lost_examples) = (only(new, old), only(old, new));
    let (gained, lost) = (gained_examples.len(), lost_examples.len());
    gained_examples.truncate(EXAMPLES);
    lost_examples.truncate(EXAMPLES);
    let alerts = |of_side: &BTreeMap<Place<'_>, &Anomaly>| {
        of_side.iter().filter(|(place, _)| of(place)).map(|(_, a)| Alert::would_be(a)).collect::<BTreeSet<_>>().len()
    };
    Change {
        rule: rule.to_owned(),
        gained,
        lost,
        same: new.keys().filter(|place| of(place) && old.contains_key(*place)).count(),
        alerts_before: alerts(old),
        alerts_after: alerts(new),
        before,
        after,
        gained_examples,
        lost_examples,
    }
}

/// An anomaly in a few words.
fn said(a: &Anomaly) -> String {
    let number = |n: Option<f64>| {
        n.map_or_else(|| "–".to_owned(), |n| format!("{:.4}", n).trim_end_matches('0').trim_end_matches('.').to_owned())
    };
    format!("{} at {}: {}, expected {}, score {:.2}", a.key, a.timestamp, number(a.value), number(a.expected), a.score)
}
