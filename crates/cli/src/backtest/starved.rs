//! Rules that could find nothing in most of history: no series has their metric, or no window of theirs ever held as many readings
//! as they ask for.
//!
//! This goes by what the rules of the library have in common: a parameter `metric`, and a parameter `least_count`, whose description
//! names the interval parameter that it is about ("readings that the newest step must hold"), or is about `window`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use serde::Serialize;
use weir_rules::{Interval, ParameterType, ParameterValue, Rule};

use super::{Rules, history::History};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How many of the metrics that there are are named.
const METRICS: usize = 8;

/// Why a rule was silent, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Starved {
    rule: String,
    message: String,
    hint: String,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could find nothing{}\n  hint: {}", self.rule, self.message, self.hint)
    }
}

/// The rule's shortage, if it has one. Of a rule that found something, nobody needs to ask.
pub(super) fn starved(rules: &Rules, rule: &Rule, history: &History) -> Option<Starved> {
    let value = |name: &str| {
        let parameter = rule.header.parameters.get(name)?;
        let set = rules.environment.parameters.get(&rule.header.name).and_then(|values| values.get(name));
        parameter.check(set.unwrap_or(&parameter.default)).ok()
    };
    let name = &rule.header.name;
    let said = |message: String, hint: String| Some(Starved { rule: name.clone(), message, hint });
    let metric = match value("metric") {
        Some(ParameterValue::Text(metric)) => Some(metric),
        _ => None,
    };
    let known: BTreeSet<&str> = history.series.iter().map(|(name, series)| series.metric(name)).collect();
    if let Some(metric) = metric.as_deref().filter(|metric| !known.contains(metric)) {
        let known = known.into_iter().take(METRICS).collect::<Vec<_>>().join(", ");
        return said(
            format!(": no series has the metric `{metric}` (its parameter metric)"),
            format!("--set '{name}.metric=NAME'; there are {known}"),
        );
    }
    let interval = |name: &str| match value(name)? {
        ParameterValue::Interval(interval) => i64::try_from(interval.duration().as_nanos()).ok().map(|n| (interval, n)),
        _ => None,
    };
    let ParameterValue::Integer(least_count) = value("least_count")? else { return None };
    let least_count = usize::try_from(least_count).ok()?;
    let span = span_of(rule);
    let (length, nanos) = interval(span)?;
    let (what, all) = groups(rule, metric.as_deref(), history);
    let of = all.len();
    // A burst fills any window: what counts is what most of them can show.
    let starving: Vec<(usize, Vec<i64>)> = all
        .into_iter()
        .map(|times| (most_within(&times, nanos), times))
        .filter(|(most, _)| *most < least_count)
        .collect();
    if starving.len() * 2 <= of {
        return None;
    }
    let most = starving.iter().map(|(most, _)| *most).max().unwrap_or(0);
    let step = interval("step").filter(|_| span != "step").map(|(_, nanos)| nanos);
    let enough = starving.iter().filter_map(|(_, times)| usual_length(times, least_count)).min();
    let enough = enough.map(|enough| rounded(enough.saturating_add(history.sampling), step)).filter(|e| *e > nanos);
    let enough = enough.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
    said(
        format!(
            " in {} of {of} {what}: {length} (its parameter {span}) held at most {most} of the {least_count} readings it asks for",
            starving.len()
        ),
        match enough.map(Interval::from_duration) {
            Some(enough) => format!("--set '{name}.{span}={enough}', or a smaller least_count"),
            None => "more history, or a smaller least_count".to_owned(),
        },
    )
}

/// The interval parameter that `least_count` is about.
fn span_of(rule: &Rule) -> &str {
    let parameters = &rule.header.parameters;
    let about = parameters.get("least_count").map_or("", |parameter| parameter.description.as_str());
    let named = about.split(|c: char| !c.is_alphanumeric() && c != '_').find_map(|word| {
        let is_interval = |name: &str| parameters.get(name).is_some_and(|p| p.kind == ParameterType::Interval);
        [word, word.trim_end_matches('s')].into_iter().find(|name| is_interval(name))
    });
    named.unwrap_or("window")
}

/// The times of the events that a rule looks at together, in order: of a series, of a source, or all; and which of these.
fn groups(rule: &Rule, metric: Option<&str>, history: &History) -> (&'static str, Vec<Vec<i64>>) {
    let names = |word: &str| rule.body.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word);
    let by = if names("series") {
        "series"
    } else if names("source") {
        "sources"
    } else {
        "streams"
    };
    let mut groups: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let of_metric = history.series.iter().filter(|(name, series)| metric.is_none_or(|m| series.metric(name) == m));
    for (name, series) in of_metric {
        let group = match by {
            "series" => name.as_str(),
            "sources" => series.source.as_str(),
            _ => "",
        };
        groups.entry(group).or_default().extend(series.points.iter().map(|(nanos, _)| *nanos));
    }
    let mut groups: Vec<Vec<i64>> = groups.into_values().collect();
    groups.iter_mut().for_each(|times| times.sort_unstable());
    (by, groups)
}

/// The most events in any stretch of that length, whatever it is aligned to.
fn most_within(times: &[i64], length: i64) -> usize {
    let (mut most, mut first) = (0, 0);
    for (last, time) in times.iter().enumerate() {
        while times.get(first).is_some_and(|begun| time.saturating_sub(*begun) >= length) {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

/// From an event to that many further on: the median.
fn usual_length(times: &[i64], count: usize) -> Option<i64> {
    let last = times.get(count..).unwrap_or_default();
    let mut lengths: Vec<i64> = times.iter().zip(last).map(|(from, to)| to.saturating_sub(*from)).collect();
    let middle = lengths.len() / 2;
    (!lengths.is_empty()).then(|| *lengths.select_nth_unstable(middle).1)
}

/// Up to whole minutes, hours or days, whichever suits, and to a multiple of the step.
fn rounded(nanos: i64, step: Option<i64>) -> i64 {
    let up = |nanos: i64, to: i64| nanos.saturating_add(to - 1).div_euclid(to).saturating_mul(to);
    let unit = match nanos {
        ..HOUR => MINUTE,
        HOUR..DAY => HOUR,
        _ => DAY,
    };
    let length = up(nanos, unit);
    step.filter(|step| *step > 0).map_or(length, |step| up(length, step))
}
