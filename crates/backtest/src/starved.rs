//! Rules that could find nothing in most of history: no series has their metric, or no window of theirs ever held as many readings
//! as they ask for.
//!
//! A rule says in its header what it asks for (`[sampling]`), and by its parameter `metric` which series it looks at.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;
use weir_rules::{Group, Interval, ParameterValue, Rule, Sampling};
use weir_terminal::visible;

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

impl Starved {
    /// Why it was silent, and what to do about it.
    pub(super) fn parts(&self) -> (String, String) {
        (format!("{} could find nothing{}", self.rule, self.message), self.hint.clone())
    }
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could find nothing{}\n  hint: {}", self.rule, self.message, self.hint)
    }
}

/// The shortages of these rules. Of a rule that found something, nobody needs to ask.
pub(super) fn starved<'a>(
    rules: &Rules,
    silent: impl Iterator<Item = &'a Rule>,
    history: &History,
) -> Result<Vec<Starved>> {
    let mut found = Vec::new();
    let mut asked = Vec::new();
    for rule in silent {
        match ask(rules, rule, history) {
            Some(Err(starved)) => found.push(starved),
            Some(Ok(ask)) => asked.push(ask),
            None => {}
        }
    }
    if !asked.is_empty() {
        // All rules in one pass over history.
        for head in history.heads() {
            let head = head?;
            asked.iter_mut().for_each(|ask| ask.groups.take(head.series, head.nanos));
        }
    }
    found.extend(asked.into_iter().filter_map(|ask| ask.answer(history.sampling)));
    found.sort_by(|a, b| a.rule.cmp(&b.rule));
    Ok(found)
}

/// What must be known of history to say whether a rule could find something.
struct Ask {
    rule: String,
    /// The parameter that says how many readings are asked for.
    least: String,
    /// The parameter that says how long a window is, and its value.
    span: String,
    length: Interval,
    nanos: i64,
    step: Option<i64>,
    groups: Groups,
}

/// What to ask for a rule; an error where it is plain that it could find nothing, `None` where there is nothing to ask.
fn ask(rules: &Rules, rule: &Rule, history: &History) -> Option<std::result::Result<Ask, Starved>> {
    let value = |name: &str| {
        let parameter = rule.header.parameters.get(name)?;
        let set = rules.environment.parameters.get(&rule.header.name).and_then(|values| values.get(name));
        parameter.check(set.unwrap_or(&parameter.default)).ok()
    };
    let name = &rule.header.name;
    let metric = match value("metric") {
        Some(ParameterValue::Text(metric)) => Some(metric),
        _ => None,
    };
    let known: BTreeSet<&str> = history.series.iter().map(|(name, series)| series.metric(name)).collect();
    if let Some(metric) = metric.as_deref().filter(|metric| !known.contains(metric)) {
        let known: Vec<_> = known.into_iter().take(METRICS).map(visible).collect();
        let known = known.join(", ");
        return Some(Err(Starved {
            rule: name.clone(),
            message: format!(": no series has the metric `{metric}` (its parameter metric)"),
            hint: format!("--set '{name}.metric=NAME'; there are {known}"),
        }));
    }
    let interval = |name: &str| match value(name)? {
        ParameterValue::Interval(interval) => i64::try_from(interval.duration().as_nanos()).ok().map(|n| (interval, n)),
        _ => None,
    };
    let Sampling { least, over: span, by } = rule.header.sampling.as_ref()?;
    let ParameterValue::Integer(least_count) = value(least)? else { return None };
    let least_count = usize::try_from(least_count).ok().filter(|count| *count <= LEAST_COUNT_MOST)?;
    let (length, nanos) = interval(span)?;
    Some(Ok(Ask {
        rule: name.clone(),
        least: least.clone(),
        span: span.clone(),
        length,
        nanos,
        step: interval("step").filter(|_| span != "step").map(|(_, nanos)| nanos),
        groups: Groups::new(*by, metric.as_deref(), history, (nanos, least_count)),
    }))
}

