//! The gate over its ports, and the check that a deploy runs once.

use std::sync::Arc;

use weir_anomaly::Timestamp;
use weir_lambda::retry::Budget;
use weir_stream::plain::Unpacker;

use crate::{
    memory::Memory,
    ports::{Clock, Fault, PlainStream, Put, Quarantine},
};

/// The gate. It keeps nothing between invocations but its clients, and how far it came with what comes again.
pub struct Gate {
    /// Makes rows of records.
    pub unpacker: Unpacker,
    /// The stream that it writes.
    pub plain: Arc<dyn PlainStream>,
    /// The queue for what is no record of the stream.
    pub quarantine: Arc<dyn Quarantine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What this process remembers.
    pub memory: Arc<Memory>,
}

/// Why the check fails.
#[derive(Debug, thiserror::Error)]
#[error("{part} does not work: {fault}{waited}\nhint: {hint}")]
pub struct CheckError {
    part: &'static str,
    fault: Fault,
    waited: String,
    hint: &'static str,
}

/// What moves no event time, and no rule sees (docs/contracts.md, "Event").
const CONTROL_RECORD_WITHOUT_TIME: &str = r#"{"weir":"heartbeat"}"#;

impl Gate {
    /// Makes every call that disturbs nobody, so that a wrong name or a missing permission stops the deploy and not the first
    /// record. What it leaves is one control record without a time.
    ///
    /// # Errors
    /// When the stream or the queue does not answer, or does not allow a call within half a minute.
    pub async fn check(&self, deadline: Timestamp) -> Result<(), CheckError> {
        let (begun, budget) = (self.clock.now(), Budget::until(deadline, self.clock.as_ref()));
        let until = begun.plus_seconds(i64::try_from(weir_lambda::PERMISSIONS_WITHIN.as_secs()).unwrap_or_default());
        let failed = |part, hint| {
            move |fault| {
                let seconds = (self.clock.now().millis() - begun.millis()) / 1000;
                let denied = matches!(fault, Fault::Denied(_)).then(|| format!(" (still, after {seconds} s)"));
                CheckError { part, fault, waited: denied.unwrap_or_default(), hint }
            }
        };
        let shards = budget
            .once_allowed(until, async || self.plain.open_shards().await)
            .await
            .map_err(failed("the plain stream", "check WEIR_PLAIN_STREAM and the permission kinesis:ListShards"))?;
        let record = shards.into_iter().take(1).map(control(CONTROL_RECORD_WITHOUT_TIME));
        let record: Vec<Put> = record.collect();
        budget
            .once_allowed(until, async || self.plain.put(&record).await.pop().unwrap_or(Ok(())))
            .await
            .map_err(failed("the plain stream", "check the permission kinesis:PutRecords"))?;
        budget.once_allowed(until, async || self.quarantine.check().await).await.map_err(failed(
            "the quarantine queue",
            "check WEIR_QUARANTINE_URL and the permission sqs:GetQueueAttributes",
        ))
    }
}

/// A control record for a shard.
pub(crate) fn control(text: &str) -> impl Fn(String) -> Put {
    move |hash_key| Put { hash_key, data: text.as_bytes().into() }
}
