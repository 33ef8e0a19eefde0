//! The four calls that the connector makes, and how each can fail.

use async_trait::async_trait;
use bytes::Bytes;

/// One stream, as far as the connector needs it.
#[async_trait]
pub(crate) trait KinesisApi: Send + Sync + 'static {
    /// One page of all shards that the stream still knows, closed ones included.
    async fn list_shards(&self, next: Option<String>) -> Result<ShardPage, Fault>;

    /// Where to read a shard from.
    async fn shard_iterator(&self, shard: &str, start: &Start) -> Result<String, Fault>;

    /// What follows an iterator.
    async fn get_records(&self, iterator: &str, limit: Option<i32>) -> Result<RecordPage, Fault>;

    /// Appends entries; the answer has one result for each, in order.
    async fn put_records(&self, entries: &[PutEntry]) -> Result<Vec<Result<(), EntryFault>>, Fault>;

    /// The stream and where it is looked for, for messages: `weir-events in eu-west-1`.
    fn describe(&self) -> String;
}

/// A page of `ListShards`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardPage {
    pub(crate) shards: Vec<ShardInfo>,
    pub(crate) next: Option<String>,
}

/// A shard and the shards that it continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardInfo {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
}

/// Where reading a shard begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// At its oldest record.
    TrimHorizon,
    /// At the first record that arrived at or after a time, milliseconds since the epoch.
    AtTimestamp(i64),
    /// After a record.
    After(String),
    /// At a record: it was only partly handed out.
    At(String),
}

/// A page of `GetRecords`.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordPage {
    pub(crate) records: Vec<StreamRecord>,
    /// `None`: the shard is closed and this was its end.
    pub(crate) next: Option<String>,
    pub(crate) millis_behind: Option<u64>,
    /// With the end of a shard: what continues it.
    pub(crate) children: Vec<ShardInfo>,
}

/// One Kinesis record.
#[derive(Debug, Clone)]
pub(crate) struct StreamRecord {
    pub(crate) sequence: String,
    pub(crate) data: Bytes,
    pub(crate) arrival_nanos: Option<i64>,
}

/// One record on its way to the stream.
#[derive(Debug, Clone)]
pub(crate) struct PutEntry {
    pub(crate) partition_key: String,
    pub(crate) data: Bytes,
}

/// Why one entry of an accepted request was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryFault {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Whether an error code says that there were too many calls, or too many bytes (AWS API reference, the errors of each call).
pub(crate) fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "LimitExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded"
            | "KMSThrottlingException"
    )
}

/// How a call failed, by what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It may pass: no connection, a timeout, a server error, a stream that is changing.
    #[error("{0}")]
    Passing(String),
    /// Too many calls, or too many bytes: it passes.
    #[error("{0}")]
    Throttled(String),
    /// The iterator was held for more than five minutes.
    #[error("the shard iterator has expired")]
    ExpiredIterator,
    /// The listing's token was held too long.
    #[error("the token of the listing has expired")]
    ExpiredToken,
    /// The stream or the shard does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The request has no meaning there: a sequence number of another stream, a record that is too large.
    #[error("{0}")]
    Invalid(String),
    /// The caller is not known or not allowed.
    #[error("{0}")]
    Denied(String),
}