impl Ask {
    fn answer(self, sampling: i64) -> Option<Starved> {
        let Self { rule: name, least, span, length, nanos, step, groups } = self;
        let (what, least_count, of) = (groups.by, groups.least_count, groups.groups.len());
        // A burst fills any window: what counts is what most of them can show.
        let starving: Vec<Counted> = groups.groups.into_iter().filter(|group| group.most < least_count).collect();
        if starving.len() * 2 <= of {
            return None;
        }
        let most = starving.iter().map(|group| group.most).max().unwrap_or(0);
        let count = starving.len();
        let enough = starving.into_iter().filter_map(Counted::usual_length).min();
        let enough = enough.map(|enough| rounded(enough.saturating_add(sampling), step)).filter(|e| *e > nanos);
        let enough = enough.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
        Some(Starved {
            message: format!(
                " in {count} of {of} {what}: {length} (its parameter {span}) held at most {most} of the {least_count} readings it asks for"
            ),
            hint: match enough.map(Interval::from_duration) {
                Some(enough) => format!("--set '{name}.{span}={enough}', or a smaller {least}"),
                None => format!("more history, or a smaller {least}"),
            },
            rule: name,
        })
    }
}

/// The events that a rule looks at together: of a series, of a source, or all.
struct Groups {
    by: &'static str,
    least_count: usize,
    length: i64,
    groups: Vec<Counted>,
    /// The group of each series that the rule looks at.
    of: HashMap<u32, usize>,
}

/// Events that a rule looks at together.
#[derive(Debug, Default)]
struct Counted {
    /// The most events in any stretch of the window's length, with any alignment.
    most: usize,
    /// The last events, as many as matter.
    recent: VecDeque<i64>,
    /// From an event to as many further on as the rule asks for.
    lengths: Vec<i64>,
    each: u64,
    seen: u64,
}

/// So many lengths are kept of a group; of more, every second, every fourth and so on: their median says as much.
const LENGTHS: usize = 1024;
/// A rule that asks for more readings than this is not asked: that many times of each group would be in memory.
const LEAST_COUNT_MOST: usize = 1 << 16;

impl Groups {
    fn new(by: Group, metric: Option<&str>, history: &History, (length, least_count): (i64, usize)) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut of = HashMap::new();
        let of_metric = history.series.iter().filter(|(name, series)| metric.is_none_or(|m| series.metric(name) == m));
        for (name, series) in of_metric {
            let group = match by {
                Group::Series => name.as_str(),
                Group::Source => series.source.as_str(),
                Group::Stream => "",
            };
            let next = numbers.len();
            of.insert(series.number, *numbers.entry(group).or_insert(next));
        }
        let groups = numbers.iter().map(|_| Counted { each: 1, ..Counted::default() }).collect();
        let by = match by {
            Group::Series => "series",
            Group::Source => "sources",
            Group::Stream => "streams",
        };
        Self { by, least_count, length, groups, of }
    }

    fn take(&mut self, series: u32, nanos: i64) {
        let group = self.of.get(&series).and_then(|index| self.groups.get_mut(*index));
        // What holds enough once is not starving: nothing more need be known of it.
        if let Some(group) = group.filter(|group| group.most < self.least_count) {
            group.take(nanos, self.length, self.least_count);
        }
    }
}

impl Counted {
    fn take(&mut self, nanos: i64, length: i64, least_count: usize) {
        self.recent.push_back(nanos);
        if self.recent.len() > least_count.saturating_add(1) {
            self.recent.pop_front();
        }
        let within = self.recent.iter().rev().take_while(|time| nanos.saturating_sub(**time) < length).count();
        self.most = self.most.max(within.min(least_count));
        if self.recent.len() > least_count
            && let Some(from) = self.recent.front()
        {
            self.seen += 1;
            if self.seen.is_multiple_of(self.each) {
                if self.lengths.len() >= LENGTHS {
                    let mut kept = false;
                    self.lengths.retain(|_| {
                        kept = !kept;
                        kept
                    });
                    self.each = self.each.saturating_mul(2);
                }
                self.lengths.push(nanos.saturating_sub(*from));
            }
        }
    }

    /// From an event to that many further on: the median.
    fn usual_length(mut self) -> Option<i64> {
        let middle = self.lengths.len() / 2;
        (!self.lengths.is_empty()).then(|| *self.lengths.select_nth_unstable(middle).1)
    }
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
