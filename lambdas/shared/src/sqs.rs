//! The quarantine queue, in SQS.

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    operation::send_message_batch::SendMessageBatchOutput,
    types::{QueueAttributeName, SendMessageBatchRequestEntry},
};
use aws_types::SdkConfig;

use crate::{
    buffered, chunks,
    fault::{CONCURRENCY, class, fault},
    ports::{Fault, Quarantine},
};

/// SendMessageBatch takes no more entries…
const MAX_ENTRIES: usize = 10;
/// …and, on queues as they were before 2025 and on emulators, no more than 256 KiB over all of them.
const MAX_BYTES: usize = 250 * 1024;

/// The queue.
pub struct SqsQuarantine {
    client: Client,
    queue: String,
}

impl SqsQuarantine {
    /// The queue of this URL.
    #[must_use]
    pub fn new(sdk: &SdkConfig, queue: &str) -> Self {
        Self { client: Client::new(sdk), queue: queue.to_owned() }
    }

    async fn send_chunk(&self, bodies: Vec<&String>) -> Vec<Result<(), Fault>> {
        let mut entries = Vec::with_capacity(bodies.len());
        for (index, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(*body).build();
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => return vec![Err(Fault::Configuration(error.to_string())); bodies.len()],
            }
        }
        match self.client.send_message_batch().queue_url(&self.queue).set_entries(Some(entries)).send().await {
            Ok(output) => (0..bodies.len()).map(|index| answer(&output, index)).collect(),
            Err(error) => vec![Err(fault(&error)); bodies.len()],
        }
    }
}

#[async_trait]
impl Quarantine for SqsQuarantine {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), Fault>> {
        let chunks = chunks(bodies, MAX_ENTRIES, MAX_BYTES, |body| body.len());
        buffered(chunks.into_iter().map(|chunk| self.send_chunk(chunk)), CONCURRENCY).await.concat()
    }

    async fn check(&self) -> Result<(), Fault> {
        let call = self.client.get_queue_attributes().queue_url(&self.queue);
        let call = call.attribute_names(QueueAttributeName::QueueArn).send().await;
        call.map(|_| ()).map_err(|error| fault(&error))
    }
}

/// What became of one entry. The call succeeds though entries fail: only what is listed as successful is.
fn answer(output: &SendMessageBatchOutput, index: usize) -> Result<(), Fault> {
    let id = index.to_string();
    let sent = output.successful().iter().any(|entry| entry.id() == id);
    match output.failed().iter().find(|entry| entry.id() == id) {
        _ if sent => Ok(()),
        Some(entry) => Err(class(entry.code(), entry.message().unwrap_or_default())),
        None => Err(Fault::Retryable("no answer".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_as_sent_is_sent() {
        use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
        let sent = SendMessageBatchResultEntry::builder().id("0").message_id("m").md5_of_message_body("-");
        let failed = BatchResultErrorEntry::builder().id("1").code("InternalError").sender_fault(false);
        let output = SendMessageBatchOutput::builder()
            .successful(sent.build().unwrap())
            .failed(failed.build().unwrap())
            .build()
            .unwrap();
        assert_eq!(answer(&output, 0), Ok(()));
        assert!(answer(&output, 1).is_err_and(|fault| fault.is_retryable()));
        assert!(answer(&output, 2).is_err_and(|fault| fault.is_retryable()), "it is not mentioned");
    }
}
