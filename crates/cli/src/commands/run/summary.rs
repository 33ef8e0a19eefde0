//! What was counted, at the end of a run.

use weir_engine::{ConnectorStats, RunReport, SourceStats};
use weir_project::rule_errors;

use super::log::{self, LogFormat};

pub(crate) fn print(report: &RunReport, format: LogFormat) {
    match format {
        LogFormat::Text => eprint!("{}", text(report)),
        LogFormat::Json => {
            let report = serde_json::to_value(report).unwrap_or_default();
            log::line("INFO", "the run has ended", Some(("report", report)));
        }
    }
}

fn text(report: &RunReport) -> String {
    let mut lines = Vec::new();
    for s in &report.sources {
        lines.push(format!(
            "read {}: {} records, {} late, {} poison, {} without a usable time, {} from the future",
            s.name, s.records, s.late, s.poison, s.without_time, s.future
        ));
        lines.extend(kinds(s));
        lines.extend(s.connector.as_ref().and_then(faults));
    }
    for r in &report.rules {
        lines.push(format!(
            "rule {}: {} rows, {} late, {} poison, {} without a usable time",
            r.name, r.rows, r.late, r.poison, r.without_time
        ));
        lines.extend(rule_errors(r).map(|said| format!("  {said}")));
    }
    for s in &report.sinks {
        lines.push(format!("wrote {}: {} rows", s.name, s.rows));
        lines.extend(s.connector.as_ref().and_then(faults));
    }
    if report.failed_checkpoints > 0 {
        lines.push(format!("checkpoints: {} written, {} failed", report.checkpoints, report.failed_checkpoints));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What a source's rows turned out to be, where the program has them counted: each is one of these.
fn kinds(s: &SourceStats) -> Option<String> {
    let lost = s.unaccounted()?;
    let mut said: Vec<String> = s.kinds.iter().map(|(kind, rows)| format!("{rows} {kind}")).collect();
    if lost > 0 {
        said.push(format!("{lost} not accounted for"));
    }
    Some(format!("  of them {}", said.join(", ")))
}

/// What went wrong at a service; nothing when nothing did.
fn faults(c: &ConnectorStats) -> Option<String> {
    let counts = [
        (c.throttles, "throttles"),
        (c.retries, "retries"),
        (c.expired_iterators, "expired iterators"),
        (c.reshards, "shards ended by a reshard"),
        (c.gaps, "gaps: records were gone before they were read"),
        (c.set_aside, "rows set aside: too large for the stream"),
    ];
    let said: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    (!said.is_empty()).then(|| format!("  {}", said.join(", ")))
}

#[cfg(test)]
mod tests {
    use weir_engine::{RuleStats, SinkStats};

    use super::*;

    #[test]
    fn every_count_is_said_and_faults_only_where_there_are_some() {
        let connector = ConnectorStats { throttles: 2, retries: 3, set_aside: 1, ..ConnectorStats::default() };
        let report = RunReport {
            sources: vec![SourceStats {
                name: "events".into(),
                records: 10,
                rows: 8,
                kinds: [("event".to_owned(), 6), ("heartbeat".to_owned(), 1)].into(),
                late: 1,
                poison: 2,
                without_time: 3,
                future: 4,
                connector: Some(ConnectorStats::default()),
                ..SourceStats::default()
            }],
            rules: vec![RuleStats {
                name: "zscore".into(),
                rows: 5,
                late: 1,
                poison: 2,
                rule_errors: 7,
                rule_error: Some("Cast error: Cannot cast string 'n/a'".into()),
                ..RuleStats::default()
            }],
            sinks: vec![SinkStats { name: "anomalies".into(), rows: 5, connector: Some(connector), bytes: 0 }],
            failed_checkpoints: 1,
            ..RunReport::default()
        };
        insta::assert_snapshot!(text(&report), @r"
        read events: 10 records, 1 late, 2 poison, 3 without a usable time, 4 from the future
          of them 6 event, 1 heartbeat, 1 not accounted for
        rule zscore: 5 rows, 1 late, 2 poison, 0 without a usable time
          7 rule_errors: rows that could not be computed and were left out; the first: Cast error: Cannot cast string 'n/a'
        wrote anomalies: 5 rows
          2 throttles, 3 retries, 1 rows set aside: too large for the stream
        checkpoints: 0 written, 1 failed
        ");
    }
}
