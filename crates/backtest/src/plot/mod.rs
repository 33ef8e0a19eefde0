//! Draws a backtest: one panel a series with its expected band, its anomalies and what was labelled.

mod expect;
mod scale;
mod svg;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Anomaly;

pub(super) use expect::{Expectation, expectations};

use super::{history::History, replay::Replayed};
use crate::data::labels::Label;

/// One series and all that is drawn with it.
struct Panel<'a> {
    name: &'a str,
    /// The readings, strays left out.
    points: &'a [(i64, f64)],
    anomalies: Vec<&'a Anomaly>,
    labels: Vec<&'a Label>,
    /// By rule.
    expectations: BTreeMap<&'a str, &'a [Expectation]>,
}

/// Refuses a name that says neither of the two forms, before the work is done.
pub(super) fn check_name(file: &Path) -> Result<()> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("svg" | "html") => Ok(()),
        _ => bail!("{}: what to draw is not known\n  hint: name it .svg or .html", file.display()),
    }
}

/// Writes the picture. Series with labels come first, then those with the most anomalies; `most` at most.
pub(super) fn write(
    file: &Path,
    history: &History,
    replayed: &Replayed,
    labels: &[Label],
    expectations: &expect::Expectations,
    most: usize,
) -> Result<()> {
    let mut panels: Vec<Panel<'_>> = history
        .series
        .iter()
        .map(|(name, series)| {
            // What a rule says of a whole source belongs to each of its series.
            let about = |key: &str| key == name || key == series.source;
            let anomalies: Vec<&Anomaly> = replayed.anomalies.iter().filter(|a| about(&a.key)).collect();
            let fired = |rule: &str| anomalies.iter().filter(|a| a.rule == rule).count();
            Panel {
                name,
                points: &[],
                expectations: expectations.of(name, fired),
                labels: labels
                    .iter()
                    .filter(|label| label.is_about(name) || (label.metric.is_none() && label.source == series.source))
                    .collect(),
                anomalies,
            }
        })
        .collect();
    panels.sort_by_key(|panel| std::cmp::Reverse((panel.labels.len(), panel.anomalies.len())));
    let left_out = panels.len().saturating_sub(most.max(1));
    panels.truncate(most.max(1));
    panels.sort_by_key(|panel| panel.name);
    // Only what is drawn is brought into memory.
    let drawn: BTreeSet<&str> = panels.iter().map(|panel| panel.name).collect();
    let points = history.points(|name, _| drawn.contains(name))?;
    let span = history.first.nanos()..=history.last.nanos();
    for panel in &mut panels {
        let all = points.get(panel.name).map(Vec::as_slice).unwrap_or_default();
        let from = all.partition_point(|(nanos, _)| nanos < span.start());
        let to = all.partition_point(|(nanos, _)| nanos <= span.end());
        panel.points = all.get(from..to).unwrap_or_default();
    }
    let picture = svg::draw(&panels, history, left_out, !labels.is_empty());
    let html = file.extension().is_some_and(|extension| extension == "html");
    let text = if html { page(&picture) } else { picture };
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// The picture in a page: it fits the window, and markers say what they are under the pointer.
fn page(picture: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Weir backtest</title>\n\
         <style>body {{ margin: 16px auto; max-width: 1240px; background: #fff }} svg {{ width: 100%; height: auto }} \
         .mark:hover {{ stroke: #000; stroke-width: 2.5 }}</style>\n</head>\n<body>\n{picture}</body>\n</html>\n"
    )
}
