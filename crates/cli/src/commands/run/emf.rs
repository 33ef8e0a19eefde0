//! A run's counters in CloudWatch's embedded metric format: a line of JSON in a log group is a metric, without a call to AWS.
//! The format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use weir_engine::{RunReport, SourceStats};

/// CloudWatch keeps custom metrics by the minute.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
/// The Lambdas write theirs there too.
const NAMESPACE: &str = "Weir";
/// The most characters of a dimension's value.
const DIMENSION_CHARS: usize = 1024;
/// Kinds of rows that are no poison.
const NO_POISON: [&str; 3] = ["event", "heartbeat", "probe"];

/// What was counted, of the pipeline or of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    rule_errors: u64,
    late_rows: u64,
    poison: u64,
    rows: u64,
}

impl Counts {
    fn metrics(self) -> [Metric; 3] {
        [
            ("rule_errors", self.rule_errors, "Count"),
            ("late_rows", self.late_rows, "Count"),
            ("rows", self.rows, "Count"),
        ]
    }

    fn since(self, before: Self) -> Self {
        Self {
            rule_errors: self.rule_errors.saturating_sub(before.rule_errors),
            late_rows: self.late_rows.saturating_sub(before.late_rows),
            poison: self.poison.saturating_sub(before.poison),
            rows: self.rows.saturating_sub(before.rows),
        }
    }
}

/// How long a run has held what no checkpoint holds: since its last checkpoint, or since it began. A run that has read nothing since
/// writes none, and has nothing to lose.
#[derive(Debug)]
pub(crate) struct CheckpointAge {
    seen: u64,
    records: u64,
    since: Instant,
}

impl Default for CheckpointAge {
    fn default() -> Self {
        Self { seen: 0, records: 0, since: Instant::now() }
    }
}

impl CheckpointAge {
    /// As far as this was asked often enough.
    pub(crate) fn of(&mut self, report: &RunReport) -> Duration {
        let records = report.sources.iter().map(|source| source.records).sum();
        if report.checkpoints != self.seen || records == self.records {
            *self = Self { seen: report.checkpoints, records, since: Instant::now() };
        }
        self.since.elapsed()
    }
}

/// A value, with its name and its unit as CloudWatch has them.
type Metric = (&'static str, u64, &'static str);

/// Makes the lines of one run.
#[derive(Debug)]
pub(crate) struct Emf {
    pipeline: String,
    of_pipeline: Counts,
    of_rules: BTreeMap<String, Counts>,
}

impl Emf {
    /// The name is the metrics' dimension `pipeline`.
    pub(crate) fn new(pipeline: &str) -> Self {
        let pipeline = pipeline.chars().take(DIMENSION_CHARS).collect();
        Self { pipeline, of_pipeline: Counts::default(), of_rules: BTreeMap::new() }
    }

    /// The same pipeline, for a run that has counted nothing yet.
    pub(crate) fn of_the_next(self) -> Self {
        Self { pipeline: self.pipeline, of_pipeline: Counts::default(), of_rules: BTreeMap::new() }
    }

    /// What was counted since the last call: a line for the pipeline, and one for each rule that left rows out or had late ones
    /// (a metric of every rule would cost money and say nothing). The pipeline's says also how it is: how far behind the tip of its streams,
    /// how much state it holds, and how old its last checkpoint is where it keeps any.
    pub(crate) fn lines(
        &mut self,
        report: &RunReport,
        checkpoint_age: Option<Duration>,
        epoch_millis: i64,
    ) -> Vec<String> {
        let all = Counts {
            rule_errors: report.rules.iter().map(|r| r.rule_errors).sum(),
            late_rows: report.sources.iter().map(|s| s.late).sum(),
            poison: report.sources.iter().map(poison).sum(),
            rows: report.rules.iter().map(|r| r.rows).sum(),
        };
        let counts = all.since(self.of_pipeline);
        self.of_pipeline = all;
        let mut more: Vec<Metric> = vec![
            ("poison", counts.poison, "Count"),
            ("running", 1, "Count"),
            ("state_bytes", report.state_bytes, "Bytes"),
        ];
        let lag = report.sources.iter().filter_map(|source| source.lag_millis).max();
        more.extend(lag.map(|millis| ("lag_seconds", millis / 1000, "Seconds")));
        more.extend(checkpoint_age.map(|age| ("checkpoint_age_seconds", age.as_secs(), "Seconds")));
        let mut lines =
            vec![self.line(None, &counts.metrics().into_iter().chain(more).collect::<Vec<_>>(), epoch_millis)];
        let mut rules: BTreeMap<&str, Counts> = BTreeMap::new();
        for rule in &report.rules {
            // Statements of one name are one rule.
            let sum = rules.entry(&rule.name).or_default();
            sum.rule_errors += rule.rule_errors;
            sum.late_rows += rule.late;
            sum.rows += rule.rows;
        }
        for (rule, sum) in rules {
            let before = self.of_rules.insert(rule.to_owned(), sum).unwrap_or_default();
            let counts = sum.since(before);
            if counts.rule_errors + counts.late_rows > 0 {
                lines.push(self.line(Some(rule), &counts.metrics(), epoch_millis));
            }
        }
        lines
    }

    /// The line of a run that ended by itself: `failed`, or `fenced` by another run that has its state.
    pub(crate) fn end(&self, how: &'static str, epoch_millis: i64) -> String {
        self.line(None, &[(how, 1, "Count")], epoch_millis)
    }

