//! What a declaration says, in few words.

use serde_json::{Value, json};
use weir_stream::{Declaration, Format, Framing, TimeFormat, Wrapping};

/// How many of the fields are named in a line.
const FIELDS: usize = 6;

/// The cells of a line.
pub(super) fn line(stream: &Declaration) -> [String; 6] {
    [
        stream.name.clone(),
        stream.stream.clone().unwrap_or_else(|| format!("weir-{}", stream.name)),
        records(stream),
        time(stream),
        stream.key.clone().unwrap_or_else(|| "-".to_owned()),
        fields(stream),
    ]
}

/// Format and envelope.
pub(super) fn records(stream: &Declaration) -> String {
    let format = match &stream.format {
        Format::Json => "JSON",
        Format::Text(_) => "text",
        Format::Csv(csv) if csv.delimiter == b'\t' => "TSV",
        Format::Csv(_) => "CSV",
        Format::Logfmt => "logfmt",
    };
    let envelopes = envelopes(stream);
    if envelopes.is_empty() { format.to_owned() } else { format!("{format} in {}", envelopes.join(", ")) }
}

/// The envelopes, from the outside in, by the names that the file has for them; the default is left out.
fn envelopes(stream: &Declaration) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = stream
        .envelope
        .wrappings
        .iter()
        .map(|wrapping| match wrapping {
            Wrapping::Gzip => "gzip",
            Wrapping::Kpl => "kpl",
            Wrapping::Auto => "auto",
        })
        .collect();
    names.extend(match stream.envelope.framing {
        Framing::One => None,
        Framing::Lines => Some("lines"),
        Framing::Values if names.contains(&"auto") => None,
        Framing::Values => Some("values"),
        Framing::CloudwatchLogs => Some("cloudwatch_logs"),
        Framing::Eventbridge => Some("eventbridge"),
    });
    names
}

/// Where a row's time is, and how it is written.
pub(super) fn time(stream: &Declaration) -> String {
    let Some(time) = &stream.time else {
        let logs = stream.envelope.framing == Framing::CloudwatchLogs;
        return if logs { "the log event's".to_owned() } else { "arrival".to_owned() };
    };
    let formats: Vec<&str> = time.reader.formats.iter().map(format_name).collect();
    format!("{}, {}", time.path, formats.join(" or "))
}

fn format_name(format: &TimeFormat) -> &str {
    match format {
        TimeFormat::Rfc3339 => "rfc3339",
        TimeFormat::Iso8601 => "iso8601",
        TimeFormat::Epoch(unit) => unit.name(),
        TimeFormat::Pattern(_) => "a pattern",
    }
}

fn fields(stream: &Declaration) -> String {
    let names: Vec<String> = stream.columns().into_iter().map(|column| column.name).collect();
    let shown = names.iter().take(FIELDS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FIELDS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

pub(super) fn json(stream: &Declaration) -> Value {
    let fields: Vec<Value> = stream
        .columns()
        .iter()
        .map(|column| json!({ "name": column.name, "type": column.kind.name(), "nullable": column.nullable }))
        .collect();
    json!({
        "name": stream.name,
        "stream": stream.stream,
        "records": records(stream),
        "time": time(stream),
        "key": stream.key,
        "metrics": stream.metrics,
        "heartbeat": stream.heartbeat,
        "fields": fields,
        "samples": stream.samples.len(),
    })
}
