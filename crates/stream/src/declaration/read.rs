//! The text of a stream's file.

use std::{ops::Range, path};

use toml::de::{DeTable, DeValue};

use super::{
    Declaration, Field, FieldType, Scope, TimeField, check,
    key::{FIELD, MAX_NAME, RESERVED, RESERVED_PREFIX, TIME, TOP},
    sample,
    table::{Item, Source, Table, entries, wrong_type},
};
use crate::{
    envelope::{Envelope, Framing, Wrapping},
    fault::{Fault, did_you_mean},
    format::{Columns, Csv, Dissect, Format, NAMED_PATTERNS},
    limits::{MAX_ENVELOPES, MAX_FIELDS},
    path::Path,
    row::Value,
    time::{TimeFormat, TimeReader, Unit, Zone},
};

pub(super) fn declaration(file: &path::Path, text: &str) -> Result<Declaration, Vec<Fault>> {
    let mut source = Source { file, text, faults: Vec::new() };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            source.fault(error.span().map_or(0, |span| span.start), message);
            return Err(source.faults.into_iter().map(|(_, fault)| fault).collect());
        }
    };
    let top = Table::new(&mut source, table.get_ref(), 0, &TOP);
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    check::stream_name(&mut source, &name);
    let format = format(&mut source, &top);
    let envelope = envelope(&mut source, &top, &format);
    let mut declaration = Declaration {
        name,
        stream: top.text(&mut source, "stream").map(|(text, _)| text.to_owned()),
        each: top.text(&mut source, "each").and_then(|(text, span)| path_of(&mut source, text, &span)),
        time: top.get("time").and_then(|value| time_field(&mut source, value)),
        key: top.text(&mut source, "key").map(|(text, _)| text.to_owned()),
        fields: fields(&mut source, &top),
        metrics: texts(&mut source, &top, "metrics"),
        ignore: None,
        heartbeat: top.boolean(&mut source, "heartbeat").unwrap_or(false),
        null: texts(&mut source, &top, "null"),
        samples: Vec::new(),
        envelope,
        format,
        contract: false,
    };
    check::declaration(&mut source, &mut declaration, &top);
    declaration.samples = sample::read(&mut source, &top, &declaration);
    source.faults.sort_by_key(|(at, _)| *at);
    if source.faults.is_empty() {
        Ok(declaration)
    } else {
        Err(source.faults.into_iter().map(|(_, fault)| fault).collect())
    }
}

fn texts(source: &mut Source<'_>, table: &Table<'_, '_>, key: &str) -> Vec<String> {
    table.texts(source, key).unwrap_or_default().into_iter().map(|(text, _)| text.to_owned()).collect()
}

pub(super) fn path_of(source: &mut Source<'_>, text: &str, span: &Range<usize>) -> Option<Path> {
    match Path::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let at = source.inside(span, error.at);
            source.fault(at, format!("`{text}` is no path: {}", error.message));
            None
        }
    }
}

fn envelope(source: &mut Source<'_>, top: &Table<'_, '_>, format: &Format) -> Envelope {
    let (mut wrappings, mut framing) = (Vec::new(), None);
    for (name, span) in top.texts(source, "envelope").unwrap_or_default() {
        let found = match name {
            "gzip" => Ok(Wrapping::Gzip),
            "kpl" => Ok(Wrapping::Kpl),
            "auto" => Ok(Wrapping::Auto),
            "json" => Err(Framing::One),
            "lines" => Err(Framing::Lines),
            "values" => Err(Framing::Values),
            "cloudwatch_logs" => Err(Framing::CloudwatchLogs),
            "eventbridge" => Err(Framing::Eventbridge),
            _ => {
                let hint = did_you_mean(name, Envelope::NAMES);
                source.fault_with_hint(span.start, format!("there is no envelope `{name}`"), hint);
                continue;
            }
        };
        if framing.is_some() {
            source.fault_with_hint(
                span.start,
                format!("nothing can stand inside the envelope before `{name}`"),
                "envelopes are listed from the outside in",
            );
        }
        match found {
            Ok(wrapping) => wrappings.push(wrapping),
            Err(inner) => framing = Some(inner),
        }
        if *format != Format::Json && matches!(name, "json" | "values" | "eventbridge") {
            source.fault(span.start, format!("the envelope `{name}` needs format = \"json\""));
        }
    }
    if wrappings.len() > MAX_ENVELOPES {
        source.fault(top.at, format!("at most {MAX_ENVELOPES} envelopes can stand inside one another"));
    }
    let default = match (wrappings.contains(&Wrapping::Auto), format) {
        (false, _) => Framing::One,
        (true, Format::Json) => Framing::Values,
        (true, _) => Framing::Lines,
    };
    Envelope { wrappings, framing: framing.unwrap_or(default) }
}

