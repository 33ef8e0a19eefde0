//! The topic, in SNS.

use async_trait::async_trait;
use aws_sdk_sns::{
    Client,
    operation::publish_batch::PublishBatchOutput,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use aws_types::SdkConfig;
use futures::{StreamExt as _, stream};
use serde_json::json;
use weir_lambda::chunks;

use super::{CONCURRENCY, class, fault};
use crate::ports::{Fault, Message, Notifier};

/// PublishBatch takes no more entries…
const MAX_ENTRIES: usize = 10;
/// …and no more bytes, which count over all entries; a part is left for what SNS counts beside the texts.
const MAX_BYTES: usize = 240 * 1024;

/// The topic.
pub struct SnsNotifier {
    client: Client,
    topic: String,
}

impl SnsNotifier {
    /// The topic of this ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, topic: &str) -> Self {
        Self { client: Client::new(sdk), topic: topic.to_owned() }
    }

    async fn publish_chunk(
        &self,
        chunk: Vec<(usize, PublishBatchRequestEntry, usize)>,
    ) -> Vec<(usize, Result<(), Fault>)> {
        let (indexes, entries): (Vec<_>, Vec<_>) = chunk.into_iter().map(|(index, entry, _)| (index, entry)).unzip();
        let call = self.client.publish_batch().topic_arn(&self.topic).set_publish_batch_request_entries(Some(entries));
        match call.send().await {
            Ok(output) => indexes.into_iter().map(|index| (index, answer(&output, index))).collect(),
            Err(error) => {
                let fault = fault(&error);
                indexes.into_iter().map(|index| (index, Err(fault.clone()))).collect()
            }
        }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), Fault>> {
        let mut answers = vec![Err(Fault::Retryable("no answer".to_owned())); messages.len()];
        let mut entries = Vec::with_capacity(messages.len());
        for (index, message) in messages.iter().enumerate() {
            match entry(index, message) {
                Ok((entry, size)) => entries.push((index, entry, size)),
                Err(fault) => {
                    if let Some(answer) = answers.get_mut(index) {
                        *answer = Err(fault);
                    }
                }
            }
        }
        let chunks = chunks(entries, MAX_ENTRIES, MAX_BYTES, |(_, _, size)| *size);
        let calls: Vec<_> = chunks.into_iter().map(|chunk| self.publish_chunk(chunk)).collect();
        let mut sent = stream::iter(calls).buffer_unordered(CONCURRENCY);
        while let Some(chunk) = sent.next().await {
            for (index, answer) in chunk {
                if let Some(slot) = answers.get_mut(index) {
                    *slot = answer;
                }
            }
        }
        answers
    }

    async fn check(&self) -> Result<(), Fault> {
        let call = self.client.get_topic_attributes().topic_arn(&self.topic).send().await;
        call.map(|_| ()).map_err(|error| fault(&error))
    }
}

/// What became of one entry. The call succeeds though entries fail: only what is listed as successful is.
fn answer(output: &PublishBatchOutput, index: usize) -> Result<(), Fault> {
    let id = index.to_string();
    let sent = output.successful().iter().any(|entry| entry.id() == Some(id.as_str()));
    match output.failed().iter().find(|entry| entry.id() == id) {
        _ if sent => Ok(()),
        Some(entry) => Err(class(entry.code(), entry.message().unwrap_or_default())),
        None => Err(Fault::Retryable("no answer".to_owned())),
    }
}

/// An entry and its size. People get text, machines get JSON, phones get the subject.
fn entry(index: usize, message: &Message) -> Result<(PublishBatchRequestEntry, usize), Fault> {
    let body = json!({
        "default": message.text,
        "sms": message.subject,
        "sqs": message.json,
        "lambda": message.json,
        "http": message.json,
        "https": message.json,
        "firehose": message.json,
    })
    .to_string();
    let mut size = body.len() + message.subject.len();
    let mut entry = PublishBatchRequestEntry::builder()
        .id(index.to_string())
        .subject(&message.subject)
        .message(body)
        .message_structure("json");
    for (name, text) in &message.attributes {
        size += name.len() + text.len() + "String".len();
        let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
        entry = entry.message_attributes(*name, value.map_err(|e| Fault::Configuration(e.to_string()))?);
    }
    let entry = entry.build().map_err(|e| Fault::Configuration(e.to_string()))?;
    Ok((entry, size))
}

