//! Alarms as CloudWatch evaluates them: metric alarms, composite alarms, and the suppression of their actions.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html>

use std::collections::{BTreeMap, BTreeSet};

/// The state of an alarm. One that is new has no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
    InsufficientData,
}

/// A series, by namespace, name and dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// How the values of a period become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statistic {
    Maximum,
    Minimum,
    Sum,
}

/// An alarm on one series.
#[derive(Debug, Clone)]
pub(crate) struct MetricAlarm {
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) statistic: Statistic,
    /// Above the threshold is bad; else below.
    pub(crate) above: bool,
    pub(crate) threshold: f64,
    /// Minutes.
    pub(crate) period: usize,
    pub(crate) periods: usize,
    /// Without data the state is that there is none; else all is well.
    pub(crate) missing_is_told: bool,
    /// Tells somebody of ALARM, and of INSUFFICIENT_DATA.
    pub(crate) tells: (bool, bool),
}

/// An alarm on alarms.
#[derive(Debug, Clone)]
pub(crate) struct CompositeAlarm {
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) tells: bool,
    pub(crate) suppressor: Option<Suppressor>,
}

/// The alarm that keeps another one silent. Minutes.
#[derive(Debug, Clone)]
pub(crate) struct Suppressor {
    pub(crate) alarm: String,
    pub(crate) extension: usize,
    pub(crate) wait: usize,
}

/// What a composite alarm does about its actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actions {
    None,
    Waiting(usize),
    Suppressed,
    Extended(usize),
    Told,
}

/// All alarms of a stack, and how they stand.
pub(crate) struct CloudWatch {
    pub(crate) metric: Vec<MetricAlarm>,
    pub(crate) composite: Vec<CompositeAlarm>,
    pub(crate) states: BTreeMap<String, State>,
    actions: BTreeMap<String, Actions>,
    data: BTreeMap<Metric, Vec<Option<f64>>>,
    minute: usize,
}

impl CloudWatch {
    pub(crate) fn new(metric: Vec<MetricAlarm>, composite: Vec<CompositeAlarm>) -> Self {
        let names = metric.iter().map(|alarm| &alarm.name).chain(composite.iter().map(|alarm| &alarm.name));
        let states = names.map(|name| (name.clone(), State::InsufficientData)).collect();
        Self { metric, composite, states, actions: BTreeMap::new(), data: BTreeMap::new(), minute: 0 }
    }

    /// A minute with the values of series. Returns the alarms that told somebody that something is wrong.
    pub(crate) fn pass(&mut self, value: impl Fn(&MetricAlarm) -> Option<f64>) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        for alarm in &self.metric {
            self.data.entry(alarm.metric.clone()).or_default().push(value(alarm));
        }
        self.minute += 1;
        for alarm in &self.metric {
            let state = evaluate(alarm, &self.data[&alarm.metric]);
            let before = self.states.insert(alarm.name.clone(), state);
            let tells = match state {
                State::Ok => false,
                State::Alarm => alarm.tells.0,
                State::InsufficientData => alarm.tells.1,
            };
            if before != Some(state) && tells {
                told.insert(alarm.name.clone());
            }
        }
        for alarm in &self.composite {
            let state = if holds(&alarm.rule, &self.states) { State::Alarm } else { State::Ok };
            self.states.insert(alarm.name.clone(), state);
        }
        for alarm in &self.composite {
            let before = self.actions.get(&alarm.name).copied().unwrap_or(Actions::None);
            let suppressor = alarm.suppressor.as_ref();
            let suppressed = suppressor.is_some_and(|by| self.states[&by.alarm] == State::Alarm);
            let after = match before {
                _ if self.states[&alarm.name] != State::Alarm => Actions::None,
                Actions::Told => Actions::Told,
                _ if suppressed => Actions::Suppressed,
                Actions::None if suppressor.is_none() => Actions::Told,
                Actions::None => Actions::Waiting(self.minute),
                Actions::Suppressed => Actions::Extended(self.minute),
                Actions::Waiting(since) if self.minute - since >= suppressor.map_or(0, |by| by.wait) => Actions::Told,
                Actions::Extended(since) if self.minute - since >= suppressor.map_or(0, |by| by.extension) => {
                    Actions::Told
                }
                waiting => waiting,
            };
            if after == Actions::Told && before != Actions::Told && alarm.tells {
                told.insert(alarm.name.clone());
            }
            self.actions.insert(alarm.name.clone(), after);
        }
        told
    }
}

