//! What the heartbeat needs of the outside, as traits.

use async_trait::async_trait;
use weir_anomaly::Timestamp;

/// The events stream.
#[async_trait]
pub trait Stream: Send + Sync {
    /// A hash key inside each open shard.
    async fn open_shards(&self) -> Result<Vec<String>, Fault>;

    /// Puts records, each under its hash key. Returns those that were not taken.
    async fn put(&self, records: Vec<ControlRecord>) -> Result<Vec<ControlRecord>, Fault>;
}

/// The table.
#[async_trait]
pub trait Notes: Send + Sync {
    /// The newest probe that arrived.
    async fn last_probe(&self) -> Result<Option<Arrival>, Fault>;

    /// Counts one more restart of a pipeline in an hour of the clock and returns how many those are.
    async fn count_restart(&self, pipeline: &str, hour: i64) -> Result<i64, Fault>;
}

/// Arroyo's pipelines.
#[async_trait]
pub trait Pipelines: Send + Sync {
    /// All of them.
    async fn list(&self) -> Result<Vec<Pipeline>, Fault>;

    /// When the newest checkpoint of a pipeline's newest job was finished; when none was, when the job began.
    async fn last_checkpoint(&self, pipeline: &Pipeline) -> Result<Option<Timestamp>, Fault>;

    /// Starts one again from its last checkpoint.
    async fn restart(&self, id: &str) -> Result<(), Fault>;

    /// Reads the key that the other calls need, without making any of them.
    async fn authorize(&self) -> Result<(), Fault>;
}

/// Where Arroyo's API key lies.
#[async_trait]
pub trait ApiKey: Send + Sync {
    /// The key as it is now.
    async fn read(&self) -> Result<String, Fault>;
}

/// One control record and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRecord {
    /// Decides the shard.
    pub hash_key: String,
    /// JSON.
    pub data: String,
}

/// A probe that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When it was put.
    pub sent_at: Timestamp,
    /// When it was stored.
    pub arrived_at: Timestamp,
}

/// One pipeline of Arroyo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Arroyo's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The state of its newest job, in Arroyo's words.
    pub state: String,
    /// Arroyo's id of that job; empty when there is none.
    pub job: String,
    /// When that job began.
    pub began_at: Option<Timestamp>,
}

/// Why a call did not do what it was asked. Each class needs another answer: wait, or somebody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The next minute may go better.
    #[error("retryable: {0}")]
    Retryable(String),
    /// A permission is missing. Only the check of a deploy waits for it: a new role's permissions arrive within seconds.
    #[error("denied: {0}")]
    Denied(String),
    /// Nothing helps until somebody changes the configuration.
    #[error("configuration: {0}")]
    Configuration(String),
}
