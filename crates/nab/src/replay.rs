//! One series through one rule on the embedded engine, in tick time: row `i` arrives at the epoch plus `i` times five minutes,
//! so that a window of time is a window of rows; its own timestamp stays a column that the rule can read.

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::json;
use weir_anomaly::Timestamp;
use weir_engine::{MemorySink, MemorySource, RawRecord, RunOptions, plan};
use weir_project::{
    compile::{joined, plan_options},
    in_rule_file,
};
use weir_rules::{Environment, Pack, Program, TimeMode};

use super::corpus::Series;

/// Event time between two rows.
const TICK_NANOS: i64 = 300_000_000_000;
/// Each row closes a window, and the rows of all windows that a batch closes are in memory at once.
const BATCH: usize = 256;

/// Compiles one rule for replays. Its parameter `threshold`, where it has one, is set to 0: the benchmark looks for the best
/// threshold itself and needs the low scores too.
pub(crate) fn compile(pack: &Pack, rule: &str) -> Result<Program> {
    let mut environment = Environment { time: TimeMode::Arrival, ..Environment::default() };
    if pack.rule(rule).is_some_and(|rule| rule.header.parameters.contains_key("threshold")) {
        let parameters = environment.parameters.entry(rule.to_owned()).or_default();
        parameters.insert("threshold".to_owned(), 0.0.into());
    }
    weir_rules::compile(&pack.only(rule), &environment).map_err(joined)
}

/// A score for each row: the rule's where it found an anomaly, else 0.
pub(crate) async fn replay(program: &Program, series: &Series) -> Result<Vec<f64>> {
    let planned = plan(&program.sql, &plan_options()).map_err(|e| anyhow!(in_rule_file(program, &e)))?;
    let mut records = Vec::with_capacity(series.rows.len() + 1);
    for (tick, row) in (0i64..).zip(&series.rows) {
        let event = json!({"timestamp": row.timestamp.to_string(), "value": row.value, "source": series.name});
        records.push(record(event.to_string(), tick * TICK_NANOS));
    }
    // A heartbeat a tick after the last row closes the windows that end there; the run then stops as if asked to, so that no
    // window is judged which only the end of the file would close.
    let end = i64::try_from(records.len()).unwrap_or(i64::MAX / TICK_NANOS) * TICK_NANOS;
    records.push(record(json!({"weir": "heartbeat"}).to_string(), end + TICK_NANOS));

    let mut options =
        RunOptions { stop_after: u64::try_from(records.len()).ok(), batch_size: BATCH, ..RunOptions::default() };
    let sink = MemorySink::new();
    for source in planned.sources() {
        options.sources.insert(source.name.clone(), MemorySource::new(records.clone()));
    }
    for other in planned.sinks() {
        options.sinks.insert(other.name.clone(), MemorySink::new());
    }
    options.sinks.insert("anomalies".to_owned(), sink.clone());
    weir_engine::run(&planned, options, std::future::pending()).await?;
    scores(&sink.lines(), series.rows.len())
}

fn record(payload: String, arrival: i64) -> RawRecord {
    RawRecord { payload: payload.into(), arrival_nanos: Some(arrival), partition: 0 }
}

#[derive(Deserialize)]
struct Anomaly {
    timestamp: Timestamp,
    window_end: Option<Timestamp>,
    score: f64,
}

/// The anomaly of a window is the last row's in it: by then the rule could have said it.
fn scores(lines: &[String], rows: usize) -> Result<Vec<f64>> {
    let mut scores = vec![0.0; rows];
    for line in lines {
        let anomaly: Anomaly =
            serde_json::from_str(line).with_context(|| format!("the engine wrote no anomaly: {line}"))?;
        let tick = match anomaly.window_end {
            Some(end) => end.plus_nanos(-1).nanos().div_euclid(TICK_NANOS),
            None => anomaly.timestamp.nanos().div_euclid(TICK_NANOS),
        };
        if let Some(score) = usize::try_from(tick).ok().and_then(|row| scores.get_mut(row)) {
            *score = f64::max(*score, anomaly.score);
        }
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anomaly_is_the_row_by_which_it_was_known() {
        let lines = [
            r#"{"timestamp":"1970-01-01T00:15:00","window_end":"1970-01-01T00:15:00","score":0.5}"#,
            r#"{"timestamp":"1970-01-01T00:15:00","window_end":null,"score":0.75}"#,
            r#"{"timestamp":"1970-01-02T00:00:00","window_end":"1970-01-02T00:00:00","score":1.0}"#,
        ];
        assert_eq!(scores(&lines.map(str::to_owned), 5).unwrap(), [0.0, 0.0, 0.5, 0.75, 0.0]);
    }
}
