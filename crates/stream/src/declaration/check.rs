//! What must hold between the keys of a stream's file.

use std::collections::BTreeSet;

use super::{
    Declaration, Field, FieldType, Scope,
    key::MAX_NAME,
    table::{Source, Table},
};
use crate::{
    envelope::Framing,
    fault::did_you_mean,
    format::Format,
    path::{Path, Step},
    predicate::Predicate,
};

/// The name of a stream is the name of its view.
pub(super) fn stream_name(source: &mut Source<'_>, name: &str) {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts
        || name.len() > MAX_NAME
        || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        source.fault_with_hint(
            0,
            format!("`{name}` is no view's name: lower case letters, digits and `_`, a letter first"),
            "the file's name is the view's name: rules say FROM it",
        );
    }
}

pub(super) fn declaration(source: &mut Source<'_>, declaration: &mut Declaration, top: &Table<'_, '_>) {
    let place = |key: &str| top.get(key).map_or(top.at, |value| value.span().start);
    if declaration.fields.is_empty() && source.faults.is_empty() {
        source.fault_with_hint(place("fields"), "a stream needs at least one field", "[fields]\ndevice = \"text\"");
    }
    each(source, declaration, place("each"));
    for field in &declaration.fields {
        let at = field_place(source, &field.name, top);
        check_path(source, declaration, &field.path, field.of, at, &format!("field `{}`", field.name));
    }
    if let Some(time) = &declaration.time {
        check_path(source, declaration, &time.path, time.of, place("time"), "`time`");
    }
    let columns = declaration.columns();
    let names = || columns.iter().map(|column| column.name.as_str());
    if let Some(key) = &declaration.key {
        match columns.iter().find(|column| column.name == *key) {
            None => {
                source.fault_with_hint(place("key"), format!("there is no field `{key}`"), did_you_mean(key, names()))
            }
            Some(column) if matches!(column.kind, FieldType::Double | FieldType::Json | FieldType::Timestamp) => {
                source
                    .fault(place("key"), format!("`{key}` cannot name a series: it is of type {}", column.kind.name()));
            }
            Some(_) => {}
        }
    }
    let mut seen = BTreeSet::new();
    for (metric, span) in top.texts(source, "metrics").unwrap_or_default() {
        if !seen.insert(metric) {
            source.fault(span.start, format!("`{metric}` is a metric already: each reading would count twice"));
            continue;
        }
        match columns.iter().find(|column| column.name == metric) {
            None => source.fault_with_hint(
                span.start,
                format!("there is no field `{metric}`"),
                did_you_mean(metric, names()),
            ),
            Some(column) if !matches!(column.kind, FieldType::Double | FieldType::Integer) => {
                source.fault(span.start, format!("`{metric}` is no metric: it is of type {}", column.kind.name()));
            }
            Some(_) => {}
        }
    }
    if let Some((text, span)) = top.text(source, "ignore") {
        let typed: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
        match Predicate::parse(text, &typed) {
            Ok(predicate) => declaration.ignore = Some(predicate),
            Err(error) => {
                let at = source.inside(&span, error.at);
                match error.hint {
                    Some(hint) => source.fault_with_hint(at, error.message, hint),
                    None => source.fault(at, error.message),
                }
            }
        }
    }
}

/// Where a field's declaration stands.
fn field_place(source: &Source<'_>, name: &str, top: &Table<'_, '_>) -> usize {
    let start = top.get("fields").and_then(|fields| fields.get_ref().get(name)).map(|value| value.span().start);
    start.unwrap_or_else(|| source.text.find(name).unwrap_or_default())
}

