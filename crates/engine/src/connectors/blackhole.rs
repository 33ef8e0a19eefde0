//! A sink that drops every row.

use std::time::Duration;

use async_trait::async_trait;

use super::{ConnectorError, Sink, SinkRow};

/// Drops every row.
#[derive(Debug)]
pub(super) struct BlackholeSink;

#[async_trait]
impl Sink for BlackholeSink {
    async fn write(&mut self, _: Vec<SinkRow>) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn flush_due_in(&self) -> Option<Duration> {
        None
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}
