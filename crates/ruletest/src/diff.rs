//! Expected against found, for a person.

use std::fmt::Write as _;

use serde_json::{Map, Value};

pub(super) type Fields = Map<String, Value>;

/// What a person needs of an anomaly, in this order.
const SHOWN: [&str; 8] = ["key", "window_start", "window_end", "timestamp", "value", "expected", "score", "details"];

/// Which of the expected anomalies is which of the found: the index of the expected for each found.
pub(super) fn matched(expected: &[Fields], found: &[Fields]) -> Vec<Option<usize>> {
    let mut of = vec![None; found.len()];
    for (wanted, fields) in expected.iter().enumerate() {
        let free = found.iter().zip(&of).position(|(found, of)| of.is_none() && matches(fields, found));
        if let Some(of) = free.and_then(|index| of.get_mut(index)) {
            *of = Some(wanted);
        }
    }
    of
}

/// What was expected and did not come, and what came and was not expected; `None` when all is as expected.
pub(super) fn unexpected(expected: &[Fields], found: &[Fields]) -> Option<String> {
    let of = matched(expected, found);
    let missing: Vec<&Fields> = expected
        .iter()
        .enumerate()
        .filter(|(index, _)| !of.contains(&Some(*index)))
        .map(|(_, fields)| fields)
        .collect();
    let left: Vec<&Fields> = found.iter().zip(&of).filter(|(_, of)| of.is_none()).map(|(fields, _)| fields).collect();
    if missing.is_empty() && left.is_empty() {
        return None;
    }
    let mut text = String::new();
    for wanted in missing {
        let _ = writeln!(text, "- missing   {}", listed(wanted, wanted.keys().map(String::as_str)));
        if let Some(differences) = closest(wanted, &left) {
            let _ = writeln!(text, "  closest   {differences}");
        }
    }
    for fields in left {
        let _ = writeln!(text, "+ found     {}", shown(fields));
    }
    Some(text)
}

/// Two lists that should be the same.
pub(super) fn changed(usual: &[Fields], other: &[Fields]) -> String {
    let mut text = String::new();
    for fields in usual.iter().filter(|fields| !other.contains(fields)) {
        let _ = writeln!(text, "- usually   {}", shown(fields));
    }
    for fields in other.iter().filter(|fields| !usual.contains(fields)) {
        let _ = writeln!(text, "+ now       {}", shown(fields));
    }
    text
}

/// How the found anomaly that is most like the expected one differs from it.
fn closest(wanted: &Fields, left: &[&Fields]) -> Option<String> {
    let differences = |found: &&Fields| -> Vec<String> {
        let differs = |(name, value): (&String, &Value)| {
            let field = found.get(name);
            let same = field.is_some_and(|field| same(value, field));
            (!same).then(|| format!("{name} is {}", field.map_or_else(|| "absent".to_owned(), written)))
        };
        wanted.iter().filter_map(differs).collect()
    };
    let best = left.iter().map(differences).min_by_key(Vec::len)?;
    (best.len() < wanted.len()).then(|| best.join(", "))
}

fn shown(fields: &Fields) -> String {
    // An anomaly of a window has the window's end as its time.
    let windowed = fields.get("window_end").is_some_and(|end| !end.is_null());
    listed(fields, SHOWN.into_iter().filter(|name| !(windowed && *name == "timestamp")))
}

fn listed<'a>(fields: &Fields, names: impl Iterator<Item = &'a str>) -> String {
    let field = |name: &str| {
        let value = fields.get(name).filter(|value| !value.is_null())?;
        Some(format!("{name} = {}", written(value)))
    };
    names.filter_map(field).collect::<Vec<_>>().join(", ")
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => format!("{{ {} }}", listed(fields, fields.keys().map(String::as_str))),
        other => other.to_string(),
    }
}

/// Whether an anomaly has every expected field.
fn matches(wanted: &Fields, found: &Fields) -> bool {
    wanted.iter().all(|(name, wanted)| found.get(name).is_some_and(|found| same(wanted, found)))
}

/// Objects by the fields that are expected; numbers within a billionth.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => matches(wanted, found),
        (Value::Number(wanted), Value::Number(found)) => match (wanted.as_f64(), found.as_f64()) {
            (Some(wanted), Some(found)) => (wanted - found).abs() <= 1e-9 * wanted.abs().max(1.0),
            _ => false,
        },
        (wanted, found) => wanted == found,
    }
}