fn each(source: &mut Source<'_>, declaration: &Declaration, at: usize) {
    let Some(each) = &declaration.each else { return };
    if declaration.format != Format::Json {
        source.fault(at, "`each` needs format = \"json\"");
    }
    if each.levels() == 0 {
        source.fault_with_hint(
            at,
            format!("`{each}` names no elements"),
            format!("each = \"{}[*]\"", in_dollars(each)),
        );
    } else if each.steps.last() != Some(&Step::Every) {
        source.fault_with_hint(
            at,
            "`each` ends at the elements, with `[*]`",
            "fields say how they go on from there: path = \"…\"",
        );
    }
}

fn in_dollars(path: &Path) -> String {
    let text = path.to_string();
    if text.starts_with('$') { text } else { format!("$.{text}") }
}

fn check_path(source: &mut Source<'_>, declaration: &Declaration, path: &Path, of: Scope, at: usize, what: &str) {
    if of == Scope::Envelope {
        match (declaration.envelope.framing.members(), path.steps.as_slice()) {
            (None, _) => {}
            (Some([]), _) => source.fault(at, format!("{what}: this envelope has no fields of its own")),
            (Some(members), [Step::Member(name)]) if members.contains(&name.as_str()) => {}
            (Some(members), _) => {
                let hint = did_you_mean(&path.to_string(), members.iter().copied());
                source.fault_with_hint(at, format!("{what}: the envelope has no field `{path}`"), hint);
            }
        }
        return;
    }
    match &declaration.format {
        Format::Json => rows(source, declaration, path, of, at, what),
        Format::Text(pattern) => named(source, path, at, what, "part", || pattern.names().collect()),
        Format::Csv(csv) => match path.steps.as_slice() {
            [Step::Element(index)] if *index < csv.columns.names.len() || csv.columns.more => {}
            [Step::Element(index)] => source.fault(at, format!("{what}: there is no column {}", index + 1)),
            _ => named(source, path, at, what, "column", || csv.columns.names.iter().map(String::as_str).collect()),
        },
        Format::Logfmt => match path.steps.as_slice() {
            [Step::Member(_)] => {}
            _ => source.fault(at, format!("{what}: logfmt has keys, no nested paths")),
        },
    }
}

fn named<'a>(
    source: &mut Source<'_>,
    path: &Path,
    at: usize,
    what: &str,
    part: &str,
    names: impl Fn() -> Vec<&'a str>,
) {
    let names: Vec<&str> = names().into_iter().filter(|name| !name.is_empty()).collect();
    match path.steps.as_slice() {
        [Step::Member(name)] if names.contains(&name.as_str()) => {}
        _ => {
            let hint = did_you_mean(&path.to_string(), names.iter().copied());
            source.fault_with_hint(at, format!("{what}: there is no {part} `{path}`"), hint);
        }
    }
}

/// `[*]` in a path must follow `each`.
fn rows(source: &mut Source<'_>, declaration: &Declaration, path: &Path, of: Scope, at: usize, what: &str) {
    let levels = path.levels();
    if levels == 0 {
        return;
    }
    let each = declaration.each.clone().unwrap_or_default();
    let last = path.steps.iter().rposition(|step| *step == Step::Every).map_or(0, |last| last + 1);
    let follows = of == Scope::Record && each.steps.starts_with(path.steps.get(..last).unwrap_or_default());
    if !follows {
        let hint = if declaration.each.is_none() {
            format!(
                "each = \"{}\" makes rows of the elements",
                in_dollars(&Path { steps: path.steps.get(..last).unwrap_or_default().to_vec() })
            )
        } else {
            "with of = \"record\" a path can follow `each` as far as it goes along".to_owned()
        };
        source.fault_with_hint(at, format!("{what}: `[*]` in `{path}` does not follow `each`"), hint);
    }
}

impl Field {
    /// The text by which `bad_time` and faults name a path.
    pub(crate) fn path_text(&self) -> String {
        self.path.to_string()
    }
}

impl Framing {
    /// Whether a record can hold control records beside others: where one record is one JSON value.
    pub(crate) const fn holds_control(self) -> bool {
        !matches!(self, Self::CloudwatchLogs)
    }
}
