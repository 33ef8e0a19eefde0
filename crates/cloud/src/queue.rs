//! Reading a queue: the inbox of alerts, and quarantine.

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};

use crate::{Clients, CloudError};

/// Messages in one receive (its limit).
const RECEIVE_MOST: i32 = 10;
/// How long a received message stays hidden from others, seconds: enough to print or redrive it.
const VISIBILITY_SECONDS: i32 = 30;

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

/// Up to ten messages, waiting at most `wait_seconds` (0 to 20) for the first.
///
/// # Errors
/// When the queue cannot be read.
pub async fn receive(clients: &Clients, queue_url: &str, wait_seconds: i32) -> Result<Vec<Message>, CloudError> {
    let answer = clients
        .sqs
        .receive_message()
        .queue_url(queue_url)
        .max_number_of_messages(RECEIVE_MOST)
        .wait_time_seconds(wait_seconds)
        .visibility_timeout(VISIBILITY_SECONDS)
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
    for chunk in messages.chunks(10) {
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
