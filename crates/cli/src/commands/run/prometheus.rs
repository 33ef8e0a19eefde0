//! A run's counters in Prometheus's text format (version 0.0.4). docs/engine.md lists them with their units.

use std::{collections::BTreeMap, fmt::Write as _};

use weir_engine::{ConnectorStats, RunReport};

/// A counter of a source, a rule, a sink or a connector.
type Counter<T> = (&'static str, &'static str, fn(&T) -> u64);

const CONNECTOR: [Counter<ConnectorStats>; 6] = [
    ("throttles", "Calls and entries that the service refused because there were too many.", |c| c.throttles),
    ("retries", "Calls that were repeated.", |c| c.retries),
    ("expired_iterators", "Shard iterators that were held too long and replaced.", |c| c.expired_iterators),
    ("reshards", "Shards that a reshard had closed and that were read to their end.", |c| c.reshards),
    ("gaps", "Stretches of a shard that were gone before they were read.", |c| c.gaps),
    ("set_aside_rows", "Rows that the service refuses for their size.", |c| c.set_aside),
];

/// The text of all metrics.
pub(super) fn text(report: &RunReport) -> String {
    let mut page = Page::default();
    for s in &report.sources {
        let labels = [("source", s.name.as_str())];
        page.count("weir_source_records_total", "Records read.", &labels, s.records);
        page.count("weir_source_bytes_total", "Bytes read.", &labels, s.bytes);
        page.count("weir_source_late_rows_total", "Rows that a window dropped as late.", &labels, s.late);
        page.count("weir_source_poison_records_total", "Records that cannot be decoded.", &labels, s.poison);
        page.count("weir_source_rows_without_time_total", "Rows without a usable time.", &labels, s.without_time);
        for (kind, rows) in &s.kinds {
            let labels = [("source", s.name.as_str()), ("kind", kind.as_str())];
            page.count("weir_source_kind_rows_total", "Rows by what they are.", &labels, *rows);
        }
        page.count("weir_source_future_rows_total", "Rows too far beyond their arrival.", &labels, s.future);
        if let Some(lag) = s.lag_millis {
            page.gauge("weir_source_lag_seconds", "How far behind the tip of the stream.", &labels, lag as f64 / 1e3);
        }
        if let Some(watermark) = s.watermark_nanos {
            let seconds = watermark as f64 / 1e9;
            page.gauge(
                "weir_source_watermark_seconds",
                "Event time that was reached, since the epoch.",
                &labels,
                seconds,
            );
        }
        page.connector("source", &s.name, s.connector.as_ref());
    }
    for r in &report.rules {
        let labels = [("rule", r.name.as_str()), ("sink", r.sink.as_str())];
        page.count("weir_rule_rows_total", "Rows that the rule gave.", &labels, r.rows);
        page.count("weir_rule_late_rows_total", "Rows that the rule's windows dropped as late.", &labels, r.late);
        page.count("weir_rule_poison_records_total", "Records that the rule never saw.", &labels, r.poison);
        let help = "Rows that the rule's windows dropped for want of a time.";
        page.count("weir_rule_rows_without_time_total", help, &labels, r.without_time);
        let help = "Rows left out because an expression failed on them.";
        page.count("weir_rule_errors_total", help, &labels, r.rule_errors);
    }
    for s in &report.sinks {
        let labels = [("sink", s.name.as_str())];
        page.count("weir_sink_rows_total", "Rows written.", &labels, s.rows);
        page.count("weir_sink_bytes_total", "Bytes written.", &labels, s.bytes);
        page.connector("sink", &s.name, s.connector.as_ref());
    }
    page.gauge("weir_state_bytes", "Window state held.", &[], report.state_bytes as f64);
    page.count("weir_checkpoints_total", "Checkpoints written.", &[], report.checkpoints);
    page.count("weir_failed_checkpoints_total", "Checkpoints put off.", &[], report.failed_checkpoints);
    page.gauge("weir_build_info", "The version that runs.", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    page.text()
}

/// Metrics by name, each with its values by labels: all of one name stand together, as the format demands.
#[derive(Default)]
struct Page(Vec<Family>);

struct Family {
    name: String,
    help: &'static str,
    kind: &'static str,
    /// Of equal labels (two statements that print) there may be only one value: their sum.
    values: BTreeMap<String, f64>,
}

impl Page {
    fn count(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.add(name, help, "counter", labels, value as f64);
    }

    fn gauge(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.add(name, help, "gauge", labels, value);
    }

    fn connector(&mut self, side: &'static str, table: &str, stats: Option<&ConnectorStats>) {
        let Some(stats) = stats else { return };
        for (name, help, value) in CONNECTOR {
            self.count(&format!("weir_{side}_{name}_total"), help, &[(side, table)], value(stats));
        }
    }

    fn add(&mut self, name: &str, help: &'static str, kind: &'static str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let family = match self.0.iter().position(|f| f.name == name) {
            Some(known) => self.0.get_mut(known),
            None => {
                self.0.push(Family { name: name.to_owned(), help, kind, values: BTreeMap::new() });
                self.0.last_mut()
            }
        };
        if let Some(family) = family {
            *family.values.entry(labels).or_default() += value;
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Family { name, help, kind, values } in &self.0 {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use weir_engine::{RuleStats, SinkStats, SourceStats};

    use super::*;

    #[test]
    fn metrics_of_one_name_stand_together_and_equal_labels_are_one_value() {
        let source = |name: &str| SourceStats {
            name: name.into(),
            records: 3,
            kinds: [("event".to_owned(), 2), ("bad_value".to_owned(), 1)].into(),
            lag_millis: Some(1500),
            watermark_nanos: Some(1_763_856_000_500_000_000),
            connector: Some(ConnectorStats { throttles: 2, ..ConnectorStats::default() }),
            ..SourceStats::default()
        };
        let sink = SinkStats { name: "stdout".into(), rows: 2, ..SinkStats::default() };
        let report = RunReport {
            sources: vec![source("a\"b"), source("c")],
            sinks: vec![sink.clone(), sink],
            rules: vec![RuleStats { name: "stdout:3".into(), sink: "stdout".into(), late: 1, ..RuleStats::default() }],
            ..RunReport::default()
        };
        insta::assert_snapshot!(text(&report));
    }
}