    fn line(&self, rule: Option<&str>, values: &[Metric], epoch_millis: i64) -> String {
        let metrics: Vec<Value> = values.iter().map(|(name, _, unit)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        let mut dimensions = vec!["pipeline"];
        line.insert("pipeline".to_owned(), json!(self.pipeline));
        if let Some(rule) = rule {
            dimensions.push("rule");
            line.insert("rule".to_owned(), json!(rule));
        }
        line.extend(values.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value))));
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": epoch_millis,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics }],
            }),
        );
        Value::Object(line).to_string()
    }
}

/// Records of a source that are no event: what the program counts as such, and what could not even be decoded.
fn poison(source: &SourceStats) -> u64 {
    let counted = source.kinds.iter().filter(|(kind, _)| !NO_POISON.contains(&kind.as_str())).map(|(_, rows)| rows);
    source.poison + counted.sum::<u64>()
}

#[cfg(test)]
mod tests {
    use weir_engine::RuleStats;

    use super::*;

    fn report(errors: u64, late: u64) -> RunReport {
        let rule = |name: &str, rule_errors: u64, rows: u64| RuleStats {
            name: name.to_owned(),
            rule_errors,
            late,
            rows,
            ..RuleStats::default()
        };
        let kinds = [("event", 90), ("probe", 2), ("not_json", 3)].map(|(kind, rows)| (kind.to_owned(), rows));
        let source =
            SourceStats { late, poison: 1, lag_millis: Some(3_500), kinds: kinds.into(), ..SourceStats::default() };
        RunReport {
            sources: vec![source],
            rules: vec![rule("zscore", errors, 7), rule("flat_line", 0, 2)],
            state_bytes: 2048,
            ..RunReport::default()
        }
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let lines = Emf::new("dev").lines(&report(5, 0), Some(Duration::from_millis(7_900)), 1_767_268_800_000);
        assert_eq!(
            lines,
            [
                r#"{"_aws":{"CloudWatchMetrics":[{"Dimensions":[["pipeline"]],"Metrics":[{"Name":"rule_errors","Unit":"Count"},{"Name":"late_rows","Unit":"Count"},{"Name":"rows","Unit":"Count"},{"Name":"poison","Unit":"Count"},{"Name":"running","Unit":"Count"},{"Name":"state_bytes","Unit":"Bytes"},{"Name":"lag_seconds","Unit":"Seconds"},{"Name":"checkpoint_age_seconds","Unit":"Seconds"}],"Namespace":"Weir"}],"Timestamp":1767268800000},"checkpoint_age_seconds":7,"lag_seconds":3,"late_rows":0,"pipeline":"dev","poison":4,"rows":9,"rule_errors":5,"running":1,"state_bytes":2048}"#,
                r#"{"_aws":{"CloudWatchMetrics":[{"Dimensions":[["pipeline","rule"]],"Metrics":[{"Name":"rule_errors","Unit":"Count"},{"Name":"late_rows","Unit":"Count"},{"Name":"rows","Unit":"Count"}],"Namespace":"Weir"}],"Timestamp":1767268800000},"late_rows":0,"pipeline":"dev","rows":7,"rule":"zscore","rule_errors":5}"#,
            ]
        );
    }

    #[test]
    fn a_checkpoint_grows_old_only_while_something_waits_for_it() {
        let report = |records, checkpoints| RunReport {
            sources: vec![SourceStats { records, ..SourceStats::default() }],
            checkpoints,
            ..RunReport::default()
        };
        let long = Duration::from_secs(10);
        let mut age = CheckpointAge::default();
        let later = |age: &mut CheckpointAge, report: &RunReport| {
            age.since = age.since.checked_sub(long).unwrap();
            age.of(report) >= long
        };
        assert!(!later(&mut age, &report(0, 0)), "nothing was read");
        assert!(later(&mut age, &report(1, 0)), "what was read waits");
        assert!(!later(&mut age, &report(1, 1)), "it was written");
        assert!(!later(&mut age, &report(1, 1)), "nothing was read since");
        assert!(later(&mut age, &report(2, 1)));
    }

    /// The rules of the specification that a line could break.
    #[test]
    fn every_line_follows_the_specification() {
        let name = "p".repeat(5000);
        let mut emf = Emf::new(&name);
        for text in emf.lines(&report(1, 1), None, 1).into_iter().chain([emf.end("fenced", 1)]) {
            assert!(!text.contains('\n'));
            let line: Value = serde_json::from_str(&text).unwrap();
            assert!(line["_aws"]["Timestamp"].is_u64());
            for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
                assert!((1..=256).contains(&directive["Namespace"].as_str().unwrap().len()));
                for dimension in
                    directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap())
                {
                    let value = line[dimension.as_str().unwrap()].as_str().unwrap();
                    assert!((1..=1024).contains(&value.len()), "a dimension is a text at the root");
                }
                let metrics = directive["Metrics"].as_array().unwrap();
                assert!((1..=100).contains(&metrics.len()));
                for metric in metrics {
                    assert!(line[metric["Name"].as_str().unwrap()].is_number(), "a metric is a number at the root");
                }
            }
        }
    }

    #[test]
    fn a_line_says_what_was_counted_since_the_last_one() {
        let mut emf = Emf::new("dev");
        assert_eq!(emf.lines(&report(5, 3), None, 0).len(), 3, "both rules had late rows");
        let lines = emf.lines(&report(6, 3), None, 60_000);
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&first["rule_errors"], &first["late_rows"], &first["poison"]), (&json!(1), &json!(0), &json!(0)));
        assert_eq!(lines.len(), 2);
        assert_eq!(emf.lines(&report(6, 3), None, 120_000).len(), 1, "a rule without errors has no line");
    }
}
