//! `weir quarantine`: records that were no events or no anomalies, to be read, and sent again once they are understood.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use weir_anomaly::base64_bytes;
use weir_cloud::{
    Clients,
    queue::{self, Message},
    stream::{self, PutRecord},
};

use crate::target::Target;

/// Prints what is in quarantine, one record a line; the records stay there unless they are sent again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir quarantine --stack local | jq .reason")]
pub(crate) struct QuarantineCommand {
    #[command(flatten)]
    target: Target,
    /// The queue, when it is not the stack's own
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// Puts every whole record back on the stream that it came from and takes it out of quarantine
    #[arg(long)]
    send_again: bool,
}

/// What a quarantine message says (see ARCHITECTURE.md).
#[derive(Debug, Clone, Deserialize)]
struct Part {
    record_id: String,
    stream: String,
    reason: String,
    #[serde(default)]
    error: String,
    raw: String,
    part: u32,
    parts: u32,
    arrival_time: Option<String>,
    quarantined_at: String,
}

/// The parts of one record, each with its message.
type Parts = BTreeMap<u32, (Part, Vec<Message>)>;

pub(crate) async fn run(command: QuarantineCommand) -> Result<()> {
    let (clients, connection) = command.target.connect().await?;
    let url = command.queue_url.or(connection.map(|c| c.quarantine_url));
    let url = url.context(
        "which quarantine?\n  hint: --stack NAME, or --queue-url URL (`terraform output quarantine_queue_url`)",
    )?;
    let records = receive(&clients, &url).await?;
    let count = records.len();
    for parts in records.into_values() {
        let Some((first, _)) = parts.values().next() else {
            continue;
        };
        let raw = bytes(&parts)?;
        let whole = raw.is_some();
        // Most records are text; those that are not are shown as they travelled.
        let text = raw.as_ref().and_then(|raw| String::from_utf8(raw.clone()).ok());
        println!(
            "{}",
            json!({
                "record_id": first.record_id, "stream": first.stream, "reason": first.reason, "error": first.error,
                "arrival_time": first.arrival_time, "quarantined_at": first.quarantined_at, "whole": whole,
                "text": text, "base64": if text.is_none() { parts.values().map(|(p, _)| p.raw.as_str()).collect::<String>() } else { String::new() },
            })
        );
        if let Some(raw) = raw.filter(|_| command.send_again) {
            stream::put(&clients, &first.stream, &[PutRecord::new(raw, first.record_id.clone())]).await?;
            let messages: Vec<Message> = parts.values().flat_map(|(_, messages)| messages.clone()).collect();
            queue::delete(&clients, &url, &messages).await?;
        }
    }
    eprintln!("{count} records in quarantine{}", if command.send_again { ", sent again" } else { "" });
    Ok(())
}

/// Every message of the queue, by record and part. A message that is received twice (a replay, or SQS itself) is one part.
async fn receive(clients: &Clients, url: &str) -> Result<BTreeMap<String, Parts>> {
    let mut records: BTreeMap<String, Parts> = BTreeMap::new();
    loop {
        let messages = queue::receive(clients, url, 1).await?;
        if messages.is_empty() {
            return Ok(records);
        }
        for message in messages {
            let part: Part = serde_json::from_str(&message.body)
                .with_context(|| format!("a message of {url} is no quarantine message: {}", message.body))?;
            let parts = records.entry(part.record_id.clone()).or_default();
            parts.entry(part.part).or_insert_with(|| (part, Vec::new())).1.push(message);
        }
    }
}

/// The record's bytes; `None` while a part is missing.
fn bytes(parts: &Parts) -> Result<Option<Vec<u8>>> {
    let expected = parts.values().next().map_or(0, |(part, _)| part.parts.max(1));
    if u32::try_from(parts.len()).unwrap_or(0) != expected {
        return Ok(None);
    }
    let mut raw = Vec::new();
    for (part, _) in parts.values() {
        match base64_bytes(&part.raw) {
            Ok(bytes) => raw.extend(bytes),
            Err(error) => bail!("record {}: {error}", part.record_id),
        }
    }
    Ok(Some(raw))
}
