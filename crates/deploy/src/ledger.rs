//! What is written down about deployments, and the lock that keeps two of them apart: in the stack's table, or without AWS
//! in a folder of the checkout.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::JoinHandle;
use weir_anomaly::{
    Timestamp,
    store::{Attr, DEPLOYMENT, Item, attr},
};
use weir_arroyo::history::{Deployment, Engine};
use weir_cloud::{
    Clients, lease, now_millis,
    store::{self, Index},
};

/// Bytes of one item's text. DynamoDB takes 400 KB an item, names and numbers included.
const PART_BYTES: usize = 300_000;
/// Deployments that a list shows.
const LISTED: usize = 50;

/// Where it is written.
#[derive(Debug, Clone)]
pub(crate) enum Ledger {
    /// The stack's table.
    Table { clients: Arc<Clients>, table: String },
    /// A folder: one machine, one person at a time.
    Folder(PathBuf),
}

/// Held while something is changed.
#[derive(Debug)]
pub(crate) struct Lock {
    lease: Option<Lease>,
    _file: Option<File>,
}

#[derive(Debug)]
struct Lease {
    clients: Arc<Clients>,
    table: String,
    id: String,
    owner: String,
    renewal: JoinHandle<anyhow::Error>,
}

impl Ledger {
    /// Takes the lock, or says who has it.
    pub(crate) async fn lock(&self, environment: &str) -> Result<Lock> {
        match self {
            Self::Folder(folder) => {
                fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
                let path = folder.join(format!("{environment}.lock"));
                let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
                if file.try_lock().is_err() {
                    bail!("another weir command is changing {environment} on this machine\n  hint: wait for it");
                }
                Ok(Lock { lease: None, _file: Some(file) })
            }
            Self::Table { clients, table } => {
                let id = format!("lease#deploy#{environment}");
                let owner = format!("{} (process {})", who(), std::process::id());
                if let Some(holder) = lease::take(clients, table, &id, &owner, now_seconds()).await? {
                    let left = holder.until - now_seconds();
                    bail!(
                        "{} is changing {environment}\n  hint: wait for it; if it has died, its lock ends by itself in {left} s",
                        holder.owner
                    );
                }
                let renewal = tokio::spawn(renew(Arc::clone(clients), table.clone(), id.clone(), owner.clone()));
                let lease = Lease { clients: Arc::clone(clients), table: table.clone(), id, owner, renewal };
                Ok(Lock { lease: Some(lease), _file: None })
            }
        }
    }

    /// Writes down a deployment under the next number, which it returns.
    pub(crate) async fn record(&self, mut deployment: Deployment) -> Result<u64> {
        let last = self.list(&deployment.environment).await?.first().map_or(0, |newest| newest.number);
        deployment.number = last + 1;
        match self {
            Self::Folder(folder) => {
                let path = folder.join(&deployment.environment);
                fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
                let file = path.join(format!("{:08}.json", deployment.number));
                let part = file.with_extension("part");
                fs::write(&part, serde_json::to_vec_pretty(&deployment)?)
                    .with_context(|| format!("{} cannot be written", part.display()))?;
                fs::rename(&part, &file).with_context(|| format!("{} cannot be written", file.display()))?;
            }
            Self::Table { clients, table } => {
                // The index that `list` asks may be a moment behind; the head's condition is what decides.
                while !store::put_new(clients, table, &head(&deployment, &[])?).await? {
                    deployment.number += 1;
                }
                let parts = cut(&serde_json::to_string(&deployment)?);
                for (index, text) in parts.iter().enumerate() {
                    let id = format!("{}#{index}", id(&deployment.environment, deployment.number));
                    store::put(clients, table, &Item::new(id).with("text", text.clone())).await?;
                }
                store::put(clients, table, &head(&deployment, &parts)?).await?;
            }
        }
        Ok(deployment.number)
    }

    /// The latest deployments, newest first, their programs left out where they are costly to fetch.
    pub(crate) async fn list(&self, environment: &str) -> Result<Vec<Listed>> {
        match self {
            Self::Folder(folder) => {
                let mut all = Vec::new();
                for entry in fs::read_dir(folder.join(environment)).into_iter().flatten() {
                    let path = entry?.path();
                    if path.extension().is_some_and(|extension| extension == "json") {
                        all.push(Listed::from(&read(&path)?));
                    }
                }
                all.sort_by_key(|listed| std::cmp::Reverse(listed.number));
                all.truncate(LISTED);
                Ok(all)
            }
            Self::Table { clients, table } => {
                let rule = format!("{DEPLOYMENT}{environment}");
                let items = store::latest(clients, table, Index::ByRule, &rule, LISTED).await?;
                let mut all: Vec<Listed> = items.iter().filter_map(Listed::from_item).collect();
                all.sort_by_key(|listed| std::cmp::Reverse(listed.number));
                Ok(all)
            }
        }
    }

    /// One deployment, whole.
    pub(crate) async fn get(&self, environment: &str, number: u64) -> Result<Deployment> {
        let none =
            || anyhow!("there is no deployment {number} of {environment}\n  hint: `weir rollback --list` shows them");
        match self {
            Self::Folder(folder) => {
                let file = folder.join(environment).join(format!("{number:08}.json"));
                if file.is_file() { read(&file) } else { Err(none()) }
            }
            Self::Table { clients, table } => {
                let id = id(environment, number);
                let head = store::get(clients, table, &id).await?.ok_or_else(none)?;
                let parts: usize = head.text("parts").and_then(|text| text.parse().ok()).unwrap_or_default();
                let mut text = String::new();
                for index in 0..parts {
                    let item = store::get(clients, table, &format!("{id}#{index}")).await?;
                    let item = item.with_context(|| format!("part {index} of deployment {number} is missing"))?;
                    text.push_str(item.text("text").unwrap_or_default());
                }
                serde_json::from_str(&text).with_context(|| format!("deployment {number} was not written whole"))
            }
        }
    }
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Listed {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) by: String,
    pub(crate) commit: Option<String>,
    pub(crate) how: String,
    pub(crate) packs: String,
    #[serde(skip_serializing_if = "is_arroyo")]
    pub(crate) engine: Engine,
}

