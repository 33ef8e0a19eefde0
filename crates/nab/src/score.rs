//! The benchmark's scoring, version 1.1, written from its description.
//!
//! Rows before 15 % of a series (at most 750) are not looked at. In a label window the earliest detection counts, the earlier
//! the better; a window without one is missed. A detection outside costs, less so shortly after a window. One threshold serves
//! all series: the best one. The score is 100 for every window found at its start and no false alert, 0 for no detection at all.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::corpus::Series;

/// Weights of the benchmark's application profiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    true_positive: f64,
    false_negative: f64,
    false_positive: f64,
}

pub(crate) const PROFILES: [Profile; 3] = [
    Profile { name: "standard", true_positive: 1.0, false_negative: 1.0, false_positive: 0.11 },
    Profile { name: "reward_low_FP_rate", true_positive: 1.0, false_negative: 1.0, false_positive: 0.22 },
    Profile { name: "reward_low_FN_rate", true_positive: 1.0, false_negative: 2.0, false_positive: 0.11 },
];

/// The share of a series that is left to a detector to learn from, and of how many rows at most.
const PROBATION: f64 = 0.15;
const PROBATION_ROWS: f64 = 5000.0;
/// The threshold of no detection at all: above every score.
const NONE: f64 = 1.1;

/// A score under one profile, with the threshold that gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) score: f64,
    pub(crate) threshold: f64,
}

/// What the rows of all series are worth as detections.
#[derive(Debug, Default)]
pub(crate) struct Worth {
    events: Vec<Event>,
    /// Windows with a row that can be found at all.
    scorable: usize,
    windows: usize,
}

/// One row becoming a detection as the threshold falls to its score.
#[derive(Debug, Clone, Copy)]
struct Event {
    score: f64,
    /// Outside every window: what it costs, unweighted.
    outside: f64,
    /// Inside: what it adds to what its window gave before.
    inside: f64,
    /// The window's first detection: it is missed no longer.
    first: bool,
}

impl Worth {
    /// Adds one series with a score a row.
    pub(crate) fn add(&mut self, series: &Series, scores: &[f64]) -> Result<()> {
        if scores.len() != series.rows.len() {
            bail!("{}: {} scores for {} rows", series.name, scores.len(), series.rows.len());
        }
        let labels = Labels::new(series)?;
        self.windows += series.windows.len();
        let mut found: Vec<Vec<(f64, f64)>> = vec![Vec::new(); series.windows.len()];
        for ((row, score), (value, window)) in scores.iter().enumerate().zip(labels.rows) {
            if count(row) < labels.probation {
                continue;
            }
            match window.and_then(|window| found.get_mut(window)) {
                // Only a row that exceeds all before it in the window is ever the window's earliest detection.
                Some(records) => {
                    if records.last().is_none_or(|(highest, _)| score > highest) {
                        records.push((*score, value));
                    }
                }
                None => self.events.push(Event { score: *score, outside: value, inside: 0.0, first: false }),
            }
        }
        for records in found.iter().filter(|records| !records.is_empty()) {
            self.scorable += 1;
            for (nth, (score, value)) in records.iter().enumerate() {
                let later = records.get(nth + 1);
                let inside = value - later.map_or(0.0, |(_, value)| *value);
                self.events.push(Event { score: *score, outside: 0.0, inside, first: later.is_none() });
            }
        }
        Ok(())
    }

    /// The best score under a profile.
    pub(crate) fn best(&self, profile: Profile) -> Scored {
        let mut events = self.events.clone();
        events.sort_by(|a, b| b.score.total_cmp(&a.score));
        let missed = -profile.false_negative * count(self.scorable);
        let (mut sum, mut best) = (0.0, Scored { score: missed, threshold: NONE });
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            sum += event.worth(profile);
            if events.peek().is_some_and(|next| next.score == event.score) {
                continue;
            }
            if sum + missed > best.score {
                best = Scored { score: sum + missed, threshold: event.score };
            }
        }
        Scored { score: self.normalised(best.score, profile), ..best }
    }

    /// The score under a profile at a given threshold.
    pub(crate) fn at(&self, profile: Profile, threshold: f64) -> f64 {
        let sum: f64 = self.events.iter().filter(|e| e.score >= threshold).map(|e| e.worth(profile)).sum();
        self.normalised(sum - profile.false_negative * count(self.scorable), profile)
    }

    /// Windows found and rows outside that would alert, at a threshold.
    pub(crate) fn counts(&self, threshold: f64) -> Counts {
        let reached = || self.events.iter().filter(|e| e.score >= threshold);
        Counts {
            found: reached().filter(|e| e.first).count(),
            windows: self.windows,
            false_alerts: reached().filter(|e| e.outside != 0.0).count(),
        }
    }

    fn normalised(&self, raw: f64, profile: Profile) -> f64 {
        let windows = count(self.windows);
        let null = -profile.false_negative * windows;
        let perfect = profile.true_positive * windows;
        100.0 * (raw - null) / (perfect - null)
    }
}

/// What a threshold finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) found: usize,
    pub(crate) windows: usize,
    pub(crate) false_alerts: usize,
}

impl Event {
    fn worth(&self, profile: Profile) -> f64 {
        let first = if self.first { profile.false_negative } else { 0.0 };
        self.outside * profile.false_positive + self.inside * profile.true_positive + first
    }
}

