//! What rules expected all along, not only where they fired.
//!
//! A rule gives rows only for anomalies. Without the filter of its outermost `SELECT` the same rule gives a row for every
//! window: its `expected` is the line, and its own limits are the band, which its header names (`[band]`).

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use weir_anomaly::{Record, Stage};
use weir_engine::RunOptions;
use weir_project::{Planned, compile::joined};
use weir_rules::{Band, Deviations, Edges, Pack, ParameterValue, Policies, Rule, compile};

use crate::{Rules, history::History};

/// What a rule expected at the end of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expectation {
    pub(crate) nanos: i64,
    /// What the rule looked at.
    pub(crate) value: Option<f64>,
    pub(crate) expected: f64,
    /// Between which values nothing is wrong.
    pub(crate) band: Option<(f64, f64)>,
}

/// By key, then by rule, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Expectations(pub(crate) BTreeMap<String, BTreeMap<String, Vec<Expectation>>>);

/// More expectations than this in one panel hide each other.
const MOST: usize = 2;

impl Expectations {
    /// What is drawn for a series: rules with a band before those with only a line, those that fired most first.
    pub(super) fn of(&self, key: &str, fired: impl Fn(&str) -> usize) -> BTreeMap<&str, &[Expectation]> {
        let rules = self.0.get(key).into_iter().flatten();
        let mut rules: Vec<(&str, &[Expectation])> =
            rules.map(|(rule, rows)| (rule.as_str(), rows.as_slice())).collect();
        rules.sort_by_key(|(rule, rows)| std::cmp::Reverse((rows.iter().any(|row| row.band.is_some()), fired(rule))));
        rules.into_iter().take(MOST).collect()
    }
}

/// Runs every windowed rule that gives `expected` without its filter, all of them in one pass over history.
pub(crate) async fn expectations(rules: &Rules, history: &History, options: RunOptions) -> Result<Expectations> {
    let mut found = Expectations::default();
    let mut open = Pack { rules: Vec::new(), ..rules.pack.clone() };
    for rule in rules.pack.rules.iter().filter(|rule| rule.header.stage != Stage::Off) {
        let Some(body) = without_filter(&rule.body) else { continue };
        let mut without = rule.clone();
        without.body = body.to_owned();
        without.header.policies = Policies::default();
        let alone = Pack { rules: vec![without], ..open.clone() };
        // A rule that only its filter makes possible has no band; the rule itself was compiled and planned before.
        if compile(&alone, &rules.environment).is_ok_and(|program| Planned::new(&program).is_ok()) {
            open.rules.extend(alone.rules);
        }
    }
    if open.rules.is_empty() {
        return Ok(found);
    }
    let program = compile(&open, &rules.environment).map_err(joined)?;
    let planned = Planned::new(&program)?;
    let output = planned.run_on(&history.feeds(planned.longest_window()), options).await?;
    output.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    for row in &output.anomalies {
        let Ok(Record::Anomaly(a)) = Record::parse(row.as_bytes()) else { continue };
        let (Some(expected), Some(_), false) = (a.expected, a.window_end, a.is_probe()) else { continue };
        let detail = |name: &str| a.details.get(name).and_then(Value::as_f64);
        let rule = rules.pack.rule(&a.rule);
        let band = match rule.and_then(|rule| rule.header.band.as_ref()) {
            Some(Band::Edges(Edges { lower, upper })) => detail(lower).zip(detail(upper)),
            Some(Band::Deviations(Deviations { deviation, times })) => {
                let times = rule.and_then(|rule| number(rule, times, rules));
                let width = detail(deviation).zip(times).map(|(deviation, times)| times * deviation);
                width.map(|width| (expected - width, expected + width))
            }
            None => None,
        };
        let nanos = a.timestamp.nanos();
        let policy = rule.and_then(|rule| rule.header.policies.of(&a.key));
        let allowed = policy.map_or(0.0, |policy| policy.deviation(expected));
        let of_key = found.0.entry(a.key).or_default();
        if allowed > 0.0 {
            let band = Some((expected - allowed, expected + allowed));
            let rows = of_key.entry(format!("{} (policy)", a.rule)).or_default();
            rows.push(Expectation { nanos, value: a.value, expected, band });
        }
        of_key.entry(a.rule).or_default().push(Expectation { nanos, value: a.value, expected, band });
    }
    for rows in found.0.values_mut().flat_map(BTreeMap::values_mut) {
        rows.sort_by_key(|row| row.nanos);
    }
    Ok(found)
}

/// The value of a numeric parameter.
fn number(rule: &Rule, name: &str, rules: &Rules) -> Option<f64> {
    let parameter = rule.header.parameters.get(name)?;
    let set = rules.environment.parameters.get(&rule.header.name).and_then(|values| values.get(name));
    match parameter.check(set.unwrap_or(&parameter.default)).ok()? {
        ParameterValue::Double(value) => Some(value),
        #[expect(clippy::cast_precision_loss, reason = "a number of deviations")]
        ParameterValue::Integer(value) => Some(value as f64),
        _ => None,
    }
}

/// The body up to the `WHERE` of its outermost `SELECT`; `None` when it has none, or looks at single events.
fn without_filter(body: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut filter = None;
    let bytes = body.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => {
                // A doubled quote closes one text and opens the next.
                at += 1 + bytes.get(at + 1..)?.iter().position(|other| other == byte)?;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                // A comment may be the last of the file.
                let Some(end) = bytes.get(at..)?.iter().position(|other| *other == b'\n') else { break };
                at += end;
            }
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            b'w' | b'W' if depth == 0 && is_word(bytes, at, b"where") => filter = Some(at),
            _ => {}
        }
        at += 1;
    }
    body.get(..filter?)
}

fn is_word(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    let name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
        && !name(at.checked_sub(1).and_then(|before| bytes.get(before)))
        && !name(bytes.get(at + word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_filter_goes() {
        let body =
            "SELECT a, 'where' AS \"where\" -- where\nFROM (SELECT * FROM t WHERE (x > 1)) AS inner_rows\nWHERE z > 5";
        assert_eq!(
            without_filter(body),
            Some("SELECT a, 'where' AS \"where\" -- where\nFROM (SELECT * FROM t WHERE (x > 1)) AS inner_rows\n")
        );
        assert_eq!(without_filter("SELECT a FROM t WHERE a > 1 -- where"), Some("SELECT a FROM t "));
        assert_eq!(without_filter("SELECT nowhere FROM t"), None);
        assert_eq!(without_filter("SELECT (a FROM t) WHERE)"), None);
    }
}
