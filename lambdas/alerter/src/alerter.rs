//! The alerter over its ports, and the check that a deploy runs once.

use std::sync::Arc;

use weir_anomaly::Timestamp;

use crate::{
    config::Config,
    ports::{Clock, Fault, Notifier, Quarantine, Store},
    retry::Budget,
};

const SECONDS_PER_DAY: i64 = 24 * 3600;
const NANOS: i64 = 1_000_000_000;

/// The alerter. It keeps nothing between invocations but its clients.
pub struct Alerter {
    /// The table.
    pub store: Arc<dyn Store>,
    /// The topic.
    pub notifier: Arc<dyn Notifier>,
    /// The queue for what is no anomaly.
    pub quarantine: Arc<dyn Quarantine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What it is told from outside.
    pub config: Config,
}

/// Why the check fails.
#[derive(Debug, thiserror::Error)]
#[error("{part} does not work: {fault}\nhint: {hint}")]
pub struct CheckError {
    part: &'static str,
    fault: Fault,
    hint: &'static str,
}

impl Alerter {
    /// Calls what can be called without leaving a trace, so that a wrong name or a missing permission stops the deploy.
    ///
    /// # Errors
    /// When the table, an index, the topic or the queue does not answer.
    pub async fn check(&self, deadline: Timestamp) -> Result<(), CheckError> {
        let budget = Budget::until(deadline, self.clock.as_ref());
        let failed = |part, hint| move |fault| CheckError { part, fault, hint };
        budget
            .one(async || self.store.get("weir#check").await)
            .await
            .map_err(failed("the table", "check WEIR_TABLE_NAME and the permission dynamodb:GetItem"))?;
        budget
            .one(async || self.store.by_rule("#check", None, 1).await)
            .await
            .map_err(failed("the index by_rule", "check the permission dynamodb:Query on the table's indexes"))?;
        let now = self.clock.now();
        budget
            .one(async || self.store.count_of_alert("#check", now, now, "#check").await)
            .await
            .map_err(failed("the index by_key", "check the permission dynamodb:Query on the table's indexes"))?;
        budget
            .one(async || self.notifier.check().await)
            .await
            .map_err(failed("the topic", "check WEIR_TOPIC_ARN and the permission sns:GetTopicAttributes"))?;
        budget.one(async || self.quarantine.check().await).await.map_err(failed(
            "the quarantine queue",
            "check WEIR_QUARANTINE_URL and the permission sqs:GetQueueAttributes",
        ))
    }

    /// When an item that is written now may go, epoch seconds.
    pub(crate) fn expires_at(&self, now: Timestamp) -> i64 {
        now.nanos().div_euclid(NANOS) + i64::from(self.config.retention_days) * SECONDS_PER_DAY
    }
}

/// `time` and some seconds.
pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(seconds.saturating_mul(NANOS)))
}
