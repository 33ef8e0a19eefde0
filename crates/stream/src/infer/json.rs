//! Places in JSON records, and the list whose elements are rows.

use serde_json::Value;

use super::{
    draft::Draft,
    envelope::Opened,
    stats::{Leaf, Stats},
};
use crate::{
    declaration::Scope,
    path::{Path, Step},
};

/// How deep places are looked for.
const MAX_STEPS: usize = 8;
/// Objects with more members than this have names as data: they are one JSON value.
const MAX_MEMBERS: usize = 60;
/// So many keys of a list of keys and values become places.
const MAX_KEYS: usize = 12;

pub(super) fn leaves(opened: &Opened, draft: &mut Draft) -> Vec<Leaf> {
    let records: Vec<Value> = opened.units.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let mut found = Found::default();
    let roots: Vec<&Value> = if opened.eventbridge {
        records.iter().filter_map(|event| event.get("detail")).collect()
    } else {
        records.iter().collect()
    };
    match each(&roots) {
        Some(each) => {
            draft.each = Some(if each.to_string().starts_with('$') { each.to_string() } else { format!("$.{each}") });
            let mut elements = 0;
            for root in &roots {
                walk_each(root, &each.steps, &Path::default(), &mut found, &mut elements);
            }
            found.finish(elements, roots.len())
        }
        None => {
            roots.iter().for_each(|root| found.walk(root, &Path::default(), Scope::Row));
            if opened.eventbridge {
                for event in records.iter().filter_map(Value::as_object) {
                    for name in ["time", "source", "detail-type", "account", "region"] {
                        let value = event.get(name).unwrap_or(&Value::Null);
                        found.see(&Path::member(name), Scope::Envelope, value);
                    }
                }
            }
            found.finish(roots.len(), roots.len())
        }
    }
}

#[derive(Default)]
struct Found {
    leaves: Vec<Leaf>,
}

impl Found {
    fn see(&mut self, path: &Path, of: Scope, value: &Value) {
        let at = self.leaves.iter().position(|leaf| leaf.path == *path && leaf.of == of).unwrap_or_else(|| {
            self.leaves.push(Leaf { path: path.clone(), of, stats: Stats::default(), of_rows: 0 });
            self.leaves.len() - 1
        });
        if let Some(leaf) = self.leaves.get_mut(at) {
            leaf.stats.see(value);
        }
    }

    fn walk(&mut self, value: &Value, path: &Path, of: Scope) {
        match value {
            Value::Object(members) if members.len() <= MAX_MEMBERS && path.steps.len() < MAX_STEPS => {
                for (name, value) in members {
                    self.walk(value, &path.then(&Path::member(name)), of);
                }
            }
            Value::Array(items) => match keys_and_values(items) {
                Some(pairs) => {
                    for (member, key, value) in pairs {
                        let step = Step::Where { member: member.to_owned(), equals: key.to_owned() };
                        let place = path.then(&Path { steps: vec![step, Step::Member("value".to_owned())] });
                        self.walk(value, &place, of);
                    }
                }
                None => self.see(path, of, value),
            },
            value => self.see(path, of, value),
        }
    }

    fn finish(mut self, rows: usize, records: usize) -> Vec<Leaf> {
        for leaf in &mut self.leaves {
            leaf.of_rows =
                if leaf.of == Scope::Row || leaf.path.levels() > 0 { rows.max(leaf.stats.present) } else { records };
        }
        self.leaves
    }
}

/// OTLP's and others' lists of `{"key":…,"value":…}`.
fn keys_and_values(items: &[Value]) -> Option<Vec<(&'static str, &str, &Value)>> {
    if items.is_empty() || items.len() > MAX_KEYS {
        return None;
    }
    ["key", "name", "Name"].into_iter().find_map(|member| {
        items.iter().map(|item| Some((member, item.get(member)?.as_str()?, item.get("value")?))).collect()
    })
}

/// The list whose elements are rows: the deepest chain of lists of objects whose elements carry a time, or the record's own
/// list.
fn each(roots: &[&Value]) -> Option<Path> {
    if super::envelope::most(roots.iter().filter(|root| root.is_array()).count(), roots.len()) {
        return Some(Path { steps: vec![Step::Every] });
    }
    let mut best: Option<(Path, usize)> = None;
    for root in roots {
        deepest(root, &Path::default(), &mut best);
    }
    best.map(|(path, _)| path)
}

fn deepest(value: &Value, path: &Path, best: &mut Option<(Path, usize)>) {
    if path.steps.len() > MAX_STEPS {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                deepest(value, &path.then(&Path::member(name)), best);
            }
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            let path = path.then(&Path { steps: vec![Step::Every] });
            let timed = items
                .iter()
                .all(|item| item.as_object().is_some_and(|item| item.iter().any(|(name, value)| is_time(name, value))));
            if timed && best.as_ref().is_none_or(|(_, levels)| path.levels() > *levels) {
                *best = Some((path.clone(), path.levels()));
            }
            items.iter().for_each(|item| deepest(item, &path, best));
        }
        _ => {}
    }
}

fn is_time(name: &str, value: &Value) -> bool {
    let mut stats = Stats::default();
    stats.see(value);
    super::time::time_name(name) > 0 && stats.forms.best(1).is_some()
}

/// Sees the elements of `each` as rows, and what stands beside the lists as fields of the record.
fn walk_each(value: &Value, steps: &[Step], path: &Path, found: &mut Found, elements: &mut usize) {
    let Some((step, rest)) = steps.split_first() else {
        *elements += 1;
        return found.walk(value, &Path::default(), Scope::Row);
    };
    let further = path.then(&Path { steps: vec![step.clone()] });
    match (step, value) {
        (Step::Every, Value::Array(items)) => {
            items.iter().for_each(|item| walk_each(item, rest, &further, found, elements))
        }
        (Step::Member(name), Value::Object(members)) => {
            for (other, value) in members.iter().filter(|(other, _)| *other != name) {
                if !value.is_array() || keys_and_values(value.as_array().map_or(&[], Vec::as_slice)).is_some() {
                    found.walk(value, &path.then(&Path::member(other)), Scope::Record);
                }
            }
            if let Some(value) = members.get(name) {
                walk_each(value, rest, &further, found, elements);
            }
        }
        _ => {}
    }
}