/// The unweighted value of each row as a detection, and the window that it is in.
struct Labels {
    probation: f64,
    rows: Vec<(f64, Option<usize>)>,
}

impl Labels {
    fn new(series: &Series) -> Result<Self> {
        let mut first = HashMap::new();
        for (row, reading) in series.rows.iter().enumerate() {
            first.entry(reading.timestamp).or_insert(row);
        }
        let at = |time| match first.get(time) {
            Some(row) => Ok(count(*row)),
            None => bail!("{}: no row at {time}, where a window begins or ends", series.name),
        };
        let best = sigmoid(-1.0);
        let mut windows = series.windows.iter().enumerate().peekable();
        let mut current: Option<(usize, &weir_anomaly::Timestamp, f64, f64)> = None;
        let mut before: Option<(f64, f64)> = None;
        let mut rows = Vec::with_capacity(series.rows.len());
        for (row, reading) in series.rows.iter().enumerate() {
            let row = count(row);
            if let Some((window, (start, end))) = windows.next_if(|(_, (start, _))| *start == reading.timestamp) {
                let right = at(end)?;
                current = Some((window, end, right, right - at(start)? + 1.0));
            }
            rows.push(match (current, before) {
                (Some((window, _, right, width)), _) => (sigmoid(-(right - row + 1.0) / width) / best, Some(window)),
                (None, None) => (-1.0, None),
                (None, Some((right, width))) => (sigmoid((right - row).abs() / (width - 1.0)), None),
            });
            if let Some((_, end, _, width)) = current
                && *end == reading.timestamp
            {
                before = Some((row, width));
                current = None;
            }
        }
        if let Some((_, (start, _))) = windows.next() {
            bail!("{}: no row at {start}, where a window begins", series.name);
        }
        let probation = f64::min((PROBATION * count(series.rows.len())).floor(), PROBATION * PROBATION_ROWS);
        Ok(Self { probation, rows })
    }
}

/// From 1 well inside a window through 0 at its end to -1 far behind it.
fn sigmoid(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "rows of a file")]
fn count(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Row;

    fn series(rows: usize, windows: &[(usize, usize)]) -> Series {
        let at = |row: usize| weir_anomaly::Timestamp::from_millis(i64::try_from(row).unwrap() * 300_000).unwrap();
        let row = |r| Row { timestamp: at(r), value: 0.0, text: Default::default() };
        Series {
            name: "made/up.csv".to_owned(),
            rows: (0..rows).map(row).collect(),
            windows: windows.iter().map(|(a, b)| (at(*a), at(*b))).collect(),
        }
    }

    /// Scores that repeat with a period of 97, so that all sorts of rows come at all sorts of ranks.
    fn scores(rows: usize, salt: usize) -> Vec<f64> {
        (0..rows).map(|row| count((row * 31 + salt) % 97) / 97.0).collect()
    }

    /// The expected figures are those of the benchmark's Python scorer for the same rows.
    #[test]
    fn equals_the_benchmarks_own_scorer() {
        let mut worth = Worth::default();
        let (a, b, c) = (series(400, &[(100, 139), (300, 339)]), series(250, &[(200, 219)]), series(120, &[]));
        let mut first = scores(400, 5);
        first[104] = 0.999;
        first[310] = 0.995;
        let mut second = scores(250, 11);
        second[230] = 0.998;
        second[205] = 0.997;
        worth.add(&a, &first).unwrap();
        worth.add(&b, &second).unwrap();
        worth.add(&c, &scores(120, 40)).unwrap();
        let rounded = |x: f64| (x * 100.0).round() / 100.0;
        let best: Vec<(f64, f64)> =
            PROFILES.iter().map(|p| worth.best(*p)).map(|s| (rounded(s.score), s.threshold)).collect();
        assert_eq!(best, EXPECTED);
        assert_eq!(rounded(worth.at(PROFILES[0], 0.9)), EXPECTED_AT_0_9);
        assert_eq!(worth.counts(0.996), Counts { found: 2, windows: 3, false_alerts: 1 });
    }

    const EXPECTED: [(f64, f64); 3] = [(97.11, 0.995), (95.47, 0.995), (98.08, 0.995)];
    const EXPECTED_AT_0_9: f64 = 13.40;

    #[test]
    fn no_detection_scores_nothing_and_a_perfect_one_nearly_all() {
        let one = series(1000, &[(500, 599)]);
        let mut worth = Worth::default();
        worth.add(&one, &vec![0.0; 1000]).unwrap();
        assert_eq!(worth.best(PROFILES[0]), Scored { score: 0.0, threshold: NONE });
        let mut perfect = vec![0.0; 1000];
        perfect[500] = 1.0;
        let mut worth = Worth::default();
        worth.add(&one, &perfect).unwrap();
        assert_eq!(worth.best(PROFILES[0]).score, 100.0);
    }

    #[test]
    fn labels_that_match_no_row_are_an_error() {
        let mut one = series(100, &[(50, 59)]);
        one.rows.remove(50);
        let error = Worth::default().add(&one, &[0.0; 99]).unwrap_err().to_string();
        assert!(error.contains("made/up.csv: no row at"), "{error}");
    }
}