/// The state that the last periods of a series give. All periods have to be bad, of those that have data.
fn evaluate(alarm: &MetricAlarm, data: &[Option<f64>]) -> State {
    let points: Vec<Option<f64>> = (0..alarm.periods)
        .map(|back| {
            let end = data.len().saturating_sub(back * alarm.period);
            let values = data[end.saturating_sub(alarm.period)..end].iter().flatten().copied();
            match alarm.statistic {
                Statistic::Maximum => values.reduce(f64::max),
                Statistic::Minimum => values.reduce(f64::min),
                Statistic::Sum => values.reduce(|a, b| a + b),
            }
        })
        .collect();
    let bad = |value: f64| if alarm.above { value > alarm.threshold } else { value < alarm.threshold };
    if alarm.missing_is_told {
        match points.iter().flatten().copied().collect::<Vec<_>>() {
            there if there.is_empty() => State::InsufficientData,
            there if there.iter().all(|value| bad(*value)) => State::Alarm,
            _ => State::Ok,
        }
    } else if points.iter().all(|point| point.is_some_and(bad)) {
        State::Alarm
    } else {
        State::Ok
    }
}

/// Whether a composite alarm's rule holds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>
pub(crate) fn holds(rule: &str, states: &BTreeMap<String, State>) -> bool {
    let mut rest = rule.trim();
    let value = any(&mut rest, states);
    assert!(rest.is_empty(), "not understood: {rest}");
    value
}

fn word<'a>(rest: &mut &'a str, word: &str) -> Option<&'a str> {
    let after = rest.strip_prefix(word)?;
    *rest = after.trim_start();
    Some(after)
}

fn any(rest: &mut &str, states: &BTreeMap<String, State>) -> bool {
    let mut value = all(rest, states);
    while word(rest, "OR").is_some() {
        value |= all(rest, states);
    }
    value
}

fn all(rest: &mut &str, states: &BTreeMap<String, State>) -> bool {
    let mut value = one(rest, states);
    while word(rest, "AND").is_some() {
        value &= one(rest, states);
    }
    value
}

fn one(rest: &mut &str, states: &BTreeMap<String, State>) -> bool {
    if word(rest, "NOT").is_some() {
        return !one(rest, states);
    }
    if word(rest, "(").is_some() {
        let value = any(rest, states);
        assert!(word(rest, ")").is_some(), "no bracket at: {rest}");
        return value;
    }
    let kinds = [("ALARM(", State::Alarm), ("OK(", State::Ok), ("INSUFFICIENT_DATA(", State::InsufficientData)];
    let (_, state) = kinds.into_iter().find(|(name, _)| word(rest, name).is_some()).expect("a function of alarms");
    let (name, after) = rest.split_once(')').expect("a bracket");
    *rest = after.trim_start();
    let name = name.trim_matches('"');
    *states.get(name).unwrap_or_else(|| panic!("there is no alarm {name}")) == state
}

#[test]
fn rules_are_read_as_cloudwatch_reads_them() {
    let states = BTreeMap::from([
        ("a".to_owned(), State::Alarm),
        ("o".to_owned(), State::Ok),
        ("i".to_owned(), State::InsufficientData),
    ]);
    for (rule, value) in [
        ("ALARM(\"a\")", true),
        ("ALARM(\"o\") OR INSUFFICIENT_DATA(\"i\")", true),
        ("(ALARM(\"a\") OR ALARM(\"o\")) AND NOT (ALARM(\"a\"))", false),
        ("((ALARM(\"a\")) AND OK(\"o\"))", true),
        ("ALARM(\"o\") AND ALARM(\"a\") OR OK(\"o\")", true),
    ] {
        assert_eq!(holds(rule, &states), value, "{rule}");
    }
}