#[cfg(test)]
mod tests {
    use weir_anomaly::{
        Anomaly, Record,
        store::{Alert, AlertState, Period, Storm},
    };

    use super::*;
    use crate::message;

    /// The record whose messages are the largest: what it is made of doubles each time it is escaped.
    fn largest(key: &str) -> (Anomaly, Alert) {
        let meta =
            json!({"description": "\"".repeat(60_000), "owner": "\\".repeat(4_000), "runbook": "\"".repeat(4_000)});
        let record = json!({"id": "0123456789abcdef0123456789abcdef", "rule": "r".repeat(63), "rule_version": "v", "severity": "critical",
            "key": key, "timestamp": "2026-11-23T05:00:00", "value": 1, "score": 1, "details": {"d": "\"".repeat(7_000)},
            "rule_meta": meta});
        let Ok(Record::Anomaly(anomaly)) = Record::parse(record.to_string().as_bytes()) else { panic!("no anomaly") };
        let alert = Alert {
            rule: anomaly.rule.clone(),
            key: anomaly.key.clone(),
            severity: anomaly.severity,
            period: Period::of(anomaly.timestamp, 900),
            first_id: anomaly.id.to_string(),
            created_at: anomaly.timestamp,
            state: AlertState::Due,
            next_at: None,
            storm: None,
            suppressed: None,
            sent_at: None,
            expires_at: 0,
        };
        (*anomaly, alert)
    }

    #[test]
    fn no_message_is_larger_than_one_call() {
        for key in ["\"", "\u{1}", "\\", "é"].map(|c| c.repeat(1024 / c.len())) {
            let (anomaly, alert) = largest(&key);
            let (many, closed) = (vec![alert.clone(); 2000], vec![(alert.clone(), i64::MAX / 4000); 2000]);
            let storm = Storm::at(&alert.rule, anomaly.timestamp);
            let page = format!("https://{}", "p".repeat(500));
            for (kind, message) in [
                ("alert", message::alert(&anomaly, &alert, "t", Some(&page))),
                ("summary", message::summary(Some(&anomaly), &alert, i64::MAX, "t", Some(&page))),
                ("digest", message::digest(&alert.rule, &closed, "t")),
                ("storm", message::storm(&storm, &many, 20, "t")),
            ] {
                let (_, size) = entry(0, &message).unwrap();
                assert!(size <= MAX_BYTES, "{kind} of {size} bytes for a key of {:?}", key.chars().next());
            }
        }
    }

    #[test]
    fn only_what_is_listed_as_sent_is_sent() {
        use aws_sdk_sns::types::{BatchResultErrorEntry, PublishBatchResultEntry};
        let failed = |id: &str, code: &str| {
            BatchResultErrorEntry::builder().id(id).code(code).sender_fault(false).build().unwrap()
        };
        let output = PublishBatchOutput::builder()
            .successful(PublishBatchResultEntry::builder().id("0").build())
            .failed(failed("1", "InternalError"))
            .failed(failed("2", "InvalidParameter"))
            .build();
        assert_eq!(answer(&output, 0), Ok(()));
        assert!(answer(&output, 1).is_err_and(|fault| fault.is_retryable()));
        assert!(matches!(answer(&output, 2), Err(Fault::Poison(_))));
        assert!(answer(&output, 3).is_err_and(|fault| fault.is_retryable()), "it is not mentioned");
    }

    #[test]
    fn calls_hold_ten_entries_and_their_bytes() {
        let message = |bytes: usize| Message {
            subject: "s".to_owned(),
            text: "x".repeat(bytes),
            json: "{}".to_owned(),
            attributes: vec![("rule", "r".to_owned())],
        };
        let sizes = |messages: &[Message]| -> Vec<usize> {
            let entries = messages.iter().enumerate().map(|(index, message)| entry(index, message).unwrap());
            chunks(entries, MAX_ENTRIES, MAX_BYTES, |(_, size)| *size).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&vec![message(10); 25]), [10, 10, 5]);
        assert_eq!(sizes(&[100_000, 100_000, 100_000, 10, 200_000].map(message)), [2, 2, 1]);
    }
}
