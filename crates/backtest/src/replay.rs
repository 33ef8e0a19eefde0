//! Runs the rules on history, as fast as the engine goes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use weir_anomaly::{Anomaly, Record, Timestamp};
use weir_engine::{RunOptions, Stats};
use weir_project::Planned;

use super::{Rules, history::History};

/// How often a person sees a line of progress; nothing is said of what is done sooner.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// What the rules found.
#[derive(Debug, Clone)]
pub(super) struct Replayed {
    /// In order of time, each once.
    pub(super) anomalies: Vec<Anomaly>,
    /// Anomalies of windows that reach past the end of history, which were left out: their windows are not full.
    pub(super) incomplete: usize,
    /// Events that came after their window had closed.
    pub(super) late: u64,
    /// Records that the rules' tables refused though they are events: by reason.
    pub(super) poison: BTreeMap<String, usize>,
    /// Rules with rows that could not be computed, and why; one line a rule.
    pub(super) warnings: Vec<String>,
    pub(super) seconds: f64,
}

/// The part of history that is judged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    /// Anomalies before it are left out; events before it still fill windows.
    pub(super) from: Option<Timestamp>,
    /// Where history was cut off.
    pub(super) to: Option<Timestamp>,
}

/// Replays history through a pack, and tells a person on standard error how far it is.
pub(super) async fn replay(rules: &Rules, history: &History, span: Span) -> Result<Replayed> {
    let begun = Instant::now();
    let tell = |stats: &Stats| say(stats, history, begun);
    let replayed = replay_with(rules, history, span, RunOptions::default(), (PROGRESS_INTERVAL, &tell)).await?;
    replayed.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(replayed)
}

/// Replays history through a pack; `tell` is called at each interval with what was counted so far.
pub(super) async fn replay_with(
    rules: &Rules,
    history: &History,
    span: Span,
    options: RunOptions,
    (interval, tell): (Duration, &(dyn Fn(&Stats) + Sync)),
) -> Result<Replayed> {
    let planned = Planned::new(&rules.program)?;
    let stats = Arc::new(planned.stats());
    let options = RunOptions { stats: Some(Arc::clone(&stats)), ..options };
    let begun = Instant::now();
    let feeds = history.feeds(planned.longest_window());
    let running = planned.run_on(&feeds, options);
    tokio::pin!(running);
    let output = loop {
        tokio::select! {
            ended = &mut running => break ended?,
            () = tokio::time::sleep(interval) => tell(&stats),
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    // A window that ends with the next reading that would have come is full.
    let full = history.end.nanos().saturating_add(history.sampling);
    let full = span.to.map_or(full, |to| full.min(to.nanos().max(history.end.nanos())));
    let (mut anomalies, mut incomplete) = (Vec::new(), 0);
    for row in &output.anomalies {
        let Record::Anomaly(anomaly) = Record::parse(row.as_bytes()).context("the engine wrote no anomaly")? else {
            continue;
        };
        // A record may hold rows on both sides of the end.
        let outside = span.from.is_some_and(|from| anomaly.timestamp < from)
            || (anomaly.window_end.is_none() && span.to.is_some_and(|to| anomaly.timestamp > to));
        if anomaly.is_probe() || outside {
            continue;
        }
        if anomaly.window_end.is_some_and(|end| end.nanos() > full) {
            incomplete += 1;
        } else {
            anomalies.push(*anomaly);
        }
    }
    anomalies.sort_by(|a, b| (a.timestamp, &a.rule, &a.key, &a.id).cmp(&(b.timestamp, &b.rule, &b.key, &b.id)));
    anomalies.dedup_by(|a, b| a.id == b.id);
    let late = output.report.sources.iter().map(|source| source.late).sum();
    let mut poison = BTreeMap::new();
    // What a declared stream refuses was told when it was read, with its place.
    for refused in output.poison.into_iter().filter(|_| history.stream.is_none()) {
        *poison.entry(refused.reason).or_insert(0) += 1;
    }
    Ok(Replayed { anomalies, incomplete, late, poison, warnings: output.warnings, seconds })
}

fn say(stats: &Stats, history: &History, begun: Instant) {
    let report = stats.report();
    let Some(source) = report.sources.iter().max_by_key(|source| source.records) else { return };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let rate = (source.records as f64 / begun.elapsed().as_secs_f64()) as usize;
    let at = source
        .watermark_nanos
        .map_or_else(String::new, |nanos| format!(", event time {}", Timestamp::from_nanos(nanos).to_rfc3339_millis()));
    let done = usize::try_from(source.records).unwrap_or(usize::MAX);
    let end = history.end.to_rfc3339_millis();
    eprintln!("  {} rows{at} of {end}; {} rows/s", grouped(done), grouped(rate));
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
