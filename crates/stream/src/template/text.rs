//! Records of text: parts of a pattern, columns, keys and values are put in the places of the sample's.

use serde_json::Value;

use super::{set_member, time};
use crate::{
    declaration::{Declaration, Field, Scope},
    format::{Csv, Dissect, Format, pairs},
    path::{Path, Step},
};

pub(super) fn written(
    declaration: &Declaration,
    format: &Format,
    record: &str,
    message: &mut Option<Value>,
    nanos: i64,
    fields: &[(&Field, Value)],
) -> Result<String, String> {
    let null = declaration.null.first().map_or("", String::as_str);
    let mut set: Vec<(&Path, String)> = Vec::new();
    let mut put = |path, of: Scope, value: Value| match (of, message.as_mut()) {
        (Scope::Envelope, Some(message)) => set_member(message, &Path::to_string(path), value),
        _ => set.push((
            path,
            match value {
                Value::Null => null.to_owned(),
                Value::String(text) => text,
                other => other.to_string(),
            },
        )),
    };
    if let Some(own) = &declaration.time {
        put(&own.path, own.of, time::number_or_text(&own.reader, nanos, own.of == Scope::Envelope)?);
    }
    for (field, value) in fields {
        put(&field.path, field.of, value.clone());
    }
    let record = record.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
    match format {
        Format::Text(pattern) => parts(pattern, record, &set),
        Format::Csv(csv) => columns(csv, record, &set),
        Format::Logfmt | Format::Json => logfmt(record, &set),
    }
}

fn parts(pattern: &Dissect, record: &str, set: &[(&Path, String)]) -> Result<String, String> {
    let mut spans = Vec::new();
    pattern.split(record, |_, span| spans.push(span)).ok_or("the sample does not fit its pattern")?;
    let (mut out, mut at) = (String::new(), 0);
    for (name, span) in pattern.names().zip(spans) {
        let value = set.iter().find(|(path, _)| path.steps == [Step::Member(name.to_owned())]);
        out.push_str(record.get(at..span.start()).unwrap_or_default());
        out.push_str(value.map_or_else(|| span.text(record, ""), |(_, value)| value));
        at = span.end();
    }
    out.push_str(record.get(at..).unwrap_or_default());
    Ok(out)
}

fn columns(csv: &Csv, record: &str, set: &[(&Path, String)]) -> Result<String, String> {
    let (mut scratch, mut spans) = (String::new(), Vec::new());
    csv.split(record, &mut scratch, |_, span| spans.push(span))?;
    let mut columns = Vec::new();
    for (index, span) in spans.into_iter().enumerate() {
        let name = csv.columns.names.get(index).filter(|name| !name.is_empty());
        let is = |path: &Path| match path.steps.as_slice() {
            [Step::Element(element)] => *element == index,
            [Step::Member(member)] => Some(member) == name,
            _ => false,
        };
        let value = set.iter().find(|(path, _)| is(path));
        let value = value.map_or_else(|| span.text(record, &scratch), |(_, value)| value);
        columns.push(quoted(csv, value)?);
    }
    Ok(columns.join(&char::from(csv.delimiter).to_string()))
}

fn quoted(csv: &Csv, value: &str) -> Result<String, String> {
    let special = |c: char| c == char::from(csv.delimiter) || c == '\n' || c == '\r';
    match csv.quote.map(char::from) {
        Some(quote) if value.contains(special) || value.contains(quote) => {
            Ok(format!("{quote}{}{quote}", value.replace(quote, &format!("{quote}{quote}"))))
        }
        None if value.contains(special) => Err(format!("`{value}` cannot stand in a column without quotes")),
        _ => Ok(value.to_owned()),
    }
}

fn logfmt(record: &str, set: &[(&Path, String)]) -> Result<String, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut scratch = String::new();
    pairs(record, &mut scratch, |key, span, scratch| {
        found.push((key.to_owned(), span.text(record, scratch).to_owned()));
    })?;
    for (path, value) in set {
        let [Step::Member(key)] = path.steps.as_slice() else { continue };
        match found.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.clone_from(value),
            None => found.push((key.clone(), value.clone())),
        }
    }
    let pair = |(key, value): &(String, String)| {
        if value.chars().any(|c| matches!(c, ' ' | '\t' | '"' | '\n' | '\r' | '\\')) {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
            format!("{key}=\"{value}\"")
        } else {
            format!("{key}={value}")
        }
    };
    Ok(found.iter().map(pair).collect::<Vec<_>>().join(" "))
}
