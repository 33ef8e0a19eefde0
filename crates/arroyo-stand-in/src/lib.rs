//! Stands in for Arroyo's REST API in tests, on a loopback port; or, as a [`Proxy`], before a real Arroyo, with the same faults.
//!
//! It reproduces what was read in Arroyo's source (0.15.0, and the version in development after it) and seen of a running
//! one: pages of ten, names that are not unique, states that change after the answer, refusals, and both shapes of answers.
//! Jobs move one step with every request, so that a test needs no clock.
//!
//! A program steers its job by words in it: `#fails` (fails for good soon after it runs), `#stuck` (never gets a slot),
//! `#no-checkpoint`, `#stuck-stopping` (its last checkpoint never ends), `#refused` (Arroyo's planner refuses it),
//! `#backlog` (reads fast for a while before it reads what comes in), `#compiler-late` (the compiler of its functions is not up yet
//! when it is first validated).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod api;
mod faults;
mod guard;
mod http;
mod jobs;
mod proxy;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    http::{Answer, Backend, Request},
    world::World,
};

pub use faults::{Ambush, Faults, Trouble};
pub use jobs::{Entry, State};
pub use proxy::Proxy;
pub use world::{Options, Version};

/// A running stand-in; dropping it ends it.
#[derive(Debug)]
pub struct StandIn {
    url: String,
    world: Arc<Mutex<World>>,
    faults: Arc<Mutex<Faults>>,
    task: JoinHandle<()>,
}

impl Backend for Mutex<World> {
    /// Jobs move on with every request.
    fn arrives(&self) {
        self.lock().unwrap().tick();
    }

    async fn answer(&self, request: &Request) -> Answer {
        self.lock().unwrap().answer(&request.method, &request.target, request.key.as_deref(), &request.body)
    }
}

impl StandIn {
    /// Starts one.
    pub async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World { options, next_id: 1, ..World::default() }));
        let faults = Arc::new(Mutex::new(Faults::default()));
        let task = tokio::spawn(http::serve(listener, Arc::clone(&world), Arc::clone(&faults)));
        Self { url, world, faults, task }
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
        self.faults().trouble(call, trouble);
    }

    /// No call goes wrong any more.
    pub fn calm(&self) {
        self.faults().calm();
    }

    /// From now on a running pipeline of these packs (`weir/dev/rules`) may be stopped only while another copy runs.
    pub fn guard(&self, packs: &[&str]) {
        self.lock().guard.begin(packs);
    }

    /// Every time a guarded pack was left without a running copy.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().guard.violations().to_vec()
    }

    /// The pipelines, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// The calls so far, as `METHOD path`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.faults().calls().to_vec()
    }

    /// Changes a pipeline behind everybody's back, as a person in the UI does.
    pub fn by_hand(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        change(self.lock().entries.iter_mut().find(|entry| entry.id == id).unwrap());
    }

    /// The calls so far, and what goes wrong with those to come.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
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
