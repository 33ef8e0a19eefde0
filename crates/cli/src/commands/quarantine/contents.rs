//! What a quarantine queue holds: records, put together from their parts, and messages that are none of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use weir_anomaly::base64_bytes;
use weir_cloud::queue::Message;

/// What was received of the queue in one pass.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By record id and stream: the same bytes may be poison on two streams.
    pub(super) records: BTreeMap<(String, String), Parts>,
    /// Messages that are no records of ours, each with what is wrong with it, by message id.
    pub(super) strays: BTreeMap<String, (Message, String)>,
    /// Ids of all messages so far.
    seen: BTreeSet<String>,
    /// By what each message is made visible again, the latest receipt of each.
    receipts: BTreeMap<String, String>,
    /// Bytes of all bodies.
    bytes: usize,
}

/// The parts of one record, each with its messages.
pub(super) type Parts = BTreeMap<u32, (Part, Vec<Message>)>;

/// What a quarantine message says (docs/contracts.md).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Part {
    pub(super) record_id: String,
    pub(super) stream: String,
    reason: String,
    #[serde(default)]
    error: String,
    raw: String,
    part: u32,
    pub(super) parts: u32,
    arrival_time: Option<String>,
    quarantined_at: String,
}

impl Contents {
    /// Takes what one receive brought; `false` when that held nothing new. A message comes again when it was hidden for long
    /// enough, so without that a long queue would never end. One that is received twice, or twice in the queue (a replay, or
    /// SQS itself), is one part. Which of several is shown does not go by the order in which they come.
    pub(super) fn take(&mut self, messages: Vec<Message>) -> bool {
        let before = self.seen.len();
        for message in messages {
            self.receipts.insert(message.id.clone(), message.receipt.clone());
            if !self.seen.insert(message.id.clone()) {
                self.renew(message);
                continue;
            }
            self.bytes += message.body.len();
            match part(&message.body) {
                Ok(part) => {
                    let parts = self.records.entry((part.record_id.clone(), part.stream.clone())).or_default();
                    let (shown, messages) = parts.entry(part.part).or_insert_with(|| (part.clone(), Vec::new()));
                    if part.quarantined_at < shown.quarantined_at {
                        *shown = part;
                    }
                    messages.push(message);
                }
                Err(why) => {
                    self.strays.insert(message.id.clone(), (message, why));
                }
            }
        }
        self.seen.len() > before
    }

    /// A message that came again has a new receipt; only the newest deletes it.
    fn renew(&mut self, again: Message) {
        let all = self.records.values_mut().flat_map(BTreeMap::values_mut).flat_map(|(_, messages)| messages);
        let all = all.chain(self.strays.values_mut().map(|(message, _)| message));
        for message in all.filter(|message| message.id == again.id) {
            message.receipt.clone_from(&again.receipt);
        }
    }

    /// Messages so far.
    pub(super) fn messages(&self) -> usize {
        self.seen.len()
    }

    /// Bytes of all messages so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets a message that was taken out of the queue.
    pub(super) fn forget(&mut self, id: &str) {
        self.receipts.remove(id);
    }

    /// By what the messages that are still held are made visible again.
    pub(super) fn receipts(&self) -> Vec<&str> {
        self.receipts.values().map(String::as_str).collect()
    }

    /// What is printed: a line a record, then a line a stray message.
    pub(super) fn lines(&self) -> impl Iterator<Item = Value> {
        let strays = self.strays.values().map(|(message, why)| {
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
pub(super) fn bytes(parts: &Parts) -> Option<Vec<u8>> {
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
        let parts = &contents.records[&("a".to_owned(), "weir-events".to_owned())];
        assert_eq!(bytes(parts), Some(b"{}".to_vec()));
        let receipts: Vec<&str> = parts[&1].1.iter().map(|m| m.receipt.as_str()).collect();
        assert_eq!(receipts, ["r-1", "r-2"], "both are deleted once it was sent again");
    }

    #[test]
    fn a_message_that_comes_again_counts_once_and_its_newest_receipt_is_the_one_that_deletes_and_releases() {
        let mut contents = Contents::default();
        assert!(contents.take(vec![message("1", of_record("a", 1, 1, "e30=")), message("2", "hello")]));
        let again = |id: &str, body: &str| Message { receipt: format!("new-{id}"), ..message(id, body) };
        assert!(!contents.take(vec![again("1", &of_record("a", 1, 1, "e30=")), again("2", "hello")]));
        assert_eq!(contents.messages(), 2);
        assert_eq!(contents.records[&("a".to_owned(), "weir-events".to_owned())][&1].1.len(), 1);
        assert_eq!(contents.records[&("a".to_owned(), "weir-events".to_owned())][&1].1[0].receipt, "new-1");
        assert_eq!(contents.receipts(), ["new-1", "new-2"]);
        contents.forget("1");
        assert_eq!(contents.receipts(), ["new-2"], "what was deleted is not made visible");
    }

    #[test]
    fn what_is_shown_does_not_go_by_the_order_of_receiving() {
        let earlier = of_record("a", 1, 1, "e30=").replace("05:00:00", "04:00:00");
        let messages =
            [message("1", of_record("a", 1, 1, "e30=")), message("2", earlier), message("4", "y"), message("3", "x")];
        let mut backwards = messages.to_vec();
        backwards.reverse();
        let lines = |messages: Vec<Message>| {
            let mut contents = Contents::default();
            contents.take(messages);
            contents.lines().map(|line| line.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(lines(messages.to_vec()), lines(backwards));
    }
}
