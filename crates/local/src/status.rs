//! `weir status --stack NAME`: what of a local stack runs, what has ended and when, and whether its resources answer.

use std::{collections::BTreeMap, fmt::Write as _, fs, future::Future, path::Path, time::Duration};

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use weir_anomaly::{
    Timestamp,
    store::{PROBE_ITEM, attr},
};
use weir_cloud::{Clients, CloudError, now_millis, queue, store, stream};
use weir_project::Repo;
use weir_terminal::{last_lines, tail};

use super::{Condition, Connection, Health, engine, health::Part};
use crate::stats::Stats;

/// Everything is on this machine: what does not answer by then does not work.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The heartbeat sends a probe each minute; three that do not arrive are no chance.
const PROBE_WITHIN_SECONDS: i64 = 200;

/// What is said of a stack.
#[derive(Debug, Serialize)]
pub struct Status {
    stack: String,
    well: bool,
    parts: Vec<Line>,
}

/// One part, in words.
#[derive(Debug, Serialize)]
struct Line {
    part: String,
    /// `running`, `ended`, …; of a resource `there` or `missing`.
    state: &'static str,
    well: bool,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_end: Vec<String>,
}

/// Prints how a stack does; whether all of it does its work.
///
/// # Errors
/// When what is said cannot be written as JSON.
pub async fn print(repo: &Repo, name: &str, json: bool) -> Result<bool> {
    let Some((status, health)) = look(repo, name).await else {
        if json {
            println!(
                "{}",
                serde_json::to_string_pretty(&Status { stack: name.to_owned(), well: false, parts: Vec::new() })?
            );
        }
        eprintln!("stack `{name}` is down\n  hint: weir up --stack {name} starts it");
        return Ok(false);
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", render(&status, &health));
    }
    Ok(status.well)
}

/// How a stack does; `None` when it is down.
pub async fn of(repo: &Repo, name: &str) -> Option<Status> {
    look(repo, name).await.map(|(status, _)| status)
}

async fn look(repo: &Repo, name: &str) -> Option<(Status, Health)> {
    let health = Health::of(repo, name)?;
    let folder = repo.stack_folder(name);
    let mut parts = vec![line_of(&health.emulator), engine_line(&health, &folder)];
    if health.connection.is_none() {
        parts.push(Line::new("start", "unfinished", false, "it was not started to the end"));
    }
    parts.push(terraform(&folder, health.emulator.condition.runs()));
    if let (Some(connection), Condition::Running) = (&health.connection, health.emulator.condition) {
        parts.extend(resources(connection, &health).await);
    }
    let status = Status { stack: name.to_owned(), well: parts.iter().all(|part| part.well), parts };
    Some((status, health))
}

fn render(status: &Status, health: &Health) -> String {
    let well = if status.well { "is up and does its work" } else { "is not well" };
    let mut text = format!("stack `{}` {well}\n", status.stack);
    for part in &status.parts {
        let _ = writeln!(text, "  {:<20} {}{}", part.part, if part.well { "" } else { "! " }, part.said);
    }
    for part in [&health.emulator, &health.engine] {
        if matches!(part.condition, Condition::Ended | Condition::EndedWithTheMachine | Condition::Silent) {
            let end = tail(&part.log);
            let end = if end.is_empty() { "    | (it is empty)".to_owned() } else { end };
            let _ = writeln!(text, "  the end of {}:\n{end}", part.log.display());
        }
    }
    if !status.well {
        let _ = writeln!(text, "  hint: weir up --stack {} starts what is missing", status.stack);
    }
    text
}

impl Line {
    fn new(part: impl Into<String>, state: &'static str, well: bool, said: impl Into<String>) -> Self {
        let (part, said) = (part.into(), said.into());
        Self { part, state, well, said, started: None, last_seen: None, log: None, log_end: Vec::new() }
    }
}

fn line_of(part: &Part) -> Line {
    let well = part.condition == Condition::Running;
    let when = |at: Option<Timestamp>| at.map(|at| at.to_rfc3339_millis());
    Line {
        started: when(part.started),
        last_seen: when(part.last_seen).filter(|_| !well),
        log: Some(part.log.display().to_string()),
        log_end: if well { Vec::new() } else { last_lines(&part.log) },
        ..Line::new(part.name, part.condition.word(), well, part.said())
    }
}

/// The engine, with what it has counted.
fn engine_line(health: &Health, folder: &Path) -> Line {
    let mut line = line_of(&health.engine);
    if let Some(stats) = Stats::load(&engine::stats_file(folder)) {
        let _ = write!(line.said, "; {} records read", stats.events);
        if let Some(lag) = stats.lag_millis {
            let _ = write!(line.said, ", {lag} ms behind the stream");
        }
    }
    line
}

/// What Terraform made, by its own record. The emulator holds it in memory.
fn terraform(folder: &Path, emulator_runs: bool) -> Line {
    let state = fs::read(folder.join("terraform.tfstate")).ok();
    let state: Option<Value> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let resources = state.as_ref().and_then(|state| state.get("resources")).and_then(Value::as_array);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for resource in resources.into_iter().flatten() {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("mode") == "managed" {
            let instances = resource.get("instances").and_then(Value::as_array).map_or(0, Vec::len);
            *kinds.entry(text("type").to_owned()).or_default() += instances;
        }
    }
    let all: usize = kinds.values().sum();
    if all == 0 {
        return Line::new("Terraform", "missing", false, "it made no resources");
    }
    let main: Vec<String> = [
        ("aws_kinesis_stream", "streams"),
        ("aws_dynamodb_table", "tables"),
        ("aws_sqs_queue", "queues"),
        ("aws_lambda_function", "functions"),
        ("aws_scheduler_schedule", "schedules"),
    ]
    .iter()
    .filter_map(|(kind, called)| Some(format!("{} {called}", kinds.get(*kind)?)))
    .collect();
    let made = format!("made {all} resources: {}", main.join(", "));
    if emulator_runs {
        Line::new("Terraform", "there", true, made)
    } else {
        Line::new("Terraform", "missing", false, format!("{made}; they are gone with the emulator"))
    }
}

