//! The alerter over its ports, and the check that a deploy runs once.

use std::sync::Arc;

use weir_anomaly::{
    Timestamp,
    store::{Attr, Item, attr},
};
use weir_lambda::retry::Budget;

use crate::{
    config::Config,
    memory::Memory,
    ports::{Clock, Fault, Notifier, Quarantine, Store, Update, one},
};

const SECONDS_PER_DAY: i64 = 24 * 3600;
const NANOS: i64 = 1_000_000_000;

/// The alerter. It keeps nothing between invocations but its clients, and what spares it calls.
pub struct Alerter {
    /// The table.
    pub store: Arc<dyn Store>,
    /// The topic.
    pub notifier: Arc<dyn Notifier>,
    /// The queue for what is no anomaly.
    pub quarantine: Arc<dyn Quarantine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What this process remembers.
    pub memory: Arc<Memory>,
    /// What it is told from outside.
    pub config: Config,
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

/// The check's one item. It lies in no index, so nothing ever comes upon it.
const CHECK_ITEM: &str = "weir#check";

impl Alerter {
    /// Makes every call that disturbs nobody, so that a wrong name or a missing permission stops the deploy and not the first
    /// anomaly. What it writes is one item of its own. Whether the topic and the queue take messages cannot be tried in
    /// silence: it asks for their attributes.
    ///
    /// # Errors
    /// When the table, an index, the topic or the queue does not answer, or does not allow a call within half a minute.
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
        let item = [Item::new(CHECK_ITEM).with(attr::EXPIRES_AT, Attr::int(self.expires_at(begun)))];
        budget
            .once_allowed(until, async || one(self.store.insert(&item).await))
            .await
            .map_err(failed("the table", "check WEIR_TABLE_NAME and the permission dynamodb:PartiQLInsert"))?;
        let change =
            [Update { id: CHECK_ITEM.to_owned(), set: vec![("checked_at", Attr::time(begun))], ..Update::default() }];
        budget
            .once_allowed(until, async || one(self.store.update(&change).await))
            .await
            .map_err(failed("the table", "check the permission dynamodb:PartiQLUpdate"))?;
        budget
            .once_allowed(until, async || self.store.raise(CHECK_ITEM, ("raised_at", Attr::time(begun)), &[]).await)
            .await
            .map_err(failed("the table", "check the permission dynamodb:UpdateItem"))?;
        budget
            .once_allowed(until, async || self.store.get(CHECK_ITEM).await)
            .await
            .map_err(failed("the table", "check the permission dynamodb:GetItem"))?;
        budget
            .once_allowed(until, async || self.store.by_rule("#check", None, 1).await)
            .await
            .map_err(failed("the index by_rule", "check the permission dynamodb:Query on the table's indexes"))?;
        budget
            .once_allowed(until, async || self.store.count_of_alert("#check", begun, begun, "#check").await)
            .await
            .map_err(failed("the index by_key", "check the permission dynamodb:Query on the table's indexes"))?;
        budget
            .once_allowed(until, async || self.notifier.check().await)
            .await
            .map_err(failed("the topic", "check WEIR_TOPIC_ARN and the permission sns:GetTopicAttributes"))?;
        budget.once_allowed(until, async || self.quarantine.check().await).await.map_err(failed(
            "the quarantine queue",
            "check WEIR_QUARANTINE_URL and the permission sqs:GetQueueAttributes",
        ))
    }

    /// When an item that is written now may go, epoch seconds.
    pub(crate) fn expires_at(&self, now: Timestamp) -> i64 {
        now.nanos().div_euclid(NANOS) + i64::from(self.config.retention_days) * SECONDS_PER_DAY
    }
}
