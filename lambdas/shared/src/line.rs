//! What is seen from outside: one line of JSON an invocation, which CloudWatch reads as a log entry and, by the embedded
//! metric format, as metrics. Writing a line costs nothing and needs no permission; calling PutMetricData does.

use std::io::Write as _;

use serde_json::{Map, Value, json};
use weir_anomaly::Timestamp;

/// CloudWatch's namespace.
pub const NAMESPACE: &str = "Weir";

/// The embedded metric format takes at most 100 values for one metric.
const MAX_VALUES: usize = 100;

/// What the line says of every invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's whole name.
    pub function: String,
    /// What it was invoked for.
    pub kind: &'static str,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// X-Ray's, where it is traced.
    pub trace_id: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// Why it failed, when it did.
    pub error: Option<String>,
}

/// A line that grows.
pub struct Line {
    function: String,
    fields: Map<String, Value>,
    names: Vec<Value>,
}

impl Line {
    /// A line of this function: by its whole name, so that two stacks in one account have series of their own.
    #[must_use]
    pub fn new(function: &str) -> Self {
        Self { function: function.to_owned(), fields: Map::new(), names: Vec::new() }
    }

    /// The line of an invocation that is over.
    #[must_use]
    pub fn of(invocation: Invocation, now: Timestamp) -> Self {
        let mut line = Self::new(&invocation.function);
        line.field("level", if invocation.error.is_none() { "info" } else { "error" });
        line.field("invocation", invocation.kind);
        line.field("request_id", invocation.request_id);
        line.field("trace_id", invocation.trace_id);
        line.field("duration_ms", now.millis() - invocation.started.millis());
        if let Some(error) = invocation.error {
            line.field("error", error);
        }
        line
    }

    /// Adds something to read.
    pub fn field(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Adds a count.
    pub fn count(&mut self, name: &str, count: u64) {
        self.names.push(json!({"Name": name, "Unit": "Count"}));
        self.field(name, count);
    }

    /// Adds a metric of one or more values; of more than 100, as many spread evenly over their order, the largest among
    /// them. None when there is no value.
    pub fn values(&mut self, name: &str, unit: &str, values: &[i64]) {
        if !values.is_empty() {
            self.names.push(json!({"Name": name, "Unit": unit}));
            self.field(name, sample(values));
        }
    }

    /// The line as text.
    #[must_use]
    pub fn finish(mut self, now: Timestamp) -> String {
        let function = std::mem::take(&mut self.function);
        self.field("function", function);
        let metrics = json!({"Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": self.names});
        self.field("_aws", json!({"Timestamp": now.millis(), "CloudWatchMetrics": [metrics]}));
        Value::Object(self.fields).to_string()
    }
}

/// Writes one line to standard output, from where Lambda takes it to the log group. A log that cannot be written must not
/// fail the data.
pub fn write(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn sample(values: &[i64]) -> Vec<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    if sorted.len() <= MAX_VALUES {
        return sorted;
    }
    let last = sorted.len() - 1;
    (0..MAX_VALUES).filter_map(|i| sorted.get(i * last / (MAX_VALUES - 1)).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_sampled_with_the_largest_kept() {
        let values: Vec<i64> = (0..10_000).collect();
        let sampled = sample(&values);
        assert_eq!((sampled.len(), sampled.first(), sampled.last()), (100, Some(&0), Some(&9_999)));
    }
}