/// The usual engine is not named.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands on a reference")]
fn is_arroyo(engine: &Engine) -> bool {
    *engine == Engine::Arroyo
}

/// The name that an item has.
const EMBEDDED: &str = "embedded";

impl From<&Deployment> for Listed {
    fn from(deployment: &Deployment) -> Self {
        Self {
            number: deployment.number,
            at: deployment.at.clone(),
            by: deployment.by.clone(),
            commit: deployment.commit.clone(),
            how: deployment.how.clone(),
            packs: deployment.packs_in_short(),
            engine: deployment.engine,
        }
    }
}

impl Listed {
    fn from_item(item: &Item) -> Option<Self> {
        let text = |name: &str| item.text(name).unwrap_or_default().to_owned();
        // A head without parts is a deployment whose writing broke off.
        let parts: usize = text("parts").parse().ok()?;
        (parts > 0).then_some(())?;
        Some(Self {
            number: text("number").parse().ok()?,
            at: text(attr::TIMESTAMP),
            by: text("by"),
            commit: item.text("commit").map(str::to_owned),
            how: text("how"),
            packs: text("packs"),
            engine: if item.text("engine") == Some(EMBEDDED) { Engine::Embedded } else { Engine::Arroyo },
        })
    }
}

impl Lock {
    /// Does work under the lock, and gives the lock back however it ends. Work whose lock is lost is given up.
    pub(crate) async fn hold<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(lease) = &mut self.lease else { return work.await };
        let done = tokio::select! {
            done = work => done,
            lost = &mut lease.renewal => Err(lost.unwrap_or_else(|e| anyhow!("the lock's renewal ended: {e}"))),
        };
        lease.renewal.abort();
        // One that cannot be given back ends by itself.
        let _ = lease::give_back(&lease.clients, &lease.table, &lease.id, &lease.owner).await;
        done
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(lease) = &self.lease {
            lease.renewal.abort();
        }
    }
}

/// Renews until that fails for as long as the lease lasts, or somebody else has it.
async fn renew(clients: Arc<Clients>, table: String, id: String, owner: String) -> anyhow::Error {
    let third = Duration::from_secs(u64::try_from(lease::LEASE_SECONDS / 3).unwrap_or(1));
    let mut until = now_seconds() + lease::LEASE_SECONDS;
    loop {
        tokio::time::sleep(third).await;
        let now = now_seconds();
        match lease::take(&clients, &table, &id, &owner, now).await {
            Ok(None) => until = now + lease::LEASE_SECONDS,
            Ok(Some(holder)) => return anyhow!("the lock was lost to {}\n  hint: apply again", holder.owner),
            Err(error) if now_seconds() >= until => return anyhow!("the lock could not be renewed: {error}"),
            Err(_) => {}
        }
    }
}

fn id(environment: &str, number: u64) -> String {
    format!("deployment#{environment}#{number:08}")
}

fn head(deployment: &Deployment, parts: &[String]) -> Result<Item> {
    Ok(Item::new(id(&deployment.environment, deployment.number))
        .with(attr::RULE, format!("{DEPLOYMENT}{}", deployment.environment))
        .with(attr::TIMESTAMP, deployment.at.clone())
        .with("number", Attr::int(i64::try_from(deployment.number)?))
        .with("parts", Attr::int(i64::try_from(parts.len())?))
        .with("by", deployment.by.clone())
        .with("how", deployment.how.clone())
        .with("packs", deployment.packs_in_short())
        .with_some("commit", deployment.commit.clone().map(Attr::from))
        .with_some("engine", (deployment.engine == Engine::Embedded).then(|| Attr::from(EMBEDDED.to_owned()))))
}

/// Cuts text into parts that an item can hold, between characters.
fn cut(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in text.chars() {
        let full = parts.last().is_some_and(|part| part.len() + c.len_utf8() > PART_BYTES);
        if full {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn read(file: &PathBuf) -> Result<Deployment> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", file.display()))
}

fn now_seconds() -> i64 {
    now_millis() / 1000
}

/// The present, as it is written down.
pub(crate) fn now_text() -> String {
    Timestamp::from_millis(now_millis()).map_or_else(String::new, Timestamp::to_rfc3339_millis)
}

/// Who deploys: a person's or a CI job's own name for itself.
pub(crate) fn who() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named_so = named("WEIR_WHO").or_else(|| named("GITHUB_ACTOR")).or_else(|| named("GITLAB_USER_LOGIN"));
    if let Some(who) = named_so {
        return who;
    }
    let user = named("USER").unwrap_or_else(|| "somebody".to_owned());
    let host = nix::unistd::gethostname().ok().map(|host| host.to_string_lossy().into_owned());
    host.map_or_else(|| user.clone(), |host| format!("{user}@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_program_is_cut_between_characters_and_put_together_again() {
        let text = "ä".repeat(PART_BYTES);
        let parts = cut(&text);
        assert!(parts.len() == 2 && parts.iter().all(|part| part.len() <= PART_BYTES), "{}", parts.len());
        assert_eq!(parts.concat(), text);
    }
}