fn format(source: &mut Source<'_>, top: &Table<'_, '_>) -> Format {
    const NAMES: [&str; 5] = ["json", "text", "csv", "tsv", "logfmt"];
    let (name, span) = top.text(source, "format").unwrap_or(("json", 0..0));
    let belongs = |source: &mut Source<'_>, key: &str, to: &[&str]| {
        if let Some(value) = top.get(key)
            && !to.contains(&name)
        {
            source.fault(value.span().start, format!("`{key}` belongs to format = \"{}\"", to.join("\" or \"")));
        }
    };
    belongs(source, "pattern", &["text"]);
    for key in ["columns", "delimiter", "quote"] {
        belongs(source, key, &["csv", "tsv"]);
    }
    match name {
        "json" => Format::Json,
        "logfmt" => Format::Logfmt,
        "text" => match top.text(source, "pattern") {
            Some((pattern, span)) => dissect(source, pattern, &span).map_or(Format::Json, Format::Text),
            None => {
                let hint = format!(
                    "pattern = \"{{time}} {{message}}\", or one of {}",
                    NAMED_PATTERNS.map(|(name, _)| name).join(", ")
                );
                source.fault_with_hint(span.start, "format = \"text\" needs a `pattern`", hint);
                Format::Json
            }
        },
        "csv" | "tsv" => {
            let delimiter = single(source, top, "delimiter", if name == "csv" { b',' } else { b'\t' });
            let quote = single(source, top, "quote", b'"');
            let columns = columns(source, top, span.start);
            Format::Csv(Csv { delimiter: delimiter.unwrap_or(b','), quote, columns })
        }
        _ => {
            source.fault_with_hint(span.start, format!("there is no format `{name}`"), did_you_mean(name, NAMES));
            Format::Json
        }
    }
}

fn dissect(source: &mut Source<'_>, pattern: &str, span: &Range<usize>) -> Option<Dissect> {
    if !pattern.contains('{') {
        let named = NAMED_PATTERNS.iter().find(|(name, _)| *name == pattern);
        let Some((_, pattern)) = named else {
            let hint = did_you_mean(pattern, NAMED_PATTERNS.map(|(name, _)| name));
            source.fault_with_hint(
                span.start,
                format!("`{pattern}` has no part such as `{{name}}`, and is no named pattern"),
                hint,
            );
            return None;
        };
        return Dissect::parse(pattern).ok();
    }
    match Dissect::parse(pattern) {
        Ok(dissect) => Some(dissect),
        Err(fault) => {
            let at = source.inside(span, fault.at);
            source.fault(at, fault.message);
            None
        }
    }
}

/// One ASCII character; an empty text is none.
fn single(source: &mut Source<'_>, top: &Table<'_, '_>, key: &str, default: u8) -> Option<u8> {
    let Some((text, span)) = top.text(source, key) else { return Some(default) };
    match text.as_bytes() {
        [] if key == "quote" => None,
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Some(*byte),
        _ => {
            source.fault(span.start, format!("`{key}` must be one ASCII character"));
            Some(default)
        }
    }
}

