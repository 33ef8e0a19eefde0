//! Where to deploy to: the stack's outputs, a way to its engine, and the ledger that belongs to them.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use weir_arroyo::{Client, Timing};
use weir_cloud::{Clients, stream};
use weir_project::Repo;

use super::{
    aws_cli, embedded::Service, infrastructure::data_folder, ledger::Ledger, outputs::StackOutputs, tunnel::Tunnel,
};

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct PlaceOptions {
    /// The environment: a file below sql/environments, without .toml
    #[arg(long = "env", env = "WEIR_ENV", default_value = "dev", value_name = "NAME")]
    pub(crate) environment: String,
    /// The address of Arroyo's API; a tunnel to the stack's own is opened without it
    #[arg(long, env = "WEIR_ARROYO_URL", value_name = "URL")]
    url: Option<String>,
    /// Arroyo's API key; read from the stack's secret without it
    #[arg(long, env = "WEIR_ARROYO_KEY", hide_env_values = true, value_name = "KEY", hide = true)]
    key: Option<String>,
    /// What `terraform output -json` wrote; Terraform is asked without it, unless --url is given and nothing was deployed from here
    #[arg(long, env = "WEIR_OUTPUTS", value_name = "FILE")]
    outputs: Option<PathBuf>,
}

/// The engine of a stack.
#[derive(Debug)]
pub(crate) enum Reached {
    /// An Arroyo cluster that answers.
    Arroyo(Box<Place>),
    /// The embedded engine's service, whose bucket is known; its task may be anywhere, or nowhere.
    Embedded(Box<Service>),
}

/// A cluster that answers.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) environment: String,
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    /// Empty without a stack.
    pub(crate) outputs: StackOutputs,
    pub(crate) clients: Option<Arc<Clients>>,
    /// Ends with the command.
    _tunnel: Option<Tunnel>,
}

impl PlaceOptions {
    /// The cluster of an environment, with what else the process's environment says of it.
    #[must_use]
    pub fn of(environment: &str) -> Self {
        let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            environment: environment.to_owned(),
            url: said("WEIR_ARROYO_URL"),
            key: said("WEIR_ARROYO_KEY"),
            outputs: said("WEIR_OUTPUTS").map(PathBuf::from),
        }
    }

    /// The stack's outputs, from a file or from Terraform; empty when only an address is given, and this checkout never
    /// deployed the environment.
    pub(crate) async fn outputs(&self, repo: &Repo) -> Result<StackOutputs> {
        match (&self.outputs, &self.url) {
            (Some(file), _) => StackOutputs::load(file),
            // The address leads to the same stack. Its streams, shards and record of deployments must be known.
            (None, Some(_)) if data_folder(repo, &self.environment).is_dir() => {
                StackOutputs::read(repo, &self.environment).await
            }
            (None, Some(_)) => Ok(StackOutputs::default()),
            (None, None) => StackOutputs::applied(repo, &self.environment).await,
        }
    }

    /// Whether Arroyo's address is given.
    pub(crate) fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// Finds the stack's engine, and opens what is needed to reach it.
    pub(crate) async fn reach(&self, repo: &Repo) -> Result<Reached> {
        let outputs = self.outputs(repo).await?;
        match self.service(repo, &outputs).await? {
            Some(service) => Ok(Reached::Embedded(Box::new(service))),
            None => Ok(Reached::Arroyo(Box::new(self.connect_to(repo, outputs).await?))),
        }
    }

    /// The embedded engine's service, where the stack has one and no Arroyo is named.
    pub(crate) async fn service(&self, repo: &Repo, outputs: &StackOutputs) -> Result<Option<Service>> {
        if self.url.is_some() || outputs.get("engine_bucket").is_none() {
            return Ok(None);
        }
        let clients = outputs.clients().await.map(Arc::new).context("the stack's outputs name no region")?;
        let ledger = ledger(repo, Some(&clients), outputs);
        Service::open(self.environment.clone(), ledger, outputs.clone(), clients).await.map(Some)
    }

    /// Finds the cluster of a stack whose outputs are known, opens what is needed to reach it, and asks whether it answers.
    pub(crate) async fn connect_to(&self, repo: &Repo, outputs: StackOutputs) -> Result<Place> {
        let clients = outputs.clients().await.map(Arc::new);
        let ledger = ledger(repo, clients.as_ref(), &outputs);
        if self.url.is_none() {
            aws_cli::need_tunnel()?;
        }
        let key = self.key(&outputs).await?;
        let (url, tunnel) = match &self.url {
            Some(url) => (url.clone(), None),
            None => {
                let tunnel = Tunnel::open(&outputs).await?;
                (format!("http://{}", tunnel.address), Some(tunnel))
            }
        };
        let client = Client::new(&url, key, Timing::default())?;
        client.ping().await?;
        let environment = self.environment.clone();
        Ok(Place { environment, client, ledger, outputs, clients, _tunnel: tunnel })
    }

    /// The ledger alone, which Arroyo need not be reached for.
    pub(crate) async fn ledger(&self, repo: &Repo) -> Result<Ledger> {
        let outputs = self.outputs(repo).await?;
        Ok(ledger(repo, outputs.clients().await.map(Arc::new).as_ref(), &outputs))
    }

    /// Arroyo's API key, where it has one.
    pub(crate) async fn key(&self, outputs: &StackOutputs) -> Result<Option<String>> {
        match (&self.key, outputs.get("arroyo_api_key_secret")) {
            (Some(key), _) => Ok(Some(key.clone()).filter(|key| !key.is_empty())),
            (None, Some(secret)) => aws_cli::secret(outputs, secret).await.map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl Place {
    /// The open shards of the events stream; `None` where no stack says which stream that is.
    pub(crate) async fn open_shards(&self) -> Result<Option<Vec<String>>> {
        let (Some(clients), Some(name)) = (&self.clients, self.outputs.get("events_stream_name")) else {
            return Ok(None);
        };
        let shards = stream::shards(clients, name).await.context("the events stream's shards")?;
        Ok(Some(shards.into_iter().filter(|shard| !shard.closed).map(|shard| shard.id).collect()))
    }
}

fn ledger(repo: &Repo, clients: Option<&Arc<Clients>>, outputs: &StackOutputs) -> Ledger {
    match (clients, outputs.get("table_name")) {
        (Some(clients), Some(table)) => Ledger::Table { clients: Arc::clone(clients), table: table.to_owned() },
        _ => Ledger::Folder(repo.root.join(".weir/deployments")),
    }
}
