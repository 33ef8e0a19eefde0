//! The embedded engine's service of a stack: its bucket, and the ledger that belongs to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Timestamp;
use weir_cloud::{Clients, now_millis, object::Bucket};

use super::contract::{OBSERVED, OBSERVED_SECONDS, Observed, WANTED, WantedPack, pack_hash, pack_key, state_prefix};
use crate::{
    ledger::{Ledger, now_text, who},
    outputs::StackOutputs,
};

/// An engine that has said nothing for as long is not there: three of its writings.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(3 * OBSERVED_SECONDS);
/// How often the engine's word is read while something is waited for.
const POLL: Duration = Duration::from_secs(2);

/// A stack whose rules the embedded engine runs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) environment: String,
    pub(crate) ledger: Ledger,
    pub(crate) outputs: StackOutputs,
    pub(crate) clients: Arc<Clients>,
    bucket: Bucket,
}

impl Service {
    /// Opens the stack's bucket.
    pub(crate) async fn open(
        environment: String,
        ledger: Ledger,
        outputs: StackOutputs,
        clients: Arc<Clients>,
    ) -> Result<Self> {
        let bucket = Bucket::open(&clients, outputs.need("engine_bucket")?).await?;
        Ok(Self { environment, ledger, outputs, clients, bucket })
    }

    /// What the engine said last; none before its task first started.
    pub(super) async fn observed(&self) -> Result<Option<Observed>> {
        self.read(OBSERVED).await
    }

    /// What is wanted; none before the first deploy.
    pub(super) async fn wanted(&self) -> Result<Option<WantedPack>> {
        self.read(WANTED).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(bytes) = self.bucket.get(key).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).with_context(|| {
            format!("{key} of the engine's bucket\n  hint: was it written by another version of weir?")
        })
    }

    /// Says what is wanted from now on.
    pub(super) async fn want(&self, pack: Option<String>) -> Result<WantedPack> {
        let id = format!("{}-{}", now_millis(), std::process::id());
        let wanted = WantedPack { id, pack, at: now_text(), by: who() };
        self.bucket.put(WANTED, serde_json::to_vec_pretty(&wanted)?).await?;
        Ok(wanted)
    }

    /// The text of a program that was deployed; none when it is gone.
    pub(super) async fn program(&self, hash: &str) -> Result<Option<String>> {
        let Some(bytes) = self.bucket.get(&pack_key(hash)).await? else { return Ok(None) };
        Ok(Some(String::from_utf8(bytes).with_context(|| format!("program {hash}"))?))
    }

    /// Puts a program where the engine finds it. The same content has the same place.
    pub(super) async fn upload(&self, program: &str) -> Result<String> {
        let hash = pack_hash(program);
        self.bucket.put(&pack_key(&hash), program.as_bytes().to_vec()).await?;
        Ok(hash)
    }

    /// Whether a program has left state here.
    pub(super) async fn has_state(&self, hash: &str) -> Result<bool> {
        Ok(!self.bucket.find(&format!("{}/", state_prefix(hash))).await?.is_empty())
    }

    /// The engine's word, once its task has said one lately.
    pub(crate) async fn wait_for_task(&self, limit: Duration) -> Result<()> {
        let what = || format!("the engine's task said nothing within {} s", limit.as_secs());
        self.wait(limit, what, |observed| Ok((!silent(observed)).then_some(()))).await
    }

    /// Reads the engine's word until it is what is waited for.
    pub(super) async fn wait<T>(
        &self,
        limit: Duration,
        what: impl Fn() -> String,
        mut found: impl FnMut(&Observed) -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.observed().await?.map(|observed| found(&observed)).transpose()?.flatten() {
                return Ok(found);
            }
            if begun.elapsed() > limit {
                let place = self.outputs.get("engine_service_name").unwrap_or("the service");
                bail!(
                    "{}\n  hint: weir status --env {}, the events of {place} in ECS, and its log",
                    what(),
                    self.environment
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether the engine has said nothing for too long.
pub(super) fn silent(observed: &Observed) -> bool {
    age(observed).is_none_or(|age| age > SILENT_AFTER)
}

/// How long ago the engine wrote its word; none when it is no time. One from the future, by clocks that differ, is of now.
pub(super) fn age(observed: &Observed) -> Option<Duration> {
    let at = observed.at.parse::<Timestamp>().ok()?;
    let millis = now_millis().saturating_sub(at.millis());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
}
