//! Opens the connector that a table names.

use serde_json::Value;

use super::blackhole::BlackholeSink;
use super::impulse::ImpulseSource;
use super::kinesis;
use super::memory::{CollectingSink, MemorySink, MemorySource, RecordedSource};
use super::single_file::{FileSink, FileSource};
use super::stdout::StdoutSink;
use super::{ConnectorError, Sink, Source};
use crate::program::TableInfo;

/// Opens a source at a position of an earlier run, or where its options say.
pub(crate) async fn open_source(
    table: &TableInfo,
    memory: Option<&MemorySource>,
    position: Option<&Value>,
) -> Result<Box<dyn Source>, ConnectorError> {
    if let Some(memory) = memory {
        return Ok(Box::new(RecordedSource::new(memory.clone(), position)));
    }
    match table.connector.as_str() {
        "single_file" => Ok(Box::new(FileSource::open(table, position)?)),
        "impulse" => Ok(Box::new(ImpulseSource::open(table, position)?)),
        "kinesis" => Ok(Box::new(kinesis::open_source(&table.options, position).await?)),
        other => Err(ConnectorError::Configuration(format!("connector '{other}' cannot be read"))),
    }
}

/// Opens a sink; `resume` keeps what an earlier run wrote.
pub(crate) async fn open_sink(
    table: &TableInfo,
    memory: Option<&MemorySink>,
    resume: bool,
) -> Result<Box<dyn Sink>, ConnectorError> {
    if let Some(memory) = memory {
        return Ok(Box::new(CollectingSink::new(memory.clone())));
    }
    match table.connector.as_str() {
        "single_file" => Ok(Box::new(FileSink::open(table, resume)?)),
        "stdout" => Ok(Box::new(StdoutSink)),
        "kinesis" => Ok(Box::new(kinesis::open_sink(&table.options).await?)),
        "blackhole" => Ok(Box::new(BlackholeSink)),
        other => Err(ConnectorError::Configuration(format!("connector '{other}' cannot be written"))),
    }
}
