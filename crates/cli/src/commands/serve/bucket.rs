//! The stack's bucket, as the engine's task sees it.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use weir_cloud::{Clients, object::Bucket};
use weir_deploy::embedded::contract::{OBSERVED, Observed, WANTED, WantedPack, pack_hash, pack_key};

/// A call is due again with the next look: it does not hold up what else there is to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wanted, programs, and what the engine says of itself.
#[derive(Debug)]
pub(super) struct StackBucket(Bucket);

impl StackBucket {
    pub(super) async fn open(name: &str) -> Result<Self> {
        let clients = Clients::from_env().await;
        Ok(Self(Bucket::open(&clients, name).await?))
    }

    /// What is wanted; none before the first deploy.
    pub(super) async fn wanted(&self) -> Result<Option<WantedPack>> {
        self.read(WANTED).await
    }

    /// What was last observed, by this task or by the one before.
    pub(super) async fn observed(&self) -> Result<Option<Observed>> {
        self.read(OBSERVED).await
    }

    pub(super) async fn observe(&self, observed: &Observed) -> Result<()> {
        in_time(self.0.put(OBSERVED, serde_json::to_vec_pretty(observed)?)).await
    }

    /// A program's text. The outer error may pass; the inner one says that the program cannot be had.
    pub(super) async fn program(&self, hash: &str) -> Result<Result<String, String>> {
        let key = pack_key(hash);
        let Some(bytes) = in_time(self.0.get(&key)).await? else {
            return Ok(Err(format!("there is no {key} in the bucket")));
        };
        Ok(match String::from_utf8(bytes) {
            Ok(text) if pack_hash(&text) == hash => Ok(text),
            _ => Err(format!("{key} does not hold what its name says")),
        })
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(bytes) = in_time(self.0.get(key)).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).with_context(|| format!("{key} cannot be read"))
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, weir_cloud::CloudError>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(anyhow!("S3 did not answer within {} s", PATIENCE.as_secs())),
    }
}
