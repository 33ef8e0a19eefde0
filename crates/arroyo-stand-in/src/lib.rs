//! Stands in for Arroyo's REST API in tests, on a loopback port.
//!
//! It reproduces what was read in Arroyo's source (0.15.0, and the version in development after it) and seen of a running
//! one: pages of ten, names that are not unique, states that change after the answer, refusals, and both shapes of answers.
//! Jobs move one step with every request, so that a test needs no clock.
//!
//! A program steers its job by words in it: `#fails` (fails for good soon after it runs), `#stuck` (never gets a slot),
//! `#no-checkpoint`, `#stuck-stopping` (its last checkpoint never ends), `#refused` (Arroyo's planner refuses it),
//! `#backlog` (reads fast for a while before it reads what comes in).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod api;
mod http;
mod jobs;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};

pub use jobs::{Entry, State};

/// Whose answers are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// 0.15.
    #[default]
    V015,
    /// The version in development after it.
    Next,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection ends before the request is read: nothing is done.
    Lost,
    /// It is done, and the connection ends before the answer.
    LostAfter,
    /// Not now (503): nothing is done.
    Unavailable,
    /// It is done, and the answer is an error (500).
    ErrorAfter,
    /// It is done, and the answer breaks off in its middle.
    Broken,
    /// It is done, and the answer comes after this long.
    Slow(Duration),
}

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whose answers.
    pub version: Version,
    /// The API key it wants.
    pub key: Option<String>,
    /// The most that one page holds, whatever is asked for; Arroyo itself knows no most, and answers 10 where nothing is
    /// asked for.
    pub page: Option<usize>,
    /// When checkpoints begin, microseconds since the epoch; long ago where nothing is said.
    pub now: Option<u64>,
}

/// A running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct StandIn {
    url: String,
    world: Arc<Mutex<World>>,
    task: JoinHandle<()>,
}

impl Options {
    pub(crate) fn now(&self) -> u64 {
        self.now.unwrap_or(1_700_000_000_000_000)
    }
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) entries: Vec<Entry>,
    pub(crate) next_id: u64,
    pub(crate) calls: Vec<String>,
    pub(crate) troubles: BTreeMap<usize, Trouble>,
    /// Packs of which a copy must run at every moment, by the part of the name before `@`.
    pub(crate) guarded: BTreeSet<String>,
    pub(crate) violations: Vec<String>,
}

impl StandIn {
    /// Starts one.
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World { options, next_id: 1, ..World::default() }));
        let task = tokio::spawn(http::serve(listener, Arc::clone(&world)));
        Self { url, world, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Puts a pipeline there, as an earlier deployment or a person left it, and returns its id.
    #[must_use]
    pub fn seed(&self, name: &str, query: &str, parallelism: u32, state: State) -> String {
        let mut world = self.lock();
        let id = world.make(name, query, &serde_json::json!([]), parallelism, 10_000_000);
        let entry = world.entries.iter_mut().find(|entry| entry.id == id).unwrap();
        entry.put_into(state);
        id
    }

    /// Lets a call go wrong: the first call is 0.
    pub fn trouble(&self, call: usize, trouble: Trouble) {
        self.lock().troubles.insert(call, trouble);
    }

    /// No call goes wrong any more.
    pub fn calm(&self) {
        self.lock().troubles.clear();
    }

    /// From now on a running pipeline of these packs (`weir/dev/rules`) may be stopped only while another copy runs.
    pub fn guard(&self, packs: &[&str]) {
        self.lock().guarded = packs.iter().map(|pack| (*pack).to_owned()).collect();
    }

    /// Every time a guarded pack was left without a running copy.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// The pipelines, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// The calls so far, as `METHOD path`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Changes a pipeline behind everybody's back, as a person in the UI does.
    pub fn by_hand(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        change(self.lock().entries.iter_mut().find(|entry| entry.id == id).unwrap());
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}
