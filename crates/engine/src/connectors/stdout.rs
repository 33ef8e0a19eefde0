//! A sink that writes one row a line to standard output.

use std::io::Write;
use std::time::Duration;

use async_trait::async_trait;

use super::{ConnectorError, Sink, SinkRow};

/// Writes to standard output.
#[derive(Debug)]
pub(super) struct StdoutSink;

fn fault(source: std::io::Error) -> ConnectorError {
    ConnectorError::Io { path: "standard output".to_owned(), source }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn write(&mut self, rows: Vec<SinkRow>) -> Result<(), ConnectorError> {
        let mut text = Vec::with_capacity(rows.iter().map(|r| r.payload.len() + 1).sum());
        for row in rows {
            text.extend_from_slice(&row.payload);
            text.push(b'\n');
        }
        std::io::stdout().write_all(&text).map_err(fault)
    }

    fn flush_due_in(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        std::io::stdout().flush().map_err(fault)
    }
}