fn columns(source: &mut Source<'_>, top: &Table<'_, '_>, at: usize) -> Columns {
    let Some(value) = top.get("columns") else {
        source.fault_with_hint(
            at,
            "this format needs `columns`",
            "columns = [\"time\", \"device\", \"value\"], or their number",
        );
        return Columns { names: Vec::new(), more: true };
    };
    if let DeValue::Integer(number) = value.get_ref() {
        match number.as_str().parse::<usize>() {
            Ok(count @ 1..=MAX_FIELDS) => return Columns { names: vec![String::new(); count], more: false },
            _ => source.fault(value.span().start, format!("`columns` must be 1 to {MAX_FIELDS}")),
        }
        return Columns::default();
    }
    let mut columns = Columns::default();
    for (name, span) in top.texts(source, "columns").unwrap_or_default() {
        if columns.more {
            source.fault(span.start, "`...` can only be the last column");
        } else if name == "..." {
            columns.more = true;
        } else if !name.is_empty() && columns.names.iter().any(|known| known == name) {
            source.fault(span.start, format!("there are two columns `{name}`"));
        } else {
            columns.names.push(name.to_owned());
        }
    }
    columns
}

fn scope(source: &mut Source<'_>, table: &Table<'_, '_>) -> Scope {
    match table.text(source, "of") {
        None => Scope::Row,
        Some(("record", _)) => Scope::Record,
        Some(("envelope", _)) => Scope::Envelope,
        Some((other, span)) => {
            source.fault_with_hint(span.start, format!("`of` cannot be `{other}`"), "it is \"record\" or \"envelope\"");
            Scope::Row
        }
    }
}

fn time_field(source: &mut Source<'_>, value: Item<'_, '_>) -> Option<TimeField> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => {
            let path = path_of(source, text, &value.span())?;
            Some(TimeField { path, of: Scope::Row, reader: TimeReader::default() })
        }
        DeValue::Table(table) => {
            let table = Table::new(source, table, at, &TIME);
            let reader = reader(source, &table, TimeReader::default());
            let of = scope(source, &table);
            let path = match path_value(source, &table) {
                Some(path) => path?,
                None => {
                    source.fault_with_hint(at, "`time` needs a `path`", "without `time`, a stream goes by arrival");
                    return None;
                }
            };
            Some(TimeField { path, of, reader })
        }
        _ => {
            wrong_type(source, value, "time", "a path, or { path, format, zone }");
            None
        }
    }
}

fn reader(source: &mut Source<'_>, table: &Table<'_, '_>, mut reader: TimeReader) -> TimeReader {
    if let Some(formats) = table.texts(source, "format") {
        reader.formats.clear();
        for (text, span) in formats {
            match TimeFormat::parse(text) {
                Ok(format) => reader.formats.push(format),
                Err(error) if text.contains('%') => source.fault(span.start, error.0),
                Err(_) => {
                    let hint =
                        format!("{}; or a pattern such as `%Y-%m-%d %H:%M:%S`", did_you_mean(text, TimeFormat::NAMES));
                    source.fault_with_hint(span.start, format!("there is no time format `{text}`"), hint);
                }
            }
        }
    }
    if let Some((text, span)) = table.text(source, "zone") {
        match Zone::parse(text) {
            Some(zone) => reader.zone = zone,
            None => source.fault_with_hint(
                span.start,
                format!("there is no zone `{text}`"),
                "such as UTC, +01:00, Europe/Berlin",
            ),
        }
    }
    reader
}

/// The `path` of a field or of the time: a text, or the number of a column, from 1. `Some(None)` is a fault.
fn path_value(source: &mut Source<'_>, table: &Table<'_, '_>) -> Option<Option<Path>> {
    let value = table.get("path")?;
    if let DeValue::Integer(number) = value.get_ref() {
        let index = number.as_str().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if index.is_none() {
            source.fault(value.span().start, "columns are counted from 1");
        }
        return Some(index.map(|index| Path { steps: vec![crate::path::Step::Element(index)] }));
    }
    let (text, span) = table.text(source, "path")?;
    Some(path_of(source, text, &span))
}

fn fields(source: &mut Source<'_>, top: &Table<'_, '_>) -> Vec<Field> {
    let Some(value) = top.get("fields") else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        wrong_type(source, value, "fields", "a table of names and types");
        return Vec::new();
    };
    let mut fields = Vec::new();
    for entry in entries(table) {
        column_name(source, entry.at, entry.key);
        if let Some(field) = field(source, entry.key, entry.value) {
            fields.push(field);
        }
    }
    if fields.len() > MAX_FIELDS {
        source.fault(value.span().start, format!("at most {MAX_FIELDS} fields can be declared"));
    }
    fields
}

