//! What one invocation did, counted.

use weir_anomaly::Timestamp;
use weir_lambda::line::Line;

/// Ages past a day say that an old stream is read from its start, not that the gate is slow.
const LONGEST_AGE_MS: i64 = 24 * 3600 * 1000;
/// Faults quoted in one line.
const MAX_FAULTS: usize = 5;

/// What one invocation did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Kinesis records that came.
    pub records: u64,
    /// Rows that were put.
    pub rows: u64,
    /// Records that they were put in.
    pub put: u64,
    /// Rows that the declaration ignores.
    pub ignored: u64,
    /// Kinesis records of which something went to quarantine.
    pub quarantined: u64,
    /// Control records that were handed on.
    pub control: u64,
    /// Rows that an earlier invocation of this process had put.
    pub skipped: u64,
    /// Kinesis records given back to the stream.
    pub failed: u64,
    /// From the arrival of a record to its rows on the plain stream, milliseconds.
    pub arrival_to_put_ms: Vec<i64>,
    /// The first faults, for the log.
    pub faults: Vec<String>,
}

impl Counters {
    /// Notes a fault for the log.
    pub fn fault(&mut self, what: &str, fault: &dyn std::fmt::Display) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(format!("{what}: {fault}"));
        }
    }

    /// Notes how long ago a record arrived, unless that is an old stream.
    pub fn age(&mut self, arrival_millis: i64, now: Timestamp) {
        let millis = now.millis().saturating_sub(arrival_millis);
        if (0..=LONGEST_AGE_MS).contains(&millis) {
            self.arrival_to_put_ms.push(millis);
        }
    }

    /// Writes all of it into the invocation's line.
    pub fn tell(&self, line: &mut Line) {
        line.count("records", self.records);
        line.count("rows", self.rows);
        line.count("put", self.put);
        line.count("ignored", self.ignored);
        line.count("quarantined", self.quarantined);
        line.count("control", self.control);
        line.count("skipped", self.skipped);
        line.count("failed", self.failed);
        line.values("arrival_to_put_ms", "Milliseconds", &self.arrival_to_put_ms);
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
        let mut counters = Counters { records: 2, rows: 5, ..Counters::default() };
        counters.age(1_000, Timestamp::from_nanos(1_250_000_000));
        counters.age(0, Timestamp::from_nanos(200_000_000_000_000));
        counters.fault("plain stream", &"throttled");
        let mut line = Line::new("weir-gate-flows");
        counters.tell(&mut line);
        let line: serde_json::Value = serde_json::from_str(&line.finish(Timestamp::from_nanos(5_000_000))).unwrap();
        assert_eq!((&line["records"], &line["rows"], &line["failed"]), (&2.into(), &5.into(), &0.into()));
        assert_eq!(line["arrival_to_put_ms"], serde_json::json!([250]), "a day old is no latency");
        assert_eq!(line["faults"], serde_json::json!(["plain stream: throttled"]));
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len();
        assert_eq!((metrics, &line["function"]), (9, &"weir-gate-flows".into()));
    }
}
