//! What is seen from outside: one line of JSON an invocation, which CloudWatch reads as a log entry and, by the embedded
//! metric format, as metrics. Writing a line costs nothing and needs no permission; calling PutMetricData does.

use std::io::Write as _;

use serde_json::{Map, Value, json};
use weir_anomaly::Timestamp;

/// CloudWatch's namespace.
pub const NAMESPACE: &str = "Weir";

/// The embedded metric format takes at most 100 values for one metric.
const MAX_VALUES: usize = 100;

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

    /// The line.
    #[must_use]
    pub fn line(&self, about: &Map<String, Value>, now: Timestamp) -> String {
        let counts = [
            ("records", self.records),
            ("received", self.received),
            ("new", self.new),
            ("duplicate", self.duplicate),
            ("quarantined", self.quarantined),
            ("alerted", self.alerted),
            ("suppressed", self.suppressed),
            ("silenced", self.silenced),
            ("held", self.held),
            ("unalerted", self.unalerted),
            ("failed", self.failed),
            ("publish_failed", self.publish_failed),
            ("sweep_failed", self.sweep_failed),
        ];
        let latencies = [
            ("event_to_stored_ms", &self.event_to_stored_ms),
            ("event_to_alert_ms", &self.event_to_alert_ms),
            ("probe_ms", &self.probe_ms),
        ];
        let mut line = about.clone();
        let mut names = Vec::new();
        for (name, count) in counts {
            names.push(json!({"Name": name, "Unit": "Count"}));
            line.insert(name.to_owned(), json!(count));
        }
        for (name, values) in latencies {
            if !values.is_empty() {
                names.push(json!({"Name": name, "Unit": "Milliseconds"}));
                line.insert(name.to_owned(), json!(sample(values)));
            }
        }
        if !self.faults.is_empty() {
            line.insert("faults".to_owned(), json!(self.faults));
        }
        line.insert("function".to_owned(), json!("alerter"));
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.millis(),
                "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": names}],
            }),
        );
        Value::Object(line).to_string()
    }
}

/// At most [`MAX_VALUES`] of the values, spread evenly over their order, the largest among them.
fn sample(values: &[i64]) -> Vec<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    if sorted.len() <= MAX_VALUES {
        return sorted;
    }
    let last = sorted.len() - 1;
    (0..MAX_VALUES)
        .filter_map(|i| sorted.get(i * last / (MAX_VALUES - 1)).copied())
        .collect()
}

/// Writes one line to standard output, from where Lambda takes it to the log group. A log that cannot be written must not
/// fail the data.
pub fn write_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
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
        let about = Map::from_iter([("request_id".to_owned(), json!("r-1"))]);
        let line: Value = serde_json::from_str(&counters.line(&about, Timestamp::from_nanos(5_000_000))).unwrap();
        insta::assert_json_snapshot!(line);
    }

    #[test]
    fn many_latencies_are_sampled_with_the_largest_kept() {
        let values: Vec<i64> = (0..10_000).collect();
        let sampled = sample(&values);
        assert_eq!(
            (sampled.len(), sampled.first(), sampled.last()),
            (100, Some(&0), Some(&9_999))
        );
    }
}
