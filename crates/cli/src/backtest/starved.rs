//! Rules that could find nothing in most of history, because no window of theirs ever held as many readings as they ask for.
//!
//! This goes by what the rules of the library have in common: a parameter `least_count`, whose description names the interval
//! parameter that it is about ("readings that the newest step must hold"), or is about `window`.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;
use weir_rules::{Interval, ParameterType, ParameterValue, Rule};

use super::{Rules, history::History};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A rule whose windows never held enough, for most of what it looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Starved {
    rule: String,
    /// The parameter that sets how long a window is.
    span: String,
    /// How long it is.
    length: String,
    /// What is looked at together: `series`, `sources`, or `streams` for all events at once.
    groups: &'static str,
    /// How many of them there are.
    of: usize,
    /// How many never held enough.
    starving: usize,
    /// The most readings that any stretch of that length held in one of those.
    most: usize,
    /// What the rule asks for.
    least_count: usize,
    /// A length that usually holds enough, when history shows one.
    enough: Option<String>,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, span, length, groups, of, starving, most, least_count, enough } = self;
        writeln!(
            f,
            "{rule} could find nothing in {starving} of {of} {groups}: {length} (its parameter {span}) held at most {most} of the \
             {least_count} readings it asks for"
        )?;
        match enough {
            Some(enough) => write!(f, "  hint: --set '{rule}.{span}={enough}', or a smaller least_count"),
            None => write!(f, "  hint: more history, or a smaller least_count"),
        }
    }
}

/// The rule's shortage, if it has one. Of a rule that found something, nobody needs to ask.
pub(super) fn starved(rules: &Rules, rule: &Rule, history: &History) -> Option<Starved> {
    let value = |name: &str| {
        let parameter = rule.header.parameters.get(name)?;
        let set = rules.environment.parameters.get(&rule.header.name).and_then(|values| values.get(name));
        parameter.check(set.unwrap_or(&parameter.default)).ok()
    };
    let interval = |name: &str| match value(name)? {
        ParameterValue::Interval(interval) => i64::try_from(interval.duration().as_nanos()).ok().map(|n| (interval, n)),
        _ => None,
    };
    let ParameterValue::Integer(least_count) = value("least_count")? else { return None };
    let least_count = usize::try_from(least_count).ok()?;
    let span = span_of(rule);
    let (length, nanos) = interval(span)?;
    let (name, all) = groups(rule, history);
    let of = all.len();
    // A burst fills any window: what counts is what most of them can show.
    let groups: Vec<(usize, Vec<i64>)> = all
        .into_iter()
        .map(|times| (most_within(&times, nanos), times))
        .filter(|(most, _)| *most < least_count)
        .collect();
    if groups.len() * 2 <= of {
        return None;
    }
    let step = interval("step").filter(|_| span != "step").map(|(_, nanos)| nanos);
    let enough = groups.iter().filter_map(|(_, times)| usual_length(times, least_count)).min();
    let enough = enough.map(|enough| rounded(enough.saturating_add(history.sampling), step)).filter(|e| *e > nanos);
    Some(Starved {
        rule: rule.header.name.clone(),
        span: span.to_owned(),
        length: length.to_string(),
        groups: name,
        of,
        starving: groups.len(),
        most: groups.iter().map(|(most, _)| *most).max().unwrap_or(0),
        least_count,
        enough: enough
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map(|nanos| Interval::from_duration(Duration::from_nanos(nanos)).to_string()),
    })
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
fn groups(rule: &Rule, history: &History) -> (&'static str, Vec<Vec<i64>>) {
    let names = |word: &str| rule.body.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word);
    let by = if names("series") {
        "series"
    } else if names("source") {
        "sources"
    } else {
        "streams"
    };
    let mut groups: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (name, series) in &history.series {
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
