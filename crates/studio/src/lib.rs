//! `weir studio`: a page on which a rule is written and what it would have found is seen at once.
//!
//! [`server`] listens on loopback and [`guard`] decides whom it answers; [`assets`] are the page's files, embedded. [`api`] answers in
//! JSON, by the libraries that the commands use: what the page says of a rule is what `weir check`, `weir test` and
//! `weir backtest` say of it. [`api::contract`] has every type that crosses the wire.

pub mod api;
mod assets;
mod draft;
mod fault;
mod guard;
mod labels;
mod sample;
mod server;
mod state;
mod vocabulary;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use futures::future::BoxFuture;
use weir_anomaly::Anomaly;
use weir_backtest::data::{TimedEvent, labels::Label, read::Columns};
use weir_cloud::Clients;
use weir_project::Repo;
use weir_rules::{Environment, Pack};

pub use api::contract::SilenceRequest;
pub use server::Server;

/// What the page is about.
pub struct StudioOptions {
    /// The project whose rules are written.
    pub repo: Repo,
    /// The loopback port; 0 takes a free one.
    pub port: u16,
    /// The environment that rules are compiled for: a file below `sql/environments`.
    pub environment: String,
    /// The history that is open when the page comes up; without any, it offers to choose one.
    pub history: Option<HistoryChoice>,
    /// Which columns or fields of files hold what.
    pub columns: Columns,
    /// What is known to be wrong; `sql/labels.json` of the project without it.
    pub labels: Option<PathBuf>,
    /// What runs: a local stack, or what was deployed.
    pub running: Option<Running>,
    /// The anomaly that the page opens with.
    pub open: Option<String>,
    /// Makes events, for people who have none.
    pub generate: Generate,
    /// Gives clients of AWS for a history that lies there.
    pub connect: Connect,
    /// What the commands do, for what the page does in their place.
    pub commands: Box<dyn Commands>,
}

/// What the page has in common with commands: it does it by their code.
pub trait Commands: Send + Sync {
    /// What is in quarantine, a record or a stray message each, as `weir quarantine` prints it.
    fn quarantined<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<Vec<serde_json::Value>>>;

    /// Puts a record back on the stream that it came from, and takes it out of quarantine; gives what is left there.
    fn send_again<'a>(
        &'a self,
        place: &'a Place,
        record_id: &'a str,
        stream: &'a str,
    ) -> BoxFuture<'a, Result<Vec<serde_json::Value>>>;

    /// Makes a silence, in the name of the person who runs the command.
    fn silence<'a>(&'a self, place: &'a Place, wanted: &'a SilenceRequest) -> BoxFuture<'a, Result<()>>;

    /// How the pipelines of a deployed environment do, as `weir status --env` has them.
    fn pipelines<'a>(&'a self, environment: &'a str) -> BoxFuture<'a, Result<Vec<serde_json::Value>>>;

    /// The rule of an anomaly's version, from this checkout or its history.
    ///
    /// # Errors
    /// When the checkout cannot be read.
    fn version(&self, anomaly: &Anomaly) -> Result<Option<RuleVersion>>;
}

/// A rule as it was.
#[derive(Debug)]
pub struct RuleVersion {
    /// The rule alone, with the tables.
    pub pack: Pack,
    /// The first of the environments that give this version.
    pub environment: Environment,
    /// All of them, by name.
    pub environments: Vec<String>,
    /// Where it was found, for a person.
    pub place: String,
}

/// Where history comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryChoice {
    /// Files, folders, `s3://BUCKET/PREFIX` or `kinesis://STREAM`.
    Inputs(Vec<String>),
    /// Raw records of a declared stream, from the same places.
    Records {
        /// Where they are.
        inputs: Vec<String>,
        /// The stream's name.
        stream: String,
    },
    /// Generated events with labelled faults in them.
    Generated {
        /// The same seed gives the same events.
        seed: u64,
    },
}

/// Makes events from a seed, with what is wrong in them.
pub type Generate = Box<dyn Fn(u64) -> Result<(Vec<TimedEvent>, Vec<Label>)> + Send + Sync>;

/// Gives clients of AWS.
pub type Connect = Box<dyn Fn() -> BoxFuture<'static, Result<Clients>> + Send + Sync>;

/// A stack or an environment that the page looks at.
pub struct Running {
    /// What a person calls it: `stack demo`, `environment prod`.
    pub name: String,
    /// The local stack's name, where it is one.
    pub stack: Option<String>,
    /// The deployed environment's name, where it is one.
    pub environment: Option<String>,
    /// Gives clients and the names of its parts.
    pub connect: Reach,
}

/// Gives clients of what runs, and the names of its parts.
pub type Reach = Box<dyn Fn() -> BoxFuture<'static, Result<Place>> + Send + Sync>;

/// Where the parts of what runs are.
#[derive(Debug, Clone)]
pub struct Place {
    /// Clients for all of them.
    pub clients: Clients,
    /// The stream that events come by.
    pub events_stream: String,
    /// The stream that anomalies leave by.
    pub anomalies_stream: String,
    /// The table of anomalies, alerts and silences.
    pub table: String,
    /// The queue of records that were no events.
    pub quarantine_url: String,
    /// Declared streams that are not Weir's: nothing is put on them.
    pub foreign_streams: Vec<String>,
}

/// Opens the page on a loopback port; nothing is served before [`Server::serve`].
///
/// # Errors
/// When the port is in use.
pub async fn open(options: StudioOptions) -> Result<Server> {
    server::open(options).await
}

/// The page's address on a port, with the token that it answers to.
pub(crate) fn address(at: SocketAddr, token: &str) -> String {
    format!("http://{at}/?token={token}")
}