/// A column's name is one that SQL needs no quotes for: it folds others to lower case.
fn column_name(source: &mut Source<'_>, at: usize, name: &str) {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let fits = starts && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits || name.len() > MAX_NAME {
        let column = crate::infer::column_name(name);
        source.fault_with_hint(
            at,
            format!("`{name}` is no column's name: lower case letters, digits and `_`, at most {MAX_NAME}"),
            format!(
                "{column} = {{ type = \"…\", path = \"{}\" }}",
                Path::member(name).to_string().replace('"', "\\\"")
            ),
        );
    } else if RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX) {
        source.fault_with_hint(
            at,
            format!("`{name}` is a name of the view's own"),
            format!("record_{} = {{ …, path = \"{name}\" }}", name.trim_start_matches('_')),
        );
    }
}

fn field(source: &mut Source<'_>, name: &str, value: Item<'_, '_>) -> Option<Field> {
    let at = value.span().start;
    let plain = |kind| Field {
        name: name.to_owned(),
        kind,
        path: Path::member(name),
        of: Scope::Row,
        required: false,
        default: None,
        time: TimeReader::default(),
    };
    let table = match value.get_ref() {
        DeValue::String(text) => return kind_of(source, text, at).map(plain),
        DeValue::Table(table) => Table::new(source, table, at, &FIELD),
        _ => {
            wrong_type(source, value, name, "a type, or { type, path, required }");
            return None;
        }
    };
    let Some((text, span)) = table.text(source, "type") else {
        source.fault(at, format!("field `{name}` needs a `type`"));
        return None;
    };
    let mut field = plain(kind_of(source, text, span.start)?);
    if let Some(path) = path_value(source, &table) {
        field.path = path?;
    }
    field.of = scope(source, &table);
    field.required = table.boolean(source, "required").unwrap_or(false);
    let log_time = field.of == Scope::Envelope && field.path == Path::member("log_time");
    if log_time {
        field.time.formats = vec![TimeFormat::Epoch(Unit::Millis)];
    }
    field.time = reader(source, &table, field.time);
    if field.kind != FieldType::Timestamp
        && let Some(value) = table.get("format").or_else(|| table.get("zone"))
    {
        source.fault(value.span().start, "`format` and `zone` belong to type = \"timestamp\"");
    }
    if let Some(value) = table.get("default") {
        field.default = default(source, &field, value);
    }
    Some(field)
}

fn default(source: &mut Source<'_>, field: &Field, value: Item<'_, '_>) -> Option<Value> {
    let default = match (field.kind, value.get_ref()) {
        (FieldType::Text, DeValue::String(text)) => Some(Value::Text(text.to_string())),
        (FieldType::Boolean, DeValue::Boolean(value)) => Some(Value::Boolean(*value)),
        (FieldType::Integer, DeValue::Integer(number)) => number.as_str().parse().ok().map(Value::Integer),
        (FieldType::Double, DeValue::Integer(number)) => number.as_str().parse().ok().map(Value::Double),
        (FieldType::Double, DeValue::Float(number)) => {
            number.as_str().parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Double)
        }
        _ => None,
    };
    if default.is_none() {
        source.fault(value.span().start, format!("this is no default for type = \"{}\"", field.kind.name()));
    } else if field.required {
        source.fault(value.span().start, "a required field has no default");
    }
    default
}

fn kind_of(source: &mut Source<'_>, text: &str, at: usize) -> Option<FieldType> {
    let found = FieldType::ALL.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    if found.is_none() {
        let near = match text.to_ascii_lowercase().as_str() {
            "float" | "number" | "real" | "decimal" | "float64" | "numeric" => Some("double"),
            "int" | "bigint" | "long" | "int64" => Some("integer"),
            "string" | "varchar" | "str" => Some("text"),
            "bool" => Some("boolean"),
            "time" | "datetime" | "date" => Some("timestamp"),
            "object" | "array" | "list" | "struct" => Some("json"),
            _ => None,
        };
        let hint = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => did_you_mean(text, FieldType::ALL.map(|(name, _)| name)),
        };
        source.fault_with_hint(at, format!("there is no type `{text}`"), hint);
    }
    found
}
