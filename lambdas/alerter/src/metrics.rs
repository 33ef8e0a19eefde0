//! What one invocation did, counted.

use weir_anomaly::Timestamp;
use weir_lambda::line::Line;

/// Latencies past a day say that old data is replayed, not that the path is slow.
const LONGEST_LATENCY_MS: i64 = 24 * 3600 * 1000;

/// What one invocation did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Kinesis records.
    pub records: u64,
    /// Anomalies, duplicates included.
    pub received: u64,
    /// Anomalies that were not in the store.
    pub new: u64,
    /// Anomalies that were, or that came twice in the batch.
    pub duplicate: u64,
    /// Records that went to quarantine.
    pub quarantined: u64,
    /// Messages published: alerts, summaries of periods and of storms.
    pub alerted: u64,
    /// Anomalies that an alert of their period already speaks for.
    pub suppressed: u64,
    /// Anomalies that a silence covers.
    pub silenced: u64,
    /// Alerts that a storm's summary speaks for.
    pub held: u64,
    /// Anomalies of rules on trial, or below the floor.
    pub unalerted: u64,
    /// Kinesis records given back to the stream.
    pub failed: u64,
    /// Alerts that could not be published now; the sweep tries again.
    pub publish_failed: u64,
    /// Items that the sweep could not read or change.
    pub sweep_failed: u64,
    /// From event time to the store, milliseconds.
    pub event_to_stored_ms: Vec<i64>,
    /// From event time to the topic, milliseconds.
    pub event_to_alert_ms: Vec<i64>,
    /// From a probe's departure to its arrival in the store, milliseconds.
    pub probe_ms: Vec<i64>,
    /// The first faults, for the log.
    pub faults: Vec<String>,
    /// Each anomaly and what became of it; filled with `WEIR_LOG=debug`.
    pub outcomes: Vec<(String, &'static str)>,
}

/// Faults quoted in one line.
const MAX_FAULTS: usize = 5;

impl Counters {
    /// Notes a fault for the log.
    pub fn fault(&mut self, what: &str, fault: &dyn std::fmt::Display) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(format!("{what}: {fault}"));
        }
    }

    /// Notes how long ago `since` was, unless that is no latency but old data.
    pub fn latency(values: &mut Vec<i64>, since: Timestamp, now: Timestamp) {
        let millis = now.millis().saturating_sub(since.millis());
        if (0..=LONGEST_LATENCY_MS).contains(&millis) {
            values.push(millis);
        }
    }

    /// Writes all of it into the invocation's line.
    pub fn tell(&self, line: &mut Line) {
        line.count("records", self.records);
        line.count("received", self.received);
        line.count("new", self.new);
        line.count("duplicate", self.duplicate);
        line.count("quarantined", self.quarantined);
        line.count("alerted", self.alerted);
        line.count("suppressed", self.suppressed);
        line.count("silenced", self.silenced);
        line.count("held", self.held);
        line.count("unalerted", self.unalerted);
        line.count("failed", self.failed);
        line.count("publish_failed", self.publish_failed);
        line.count("sweep_failed", self.sweep_failed);
        line.values("event_to_stored_ms", "Milliseconds", &self.event_to_stored_ms);
        line.values("event_to_alert_ms", "Milliseconds", &self.event_to_alert_ms);
        line.values("probe_ms", "Milliseconds", &self.probe_ms);
        if !self.faults.is_empty() {
            line.field("faults", self.faults.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_log_entry_and_metrics() {
        let counters = Counters {
            records: 2,
            new: 1,
            event_to_stored_ms: vec![12, 7],
            faults: vec!["store: throttled".to_owned()],
            ..Counters::default()
        };
        let mut line = Line::new("weir-alerter");
        line.field("request_id", "r-1");
        counters.tell(&mut line);
        let line: serde_json::Value = serde_json::from_str(&line.finish(Timestamp::from_nanos(5_000_000))).unwrap();
        insta::assert_json_snapshot!(line);
    }

    #[test]
    fn old_data_is_no_latency() {
        let mut values = Vec::new();
        let day = Timestamp::from_nanos(86_400_000_000_000);
        Counters::latency(&mut values, Timestamp::from_nanos(-1_000_000), day);
        Counters::latency(&mut values, day, Timestamp::from_nanos(0));
        Counters::latency(&mut values, Timestamp::from_nanos(86_399_000_000_000), day);
        assert_eq!(values, [1000]);
    }
}