/// Whether the resources that matter answer, and what they hold.
async fn resources(connection: &Connection, health: &Health) -> Vec<Line> {
    let clients = Clients::at(&connection.endpoint).await;
    let mut lines = Vec::new();
    for (part, name) in
        [("events stream", &connection.events_stream), ("anomalies stream", &connection.anomalies_stream)]
    {
        let asked = answer(stream::shards(&clients, name)).await;
        lines.push(resource(part, asked, |shards| {
            format!("{name}, {} shards", shards.iter().filter(|s| !s.closed).count())
        }));
    }
    for (part, url) in [("inbox", &connection.inbox_url), ("quarantine", &connection.quarantine_url)] {
        let asked = answer(queue::counts(&clients, url)).await;
        lines.push(resource(part, asked, |counts| format!("{} messages", counts.visible + counts.held)));
    }
    match answer(store::get(&clients, &connection.table, PROBE_ITEM)).await {
        Ok(probe) => {
            let arrived = probe.as_ref().and_then(|probe| probe.text(attr::PROBE_ARRIVED_AT)?.parse().ok());
            lines.push(Line::new("table", "there", true, connection.table.as_str()));
            lines.push(functions(arrived, health, now_millis()));
        }
        Err(said) => lines.push(Line::new("table", "missing", false, said)),
    }
    lines
}

async fn answer<T>(asked: impl Future<Output = Result<T, CloudError>>) -> Result<T, String> {
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(answered) => answered.map_err(|error| error.cause),
        Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

fn resource<T>(part: &str, asked: Result<T, String>, said: impl Fn(&T) -> String) -> Line {
    match asked {
        Ok(found) => Line::new(part, "there", true, said(&found)),
        Err(why) => Line::new(part, "missing", false, why),
    }
}

/// Schedule, heartbeat, engine and alerter together: the heartbeat's newest probe that passed through all of them.
fn functions(arrived: Option<Timestamp>, health: &Health, now_millis: i64) -> Line {
    let part = "functions";
    let seconds_since =
        |at: Timestamp| now_millis.saturating_sub(at.nanos().div_euclid(1_000_000)).div_euclid(1000).max(0);
    let engine_for = health.engine.started.map_or(i64::MAX, seconds_since);
    let engine_runs = health.engine.condition == Condition::Running;
    match arrived.map(seconds_since) {
        Some(ago) if ago <= PROBE_WITHIN_SECONDS => {
            Line::new(part, "running", true, format!("heartbeat and alerter: the last probe came through {ago} s ago"))
        }
        _ if !engine_runs => Line::new(
            part,
            "waiting",
            true,
            "heartbeat and alerter: no probe comes through while the engine does not run",
        ),
        _ if engine_for <= PROBE_WITHIN_SECONDS => Line::new(
            part,
            "waiting",
            true,
            "heartbeat and alerter: waiting for the first probe, one is sent each minute",
        ),
        last => {
            let last = last.map_or_else(|| "none has come".to_owned(), |ago| format!("the last one came {ago} s ago"));
            let said = format!("heartbeat or alerter does not work: a probe is sent each minute and {last}");
            Line::new(part, "silent", false, said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(condition: Condition, started_seconds_ago: i64) -> Health {
        let part = |name| Part {
            name,
            condition,
            started: Timestamp::from_millis(NOW - started_seconds_ago * 1000),
            last_seen: None,
            pid: Some(7),
            log: "engine.log".into(),
        };
        Health { emulator: part("the AWS emulator"), engine: part("the embedded engine"), connection: None }
    }

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn a_probe_that_is_overdue_is_told_from_one_that_cannot_come_yet() {
        let state = |seconds_ago: Option<i64>, condition, started| {
            let arrived = seconds_ago.and_then(|seconds| Timestamp::from_millis(NOW - seconds * 1000));
            let line = functions(arrived, &health(condition, started), NOW);
            (line.state, line.well)
        };
        assert_eq!(state(Some(30), Condition::Running, 3600), ("running", true));
        assert_eq!(state(Some(-5), Condition::Running, 3600), ("running", true), "a clock that was set back");
        assert_eq!(state(None, Condition::Running, 60), ("waiting", true));
        assert_eq!(state(None, Condition::Running, 3600), ("silent", false));
        assert_eq!(state(Some(3000), Condition::Running, 3600), ("silent", false));
        assert_eq!(state(Some(3000), Condition::Running, 60), ("waiting", true), "the engine was started again");
        assert_eq!(
            state(None, Condition::Ended, 3600),
            ("waiting", true),
            "the engine's own line says that it is not well"
        );
    }

    #[test]
    fn what_terraform_made_is_counted_by_instance() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!terraform(folder.path(), true).well);
        let state = serde_json::json!({"resources": [
            {"mode": "managed", "type": "aws_sqs_queue", "instances": [{}, {}]},
            {"mode": "managed", "type": "aws_kinesis_stream", "instances": [{}]},
            {"mode": "data", "type": "aws_caller_identity", "instances": [{}]},
        ]});
        fs::write(folder.path().join("terraform.tfstate"), state.to_string()).unwrap();
        let made = "made 3 resources: 1 streams, 2 queues";
        assert_eq!(terraform(folder.path(), true).said, made);
        let gone = terraform(folder.path(), false);
        assert!(!gone.well && gone.said.starts_with(made), "{}", gone.said);
    }
}
