//! `weir explain`: a stored anomaly, the rule that found it as it then was, and the same computed again from its events.

pub(crate) mod version;

use std::fmt::Write as _;

use anyhow::{Context, Result};
use weir_anomaly::{Anomaly, AnomalyId, Timestamp, store::StoredAnomaly};
use weir_backtest::{Recomputed, kinesis_input, recompute};
use weir_cloud::store;
use weir_project::Repo;
use weir_terminal::visible;

use crate::{columns::ColumnOptions, commands::show, target::DeployedTarget};
use version::Found;

/// Around an event without a window, so much time is shown on each side.
const AROUND_NANOS: i64 = 300_000_000_000;

/// Explains a stored anomaly: the rule's text of that version, its window, the events in it, and the same computed again
///
/// Events are read from what the events stream keeps, or the declared stream that the rule reads, or from --input. They are replayed by the time that they carry: where
/// windows go by time of arrival, those computed again may lie beside the stored one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir explain 0123456789abcdef0123456789abcdef --stack demo\n  weir explain 0123456789abcdef0123456789abcdef --input events.jsonl"
)]
pub(crate) struct ExplainCommand {
    /// The anomaly's id, as its alert gives it
    id: String,
    /// Where its events are: files, folders, s3://BUCKET/PREFIX, or kinesis://STREAM [default: what the events stream keeps]
    #[arg(long, num_args = 1.., value_name = "FILE|FOLDER|s3://BUCKET/PREFIX|kinesis://STREAM")]
    input: Vec<String>,
    /// Takes the anomaly from this file, as `weir backtest --out` writes it, and not from the table
    #[arg(long, value_name = "FILE.jsonl", requires = "input")]
    from: Option<std::path::PathBuf>,
    /// At most so many events
    #[arg(long, default_value_t = 20)]
    most: usize,
    #[command(flatten)]
    columns: ColumnOptions,
    #[command(flatten)]
    target: DeployedTarget,
    /// The table, when it is not the stack's own
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

pub(crate) async fn run(command: ExplainCommand) -> Result<()> {
    let repo = Repo::find()?;
    let anomaly = match &command.from {
        Some(file) => from_file(file, &command.id)?,
        None => from_table(&command).await?,
    };
    let Some(found) = version::find(&repo, &anomaly)? else {
        println!(
            "\nrule text: version {} of `{}` is neither in this checkout nor in its history\n  hint: fetch the whole history, or look where it was deployed from",
            anomaly.rule_version, anomaly.rule
        );
        return Ok(());
    };
    println!("\n{}", text(&found));
    let inputs = if !command.input.is_empty() {
        command.input.clone()
    } else if let Some(stream) = kinesis_input(&found.pack, &found.environment) {
        vec![format!("kinesis://{stream}")]
    } else {
        // A stack has streams of its own, under any names of its environment.
        let stream = command.target.target().names().await?.map(|names| names.events_stream);
        vec![format!("kinesis://{}", stream.unwrap_or_else(|| found.environment.streams.events.clone()))]
    };
    match recompute(&anomaly.key, found.pack, found.environment, &inputs, &command.columns.columns(), &async || {
        Ok(command.target.target().connect().await?.0)
    })
    .await
    {
        Ok(recomputed) => println!("{}", told(&anomaly, &recomputed, command.most)),
        Err(error) => println!("events: not to be had any more ({error:#})"),
    }
    Ok(())
}

async fn from_table(command: &ExplainCommand) -> Result<Anomaly> {
    let (clients, names) = command.target.connect().await?;
    let table = command.table.clone().or(names.map(|c| c.table)).unwrap_or_else(|| "weir-anomalies".to_owned());
    let item = store::get(&clients, &table, &command.id).await?;
    let item =
        item.with_context(|| format!("table {table} has no anomaly {}\n  hint: it may have expired", command.id))?;
    let stored = StoredAnomaly::from_item(&item)?;
    show::print(&stored);
    show::print_page(&command.target, &stored);
    Ok(stored.anomaly)
}

fn from_file(file: &std::path::Path, id: &str) -> Result<Anomaly> {
    let id = AnomalyId::try_from(id.to_owned())?;
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let found = text.lines().filter_map(|line| serde_json::from_str::<Anomaly>(line).ok()).find(|a| a.id == id);
    let anomaly = found.with_context(|| format!("{} has no anomaly {id}", file.display()))?;
    show::print_anomaly(&anomaly);
    Ok(anomaly)
}

/// The rule, with the values that its parameters had.
fn text(found: &Found) -> String {
    let mut text = format!("rule text ({}, environment {}):\n", found.place, found.environment_names.join(", "));
    for rule in &found.pack.rules {
        let set = found.environment.parameters.get(&rule.header.name);
        for (name, parameter) in &rule.header.parameters {
            let value = set.and_then(|values| values.get(name)).unwrap_or(&parameter.default);
            let _ = writeln!(text, "  ${{{name}}} = {value}");
        }
        for line in rule.body.lines() {
            let _ = writeln!(text, "  | {line}");
        }
    }
    text
}

/// The events in the window, and what the rule says of them now.
fn told(anomaly: &Anomaly, recomputed: &Recomputed, most: usize) -> String {
    let (from, to) = match (anomaly.window_start, anomaly.window_end) {
        (Some(start), Some(end)) => (start.nanos(), end.nanos()),
        _ => {
            let at = anomaly.timestamp.nanos();
            (at.saturating_sub(AROUND_NANOS), at.saturating_add(AROUND_NANOS))
        }
    };
    let mut events: Vec<(i64, &str, f64)> = Vec::new();
    for (name, points) in &recomputed.series {
        let within = points.iter().filter(|(nanos, _)| (from..to).contains(nanos));
        events.extend(within.map(|(nanos, value)| (*nanos, name.as_str(), *value)));
    }
    events.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    let span = format!("{} to {}", Timestamp::from_nanos(from), Timestamp::from_nanos(to));
    let mut text = format!("events of {} from {span}: {}\n", visible(&anomaly.key), events.len());
    let left_out = events.len().saturating_sub(most);
    if left_out > 0 {
        let _ = writeln!(text, "  … {left_out} earlier ones (--most shows more)");
    }
    for (nanos, name, value) in events.iter().skip(left_out) {
        let _ = writeln!(text, "  {}  {}  {value}", Timestamp::from_nanos(*nanos), visible(name));
    }
    text.push_str(&again(anomaly, recomputed));
    text
}

/// Whether the same comes of the same events.
fn again(stored: &Anomaly, recomputed: &Recomputed) -> String {
    let said = |a: &Anomaly| {
        let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        format!("value {}, expected {}, score {:.3}", number(a.value), number(a.expected), a.score)
    };
    if let Some(same) = recomputed.anomalies.iter().find(|a| a.id == stored.id) {
        return format!("computed again: the same anomaly, {}", said(same));
    }
    let near = recomputed
        .anomalies
        .iter()
        .filter(|a| a.key == stored.key)
        .min_by_key(|a| a.timestamp.nanos().abs_diff(stored.timestamp.nanos()));
    match near {
        Some(near) => format!("computed again: not this one; the nearest is at {}: {}", near.timestamp, said(near)),
        None => "computed again: no anomaly of this key; events may be missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn anomaly(minute: u32, id: char) -> Anomaly {
        serde_json::from_value(serde_json::json!({
            "id": id.to_string().repeat(32), "rule": "high", "rule_version": "000000000000", "severity": "info", "key": "a/x",
            "timestamp": format!("2026-01-01T00:{minute:02}:00Z"), "window_start": "2026-01-01T00:00:00Z",
            "window_end": format!("2026-01-01T00:{minute:02}:00Z"), "value": 2.5, "expected": 1.0, "score": 0.5
        }))
        .unwrap()
    }

    #[test]
    fn events_of_the_window_are_told_and_whether_the_same_comes_again() {
        let start = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap().nanos();
        let points = (0..5).map(|i| (start + i * 60_000_000_000, 2.5)).collect();
        let series = BTreeMap::from([("a/x".to_owned(), points)]);
        let recomputed = Recomputed { series, anomalies: vec![anomaly(4, '1'), anomaly(9, '2')] };
        insta::assert_snapshot!(told(&anomaly(4, '1'), &recomputed, 3));
        assert!(again(&anomaly(8, '3'), &recomputed).contains("not this one; the nearest is at 2026-01-01T00:09:00Z"));
        let none = Recomputed { anomalies: Vec::new(), ..recomputed };
        assert!(again(&anomaly(4, '1'), &none).ends_with("events may be missing"));
    }
}
