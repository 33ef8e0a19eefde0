//! JSON records: values are set by their paths.

use serde_json::{Map, Value, json};

use super::{set_member, time};
use crate::{
    declaration::{Declaration, Field, FieldType, Scope},
    envelope::Framing,
    path::{Path, Step},
};

/// Where a path begins.
struct Places<'a> {
    declaration: &'a Declaration,
    root: Value,
}

pub(super) fn written(
    declaration: &Declaration,
    record: &str,
    message: &mut Option<Value>,
    nanos: i64,
    fields: &[(&Field, Value)],
) -> Result<String, String> {
    let root = serde_json::from_str(record).map_err(|error| error.to_string())?;
    let mut places = Places { declaration, root };
    places.keep_first();
    if let Some(own) = &declaration.time {
        match (own.of, message.as_mut()) {
            (Scope::Envelope, Some(message)) => {
                let value = time::number_or_text(&own.reader, nanos, true)?;
                set_member(message, &own.path.to_string(), value);
            }
            _ => {
                let as_number = places.get(&own.path, own.of).is_some_and(Value::is_number);
                places.set(&own.path, own.of, time::number_or_text(&own.reader, nanos, as_number)?)?;
            }
        }
    }
    for (field, value) in fields {
        match (field.of, message.as_mut()) {
            (Scope::Envelope, Some(message)) => set_member(message, &field.path.to_string(), value.clone()),
            _ => {
                let before = places.get(&field.path, field.of);
                let as_text = field.kind == FieldType::Text || before.is_some_and(Value::is_string);
                let value = match value {
                    Value::Number(number) if as_text => Value::String(number.to_string()),
                    Value::Bool(value) if as_text => Value::String(value.to_string()),
                    value => value.clone(),
                };
                places.set(&field.path, field.of, value)?;
            }
        }
    }
    Ok(places.root.to_string())
}

impl Places<'_> {
    /// The steps from the record's beginning.
    fn steps(&self, path: &Path, of: Scope) -> Vec<Step> {
        let each = self.declaration.each.as_ref().map_or(&[][..], |each| each.steps.as_slice());
        let inside: &[Step] = if of == Scope::Row { each } else { &[] };
        let detail = (self.declaration.envelope.framing == Framing::Eventbridge && of != Scope::Envelope)
            .then(|| Step::Member("detail".to_owned()));
        let steps = detail.into_iter().chain(inside.iter().cloned()).chain(path.steps.iter().cloned());
        // Of each list that `each` walks, the first element is the row.
        steps.map(|step| if step == Step::Every { Step::Element(0) } else { step }).collect()
    }

    /// One row a record: lists that `each` walks are cut to their first element.
    fn keep_first(&mut self) {
        let Some(each) = &self.declaration.each else { return };
        for (index, step) in each.steps.iter().enumerate() {
            if *step == Step::Every {
                let before = Path { steps: each.steps.iter().take(index).cloned().collect() };
                let steps = self.steps(&before, Scope::Record);
                if let Some(Value::Array(items)) = find(&mut self.root, &steps) {
                    items.truncate(1);
                }
            }
        }
    }

    fn get(&mut self, path: &Path, of: Scope) -> Option<&Value> {
        let steps = self.steps(path, of);
        find(&mut self.root, &steps).map(|value| &*value)
    }

    fn set(&mut self, path: &Path, of: Scope, value: Value) -> Result<(), String> {
        let steps = self.steps(path, of);
        if value.is_null() {
            remove(&mut self.root, &steps);
            return Ok(());
        }
        let mut place = &mut self.root;
        for step in &steps {
            place = enter(place, step).ok_or_else(|| format!("the sample has something else at `{path}`"))?;
        }
        *place = value;
        Ok(())
    }
}

fn find<'a>(root: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(root, |place, step| match step {
        Step::Member(name) => place.get_mut(name),
        Step::Element(index) => place.get_mut(index),
        Step::Every => place.get_mut(0),
        Step::Where { member, equals } => {
            place.as_array_mut()?.iter_mut().find(|item| item.get(member).and_then(Value::as_str) == Some(equals))
        }
    })
}

/// One step further; what is not there is made.
fn enter<'a>(place: &'a mut Value, step: &Step) -> Option<&'a mut Value> {
    match step {
        Step::Member(name) => {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            Some(place.as_object_mut()?.entry(name.as_str()).or_insert(Value::Null))
        }
        Step::Element(_) | Step::Every => {
            let index = if let Step::Element(index) = step { *index } else { 0 };
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let items = place.as_array_mut()?;
            if items.len() <= index {
                items.resize(index + 1, Value::Null);
            }
            items.get_mut(index)
        }
        Step::Where { member, equals } => {
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let items = place.as_array_mut()?;
            let found = items.iter().position(|item| item.get(member).and_then(Value::as_str) == Some(equals));
            let index = found.unwrap_or_else(|| {
                items.push(json!({ member.as_str(): equals }));
                items.len() - 1
            });
            items.get_mut(index)
        }
    }
}

fn remove(root: &mut Value, steps: &[Step]) {
    let Some((last, before)) = steps.split_last() else { return };
    let Some(parent) = find(root, before) else { return };
    match (last, parent) {
        (Step::Member(name), Value::Object(members)) => drop(members.remove(name)),
        (Step::Element(index), Value::Array(items)) => {
            if let Some(item) = items.get_mut(*index) {
                *item = Value::Null;
            }
        }
        _ => {}
    }
}
