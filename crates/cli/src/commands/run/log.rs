//! What a run says on standard error: text for a person, or one JSON object a line.

use std::io::IsTerminal;

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

/// How a run writes what it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For a person
    #[default]
    Text,
    /// One JSON object a line, with `timestamp`, `level` and `message`
    Json,
}

/// Starts the log: warnings and errors, or what `WEIR_LOG` asks for (`debug`, `weir_engine=trace`, …).
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| "warn".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Says something that is always said.
pub(crate) fn say(format: LogFormat, message: &str) {
    match format {
        LogFormat::Text => eprintln!("{message}"),
        LogFormat::Json => line("INFO", message, None),
    }
}

/// Says what is most likely wrong with the program that runs all the same.
pub(crate) fn warn(format: LogFormat, message: &str) {
    match format {
        LogFormat::Text => eprintln!("warning: {message}"),
        LogFormat::Json => line("WARN", message, None),
    }
}

/// Says why the run failed, as JSON: as text the command says it itself.
pub(crate) fn failed(error: &anyhow::Error) {
    line("ERROR", &format!("{error:#}"), None);
}

/// A line like the log's own, with what it is about as an object.
pub(crate) fn line(level: &str, message: &str, about: Option<(&str, Value)>) {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut line = json!({ "timestamp": now, "level": level, "message": message });
    if let (Some((key, value)), Some(object)) = (about, line.as_object_mut()) {
        object.insert(key.to_owned(), value);
    }
    eprintln!("{line}");
}
