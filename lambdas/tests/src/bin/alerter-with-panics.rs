//! The alerter as it is, over a table that panics: at the first insert of each anomaly whose key begins with `panic`, before
//! or after the table has it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use weir_alerter::{
    Alerter, aws,
    config::Config,
    handler::{self, System},
    ports::{Fault, Inserted, Store, Update, Updated},
};
use weir_anomaly::{
    Timestamp,
    store::{Attr, Item, attr},
};
use weir_lambda::Env;

struct Panicking<S> {
    store: S,
    /// Keys that had their panic.
    had: Mutex<BTreeSet<String>>,
}

impl<S> Panicking<S> {
    fn panic_at(&self, items: &[Item], prefix: &str) {
        let keys = items.iter().filter_map(|item| item.text(attr::KEY)).filter(|key| key.starts_with(prefix));
        for key in keys {
            let new = self.had.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
            assert!(!new, "a fault of the program");
        }
    }
}

#[async_trait]
impl<S: Store> Store for Panicking<S> {
    async fn insert(&self, items: &[Item]) -> Vec<Result<Inserted, Fault>> {
        self.panic_at(items, "panic-before");
        let answers = self.store.insert(items).await;
        self.panic_at(items, "panic-after");
        answers
    }

    async fn update(&self, updates: &[Update]) -> Vec<Result<Updated, Fault>> {
        self.store.update(updates).await
    }

    async fn add(&self, id: &str, name: &'static str, amount: i64, expires_at: i64) -> Result<i64, Fault> {
        self.store.add(id, name, amount, expires_at).await
    }

    async fn raise(
        &self,
        id: &str,
        newest: (&'static str, Attr),
        set: &[(&'static str, Attr)],
    ) -> Result<Updated, Fault> {
        self.store.raise(id, newest, set).await
    }

    async fn get(&self, id: &str) -> Result<Option<Item>, Fault> {
        self.store.get(id).await
    }

    async fn by_rule(&self, rule: &str, until: Option<Timestamp>, limit: usize) -> Result<Vec<Item>, Fault> {
        self.store.by_rule(rule, until, limit).await
    }

    async fn count_of_alert(&self, key: &str, from: Timestamp, to: Timestamp, alert_id: &str) -> Result<i64, Fault> {
        self.store.count_of_alert(key, from, to, alert_id).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let lookup = |name: &str| std::env::var(name).ok();
    let config = Config::read(lookup)?;
    let sdk = weir_lambda::sdk_config(&Env(lookup), RetryConfig::disabled())?;
    let (store, notifier, quarantine) = aws::adapters(&sdk, &config);
    let alerter = Alerter {
        store: Arc::new(Panicking { store, had: Mutex::default() }),
        notifier: Arc::new(notifier),
        quarantine: Arc::new(quarantine),
        clock: Arc::new(System),
        memory: Arc::default(),
        config,
    };
    handler::serve(&alerter).await
}
