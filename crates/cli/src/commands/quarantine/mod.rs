//! `weir quarantine`: records that were no events or no anomalies, to be read, and sent again once they are understood.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use weir_anomaly::base64_bytes;
use weir_cloud::{
    Clients,
    queue::{self, Message},
    stream::{self, PutRecord},
};

use crate::target::DeployedTarget;

/// Prints what is in quarantine, one record a line; the records stay there unless they are sent again
///
/// A message of the queue that is no record of Weir's is printed with the reason `stray` and always stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir quarantine --stack local | jq .reason")]
pub(crate) struct QuarantineCommand {
    #[command(flatten)]
    target: DeployedTarget,
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

/// The parts of one record, each with its messages.
type Parts = BTreeMap<u32, (Part, Vec<Message>)>;

/// What the queue held.
#[derive(Debug, Default)]
struct Contents {
    /// By record id.
    records: BTreeMap<String, Parts>,
    /// Messages that are no records of ours, each with what is wrong with it.
    strays: Vec<(Message, String)>,
    /// Ids of all messages so far.
    seen: BTreeSet<String>,
}

pub(crate) async fn run(command: QuarantineCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    let url = command.queue_url.or(names.map(|c| c.quarantine_url));
    let url = url.context("which quarantine?\n  hint: --env NAME, --stack NAME, or --queue-url URL")?;
    let mut contents = Contents::default();
    while contents.take(queue::receive(&clients, &url, 1).await?) {}
    for line in contents.lines() {
        println!("{line}");
    }
    let (count, strays) = (contents.records.len(), contents.strays.len());
    let mut stayed = 0;
    if command.send_again {
        for (id, parts) in &contents.records {
            if let Err(error) = send_again(&clients, &url, parts).await {
                eprintln!("record {id} stays in quarantine: {error:#}");
                stayed += 1;
            }
        }
    }
    if command.send_again {
        eprintln!("{} of {count} records in quarantine were sent again", count - stayed);
    } else {
        eprintln!("{count} records in quarantine");
    }
    if strays > 0 {
        eprintln!(
            "{strays} messages of the queue are no records of Weir's: they have the reason `stray` and stay there"
        );
    }
    if stayed > 0 {
        bail!("{stayed} records were not sent again\n  hint: the lines above say why; all others were");
    }
    Ok(())
}

/// Puts a record back on its stream, then takes it out of quarantine: in this order nothing is lost.
async fn send_again(clients: &Clients, url: &str, parts: &Parts) -> Result<()> {
    let (first, _) = parts.values().next().context("it has no parts")?;
    let raw = bytes(parts).with_context(|| format!("{} of its {} parts are here", parts.len(), first.parts))?;
    stream::put(clients, &first.stream, &[PutRecord::new(raw, first.record_id.clone())]).await?;
    let messages: Vec<Message> = parts.values().flat_map(|(_, messages)| messages.clone()).collect();
    Ok(queue::delete(clients, url, &messages).await?)
}

impl Contents {
    /// Takes what one receive brought; `false` when that held nothing new. A message comes again when it was hidden for long
    /// enough, so without that a long queue would never end. One that is received twice, or twice in the queue (a replay, or
    /// SQS itself), is one part.
    fn take(&mut self, messages: Vec<Message>) -> bool {
        let before = self.seen.len();
        for message in messages {
            let new = self.seen.insert(message.id.clone());
            match part(&message.body) {
                Ok(part) => {
                    let parts = self.records.entry(part.record_id.clone()).or_default();
                    parts.entry(part.part).or_insert_with(|| (part, Vec::new())).1.push(message);
                }
                Err(why) if new => self.strays.push((message, why)),
                Err(_) => {}
            }
        }
        self.seen.len() > before
    }

    /// What is printed: a line a record, then a line a stray message.
    fn lines(&self) -> impl Iterator<Item = Value> {
        let strays = self.strays.iter().map(|(message, why)| {
            json!({"message_id": message.id, "reason": "stray", "error": why, "whole": false, "text": message.body})
        });
        self.records.values().filter_map(line).chain(strays)
    }
}

fn line(parts: &Parts) -> Option<Value> {
    let (first, _) = parts.values().next()?;
    let raw = bytes(parts);
    let whole = raw.is_some();
    // Most records are text; those that are not are shown as they travelled.
    let text = raw.and_then(|raw| String::from_utf8(raw).ok());
    let base64 = if text.is_none() { parts.values().map(|(p, _)| p.raw.as_str()).collect() } else { String::new() };
    Some(json!({
        "record_id": first.record_id, "stream": first.stream, "reason": first.reason, "error": first.error,
        "arrival_time": first.arrival_time, "quarantined_at": first.quarantined_at, "whole": whole,
        "text": text, "base64": base64,
    }))
}

/// Reads a message; says why it is none of ours.
fn part(body: &str) -> Result<Part, String> {
    let part: Part = serde_json::from_str(body).map_err(|e| e.to_string())?;
    base64_bytes(&part.raw).map_err(|e| e.to_string())?;
    if part.part == 0 || part.part > part.parts {
        return Err(format!("it is part {} of {}", part.part, part.parts));
    }
    Ok(part)
}

/// The record's bytes; `None` while a part is missing.
fn bytes(parts: &Parts) -> Option<Vec<u8>> {
    let (first, _) = parts.values().next()?;
    let complete = parts.keys().copied().eq(1..=first.parts);
    complete.then(|| parts.values().filter_map(|(part, _)| base64_bytes(&part.raw).ok()).flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, body: impl Into<String>) -> Message {
        Message { id: id.to_owned(), body: body.into(), sent_millis: None, receipt: format!("r-{id}") }
    }

    fn of_record(record: &str, part: u32, parts: u32, raw: &str) -> String {
        json!({"record_id": record, "stream": "weir-events", "reason": "not_json", "error": "the event is none", "raw": raw,
            "part": part, "parts": parts, "shard_id": "shardId-0", "sequence_number": "49", "arrival_time": null,
            "quarantined_at": "2026-11-23T05:00:00.000Z"})
        .to_string()
    }

    #[test]
    fn what_is_not_ours_is_shown_with_its_reason_and_hides_nothing() {
        let mut contents = Contents::default();
        assert!(contents.take(vec![
            message("1", "hello from another team"),
            message("2", of_record("a", 1, 2, "aGVs")),
            message("3", r#"{"record_id":"b"}"#),
            message("4", of_record("b", 1, 1, "no base64!")),
        ]));
        assert!(contents.take(vec![
            message("5", of_record("a", 2, 2, "bG8=")),
            message("6", of_record("c", 1, 2, "e30=")),
            message("7", of_record("d", 0, 0, "e30=")),
            message("8", of_record("e", 1, 1, "/w==")),
        ]));
        assert!(
            !contents.take(vec![message("1", "hello from another team")]),
            "hidden for long enough, it comes again"
        );
        assert!(!contents.take(Vec::new()));
        let lines: Vec<String> = contents.lines().map(|line| line.to_string()).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_record_that_came_twice_is_one_with_both_its_messages() {
        let mut contents = Contents::default();
        contents.take(vec![message("1", of_record("a", 1, 1, "e30=")), message("2", of_record("a", 1, 1, "e30="))]);
        let parts = &contents.records["a"];
        assert_eq!(bytes(parts), Some(b"{}".to_vec()));
        let receipts: Vec<&str> = parts[&1].1.iter().map(|m| m.receipt.as_str()).collect();
        assert_eq!(receipts, ["r-1", "r-2"], "both are deleted once it was sent again");
    }
}
