//! A source that counts: one row an interval of event time, as fast as its rate says.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{ConnectorError, Polled, RawRecord, Source};
use crate::program::TableInfo;

/// Counts up from zero.
#[derive(Debug)]
pub(super) struct ImpulseSource {
    counter: u64,
    limit: u64,
    /// Rows a second.
    rate: f64,
    /// Event time between rows; the rows' real time where absent.
    interval: Option<u64>,
    start_nanos: i64,
    started: Instant,
    sent_here: u64,
}

impl ImpulseSource {
    pub(super) fn open(table: &TableInfo, position: Option<&Value>) -> Result<Self, ConnectorError> {
        let option = |key: &str| table.options.get(key);
        let rate: f64 = option("event_rate").and_then(|v| v.parse().ok()).unwrap_or(1.0);
        if rate.is_nan() || rate <= 0.0 {
            return Err(ConnectorError::Configuration(format!("table {}: event_rate must be positive", table.name)));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let stored = |key: &str| position.and_then(|p| p.get(key));
        Ok(Self {
            counter: stored("counter").and_then(Value::as_u64).unwrap_or(0),
            limit: option("message_count").and_then(|v| v.parse().ok()).unwrap_or(u64::MAX),
            rate,
            interval: option("event_time_interval").and_then(|v| v.parse().ok()),
            start_nanos: stored("start").and_then(Value::as_i64).unwrap_or_else(|| i64::try_from(now).unwrap_or(0)),
            started: Instant::now(),
            sent_here: 0,
        })
    }

    fn due(&self) -> u64 {
        // Truncation is meant: whole rows only.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate times a time is positive and small"
        )]
        let due = (self.started.elapsed().as_secs_f64() * self.rate) as u64 + 1;
        due.saturating_sub(self.sent_here)
    }
}

#[async_trait]
impl Source for ImpulseSource {
    async fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, ConnectorError> {
        let left = self.limit.saturating_sub(self.counter);
        if left == 0 {
            return Ok(Polled::Finished);
        }
        if self.due() == 0 {
            tokio::time::sleep(wait.min(Duration::from_secs_f64(1.0 / self.rate))).await;
        }
        let count = self.due().min(left).min(max_records as u64);
        if count == 0 {
            return Ok(Polled::Idle);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let records = (self.counter..self.counter + count)
            .map(|counter| {
                let nanos = match self.interval {
                    Some(interval) => self.start_nanos.saturating_add_unsigned(interval.saturating_mul(counter)),
                    None => i64::try_from(now).unwrap_or(i64::MAX),
                };
                let payload = Bytes::from(json!({"counter": counter, "subtask_index": 0}).to_string());
                RawRecord { payload, arrival_nanos: Some(nanos), partition: 0 }
            })
            .collect();
        self.counter += count;
        self.sent_here += count;
        Ok(Polled::Records(records))
    }

    fn position(&self) -> Value {
        json!({"counter": self.counter, "start": self.start_nanos})
    }
}
