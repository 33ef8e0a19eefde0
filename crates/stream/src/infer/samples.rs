//! Two redacted records, with the rows that they give.

use std::collections::HashSet;

use super::{
    draft::{Draft, quoted},
    envelope::Opened,
    parts, redact,
    stats::Leaf,
};
use crate::{
    declaration::Declaration,
    decode::{Decoder, Record},
    envelope::Framing,
    format::{Format, Span, pairs},
    path::Step,
    row::{Rows, Value},
};

/// How many samples are written.
const SAMPLES: usize = 2;
/// Longer records make no sample that a person would read.
const MAX_BYTES: usize = 6_000;
/// How many rows of a sample are shown.
const MAX_ROWS: usize = 8;
/// How many columns a sample's row shows.
const SHOWN: usize = 6;

pub(super) fn add(declaration: &Declaration, draft: &mut Draft, opened: &Opened) {
    let leaves: Vec<Leaf> = match &declaration.format {
        Format::Json => super::json::leaves(opened, &mut Draft::default()),
        _ => parts::recognise(&opened.units, &mut Draft::default()).unwrap_or_default(),
    };
    let words = redact::words(&leaves);
    let mut decoder = Decoder::new(declaration);
    for record in &opened.records {
        if draft.samples.len() == SAMPLES {
            return;
        }
        // Of many lines, the first are sample enough.
        let several = declaration.envelope.framing == Framing::Lines;
        let short: String = if several {
            record.lines().take(SAMPLES).map(|line| format!("{line}\n")).collect()
        } else {
            record.clone()
        };
        let record = short.as_str();
        if record.len() > MAX_BYTES {
            continue;
        }
        let redacted = match &declaration.format {
            _ if opened.logs => message(record, declaration, &words),
            Format::Json => redact::json(record, &words),
            _ => record.lines().map(|line| text(line, declaration, &words)).collect::<Vec<_>>().join("\n"),
        };
        let mut rows = Rows::default();
        decoder.decode(Record::new(redacted.as_bytes()), &mut rows);
        if rows.refusals().next().is_some() {
            continue;
        }
        let shown: Vec<String> = rows.rows().map(|row| shown(declaration, &row.values)).collect();
        let mut lines = vec![format!("record = {}", quoted(&redacted))];
        match shown.as_slice() {
            [] => continue,
            [one] => lines.push(format!("row = {one}")),
            // As many rows are no sample that a person would read.
            several if several.len() > MAX_ROWS => {}
            several => lines.push(format!("rows = [{}]", several.join(", "))),
        }
        draft.samples.push(lines);
    }
    if draft.samples.is_empty() {
        draft.unsure.push("samples: none could be redacted and still be read; add one by hand".to_owned());
    }
}

fn shown(declaration: &Declaration, values: &[Value]) -> String {
    let columns = declaration.columns();
    let first = |name: &str| {
        declaration.key.as_deref() == Some(name) || declaration.metrics.iter().any(|metric| metric == name)
    };
    let mut cells: Vec<(bool, String)> = columns
        .iter()
        .zip(values)
        .filter_map(|(column, value)| {
            let text = match value {
                Value::Double(value) => format!("{value:?}"),
                Value::Integer(value) => value.to_string(),
                Value::Boolean(value) => value.to_string(),
                Value::Text(text) if text.len() < 60 => quoted(text),
                Value::Timestamp(nanos) => quoted(&weir_anomaly::Timestamp::from_nanos(*nanos).to_string()),
                _ => return None,
            };
            Some((first(&column.name), format!("{} = {text}", column.name)))
        })
        .collect();
    cells.sort_by_key(|(first, _)| !first);
    format!("{{ {} }}", cells.into_iter().take(SHOWN).map(|(_, cell)| cell).collect::<Vec<_>>().join(", "))
}

/// A line with its parts masked; the part that is the time stays.
fn text(line: &str, declaration: &Declaration, words: &HashSet<String>) -> String {
    let (mut scratch, mut spans): (String, Vec<(Span, bool)>) = (String::new(), Vec::new());
    let time = declaration.time.as_ref().and_then(|time| time.path.steps.first());
    let is_time = |index: usize, name: Option<&str>| match time {
        Some(Step::Member(member)) => name == Some(member.as_str()),
        Some(Step::Element(column)) => index == *column,
        _ => false,
    };
    match &declaration.format {
        Format::Text(pattern) => {
            let names: Vec<&str> = pattern.names().collect();
            let split = pattern.split(line, |part, span| spans.push((span, is_time(part, names.get(part).copied()))));
            if split.is_none() {
                return redact::masked(line, words);
            }
        }
        Format::Csv(csv) => {
            let names = &csv.columns.names;
            let name = |column: usize| names.get(column).map(String::as_str).filter(|name| !name.is_empty());
            drop(csv.split(line, &mut scratch, |column, span| spans.push((span, is_time(column, name(column))))));
        }
        Format::Logfmt => {
            drop(pairs(line, &mut scratch, |key, span, _| spans.push((span, is_time(usize::MAX, Some(key))))))
        }
        Format::Json => return redact::json(line, words),
    }
    // Parts whose quotes were resolved cannot be put back: the line is masked as a whole.
    if spans.iter().any(|(span, _)| span.is_scratch() && span.text(line, &scratch) != "true") {
        return redact::masked(line, words);
    }
    let (mut out, mut at) = (String::new(), 0);
    for (span, is_time) in spans.iter().filter(|(span, _)| !span.is_scratch()) {
        out.push_str(line.get(at..span.start()).unwrap_or_default());
        let part = span.text(line, &scratch);
        if *is_time {
            out.push_str(part)
        } else {
            out.push_str(&redact::masked(part, words))
        }
        at = span.end();
    }
    out.push_str(line.get(at..).unwrap_or_default());
    out
}

/// A CloudWatch Logs message with its texts masked, each log event by its own format.
fn message(record: &str, declaration: &Declaration, words: &HashSet<String>) -> String {
    let Ok(mut message) = serde_json::from_str::<serde_json::Value>(record) else { return String::new() };
    let events =
        message.get_mut("logEvents").and_then(serde_json::Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let mut head: serde_json::Value =
        serde_json::from_str(&redact::json(&message.to_string(), words)).unwrap_or_default();
    let events: Vec<serde_json::Value> = events
        .into_iter()
        .take(SAMPLES)
        .enumerate()
        .filter_map(|(index, event)| {
            let line = text(event.get("message")?.as_str()?, declaration, words);
            Some(serde_json::json!({ "id": index.to_string(), "timestamp": event.get("timestamp")?, "message": line }))
        })
        .collect();
    if let Some(head) = head.as_object_mut() {
        head.insert("logEvents".to_owned(), events.into());
    }
    head.to_string()
}
