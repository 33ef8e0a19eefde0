//! Reading a queue: the inbox of alerts, and quarantine.

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
    QueueAttributeName,
};

use crate::{Clients, CloudError};

/// Messages in one receive (its limit).
const RECEIVE_MOST: i32 = 10;
/// Entries in one batch call (its limit).
const BATCH_MOST: usize = 10;
/// How long a received message stays hidden from others: enough to take it out of the queue.
pub const VISIBILITY: Duration = Duration::from_secs(30);
/// The longest time that SQS hides a message.
const VISIBILITY_MOST_SECONDS: i32 = 12 * 60 * 60;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The queue's own id of it, the same however often it is received.
    pub id: String,
    /// The body.
    pub body: String,
    /// When the queue took it, milliseconds since the epoch.
    pub sent_millis: Option<i64>,
    /// By what it is deleted.
    pub receipt: String,
}

/// How many messages a queue holds. SQS counts approximately: a count may be up to a minute old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that a receive can give.
    pub visible: usize,
    /// Messages that some reader holds.
    pub held: usize,
    /// Receives after which a message goes to the queue's own dead-letter queue, where it has one.
    pub receives_most: Option<u32>,
}

/// Up to ten messages, waiting at most `wait_seconds` (0 to 20) for the first. Each stays hidden from other readers for
/// `visibility` (at most 12 hours), unless it is deleted or released before.
///
/// # Errors
/// When the queue cannot be read.
pub async fn receive(
    clients: &Clients,
    queue_url: &str,
    wait_seconds: i32,
    visibility: Duration,
) -> Result<Vec<Message>, CloudError> {
    let visibility = i32::try_from(visibility.as_secs()).unwrap_or(i32::MAX).min(VISIBILITY_MOST_SECONDS);
    let answer = clients
        .sqs
        .receive_message()
        .queue_url(queue_url)
        .max_number_of_messages(RECEIVE_MOST)
        .wait_time_seconds(wait_seconds)
        .visibility_timeout(visibility)
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
        .send()
        .await
        .map_err(|e| CloudError::from_sdk(format!("receive from queue {queue_url}"), e))?;
    let messages = answer.messages().iter().map(|message| Message {
        id: message.message_id().unwrap_or_default().to_owned(),
        body: message.body().unwrap_or_default().to_owned(),
        sent_millis: message
            .attributes()
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::SentTimestamp))
            .and_then(|text| text.parse().ok()),
        receipt: message.receipt_handle().unwrap_or_default().to_owned(),
    });
    Ok(messages.collect())
}

/// Deletes messages that were received: they are done with.
///
/// # Errors
/// When the queue refuses any of them.
pub async fn delete(clients: &Clients, queue_url: &str, messages: &[Message]) -> Result<(), CloudError> {
    let action = || format!("delete from queue {queue_url}");
    for chunk in messages.chunks(BATCH_MOST) {
        let entries = chunk.iter().enumerate().map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(&message.receipt).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|e| CloudError::new(action(), e.to_string()))?;
        let call = clients.sqs.delete_message_batch().queue_url(queue_url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|e| CloudError::from_sdk(action(), e))?;
        if let Some(failed) = answer.failed().first() {
            return Err(CloudError::new(action(), failed.message().unwrap_or("refused").to_owned()));
        }
    }
    Ok(())
}

/// Makes messages that were received visible again: the next reader of the queue gets them. One that is not held any more,
/// because its time is up or it is deleted, needs nothing.
///
/// # Errors
/// When the queue cannot be reached, or does not allow it.
pub async fn release(clients: &Clients, queue_url: &str, receipts: &[&str]) -> Result<(), CloudError> {
    let action = || format!("make messages of queue {queue_url} visible again");
    for chunk in receipts.chunks(BATCH_MOST) {
        let entries = chunk.iter().enumerate().map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(*receipt)
                .visibility_timeout(0)
                .build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|e| CloudError::new(action(), e.to_string()))?;
        let call = clients.sqs.change_message_visibility_batch().queue_url(queue_url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|e| CloudError::from_sdk(action(), e))?;
        let fault = answer.failed().iter().find(|failed| !failed.sender_fault());
        if let Some(failed) = fault {
            return Err(CloudError::new(action(), failed.message().unwrap_or_else(|| failed.code()).to_owned()));
        }
    }
    Ok(())
}

/// How many messages the queue holds.
///
/// # Errors
/// When the queue cannot be asked.
pub async fn counts(clients: &Clients, queue_url: &str) -> Result<Counts, CloudError> {
    let asked = clients
        .sqs
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .send()
        .await
        .map_err(|e| CloudError::from_sdk(format!("count the messages of queue {queue_url}"), e))?;
    Ok(asked.attributes().map(counts_of).unwrap_or_default())
}

fn counts_of(attributes: &HashMap<QueueAttributeName, String>) -> Counts {
    let number = |name: &QueueAttributeName| attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    // The policy's number is a number in some answers and text in others.
    let policy = attributes.get(&QueueAttributeName::RedrivePolicy);
    let policy: Option<serde_json::Value> = policy.and_then(|text| serde_json::from_str(text).ok());
    let most = policy.as_ref().and_then(|policy| policy.get("maxReceiveCount"));
    let most = most.and_then(|most| most.as_u64().or_else(|| most.as_str()?.parse().ok()));
    Counts {
        visible: number(&QueueAttributeName::ApproximateNumberOfMessages),
        held: number(&QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        receives_most: most.and_then(|most| u32::try_from(most).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_text_and_what_is_missing_is_none() {
        assert_eq!(counts_of(&HashMap::new()), Counts::default());
        let of = |policy: &str| {
            counts_of(&HashMap::from([
                (QueueAttributeName::ApproximateNumberOfMessages, "12".to_owned()),
                (QueueAttributeName::ApproximateNumberOfMessagesNotVisible, "3".to_owned()),
                (QueueAttributeName::RedrivePolicy, policy.to_owned()),
            ]))
        };
        assert_eq!(of(r#"{"maxReceiveCount":5}"#), Counts { visible: 12, held: 3, receives_most: Some(5) });
        assert_eq!(of(r#"{"maxReceiveCount":"5"}"#).receives_most, Some(5));
        assert_eq!(of("no policy").receives_most, None);
    }
}
