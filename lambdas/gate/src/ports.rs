//! What the gate needs of the outside, as traits: AWS in production, memory with a schedule of faults in the tests.

use std::sync::Arc;

use async_trait::async_trait;
pub use weir_lambda::ports::{Clock, Fault, Quarantine};

/// The stream that the gate writes.
#[async_trait]
pub trait PlainStream: Send + Sync {
    /// Puts records. No two have the same hash key, so their order does not matter. One answer a record, in order.
    async fn put(&self, records: &[Put]) -> Vec<Result<(), Fault>>;

    /// A hash key inside each open shard.
    async fn open_shards(&self) -> Result<Vec<String>, Fault>;
}

/// One record, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Decides the shard: 0 to 2^128 - 1 in decimal digits.
    pub hash_key: String,
    /// Lines. Shared: a record that is put again is not copied again.
    pub data: Arc<[u8]>,
}
