//! Where a command talks to: AWS as the environment says, or a local stack by its name.

use anyhow::Result;
use weir_cloud::Clients;

use crate::{local::Connection, repo::Repo};

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct Target {
    /// A local stack that `weir up` left running; AWS (or AWS_ENDPOINT_URL) without it
    #[arg(long = "stack", value_name = "NAME")]
    stack: Option<String>,
}

impl Target {
    /// Clients for the target and, for a local stack, the names of its parts.
    pub(crate) async fn connect(&self) -> Result<(Clients, Option<Connection>)> {
        let connection = self.local()?;
        let clients = match &connection {
            Some(connection) => Clients::at(&connection.endpoint).await,
            None => Clients::from_env().await,
        };
        Ok((clients, connection))
    }

    /// The local stack's names and addresses; none on AWS.
    pub(crate) fn local(&self) -> Result<Option<Connection>> {
        self.stack.as_ref().map(|name| Connection::load(&Repo::find()?, name)).transpose()
    }
}
