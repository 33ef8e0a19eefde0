//! What the alerter needs of the outside, as traits: AWS in production, memory with a schedule of faults in the tests.

use async_trait::async_trait;
use weir_anomaly::{
    Timestamp,
    store::{Attr, Item},
};
pub use weir_lambda::ports::{Clock, Fault, Quarantine};

/// The table.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes each item unless its id is taken. One answer an item, in order.
    async fn insert(&self, items: &[Item]) -> Vec<Result<Inserted, Fault>>;

    /// Changes items that are as expected. One answer an update, in order.
    async fn update(&self, updates: &[Update]) -> Vec<Result<Updated, Fault>>;

    /// Adds to a number, making the item when there is none, and returns the sum.
    async fn add(&self, id: &str, name: &'static str, amount: i64, expires_at: i64) -> Result<i64, Fault>;

    /// Sets attributes unless the item's `newest.0` is already at or past `newest.1`.
    async fn raise(
        &self,
        id: &str,
        newest: (&'static str, Attr),
        set: &[(&'static str, Attr)],
    ) -> Result<Updated, Fault>;

    /// One item, as it is now.
    async fn get(&self, id: &str) -> Result<Option<Item>, Fault>;

    /// Items of the index `by_rule` in order of `timestamp`, up to `until`, at most `limit`.
    async fn by_rule(&self, rule: &str, until: Option<Timestamp>, limit: usize) -> Result<Vec<Item>, Fault>;

    /// How many anomalies of the index `by_key` between two instants count for an alert.
    async fn count_of_alert(&self, key: &str, from: Timestamp, to: Timestamp, alert_id: &str) -> Result<i64, Fault>;
}

/// The topic.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Publishes each message. One answer a message, in order.
    async fn publish(&self, messages: &[Message]) -> Vec<Result<(), Fault>>;

    /// Whether the topic is there.
    async fn check(&self) -> Result<(), Fault>;
}

/// What an insert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It wrote the item.
    New,
    /// The id was taken; nothing was written.
    Duplicate,
}

/// What an update did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It changed the item.
    Done,
    /// The item was not as expected; nothing was written.
    Refused,
}

/// A change to one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The item.
    pub id: String,
    /// What it must hold beforehand.
    pub expect: Vec<(&'static str, Attr)>,
    /// What to set.
    pub set: Vec<(&'static str, Attr)>,
    /// What to add to.
    pub add: Vec<(&'static str, i64)>,
    /// What to remove.
    pub remove: Vec<&'static str>,
}

/// One message to people and machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// At most 100 characters of ASCII without control characters.
    pub subject: String,
    /// For people.
    pub text: String,
    /// For machines.
    pub json: String,
    /// For subscription filter policies.
    pub attributes: Vec<(&'static str, String)>,
}

/// The only answer of a call for one item.
pub(crate) fn one<R>(answers: Vec<Result<R, Fault>>) -> Result<R, Fault> {
    answers.into_iter().next().unwrap_or_else(|| Err(Fault::Retryable("no answer".to_owned())))
}
