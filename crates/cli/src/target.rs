//! Where a command talks to: AWS as the environment says, a local stack by its name, or what was deployed from here.

use anyhow::{Context, Result, bail};
use weir_cloud::Clients;
use weir_deploy::StackOutputs;
use weir_local::{Connection, Health};
use weir_project::Repo;

/// AWS, or a local stack.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct Target {
    /// A local stack that `weir up` left running; AWS (or AWS_ENDPOINT_URL) without it
    #[arg(long = "stack", value_name = "NAME")]
    stack: Option<String>,
    #[arg(skip)]
    environment: Option<String>,
}

/// AWS, a local stack, or a deployed environment.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct DeployedTarget {
    #[command(flatten)]
    target: Target,
    /// An environment that was deployed from this checkout: its region, and the names of its parts
    #[arg(long = "env", value_name = "NAME", conflicts_with = "stack")]
    environment: Option<String>,
}

/// What the parts of a stack are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) events_stream: String,
    pub(crate) anomalies_stream: String,
    pub(crate) table: String,
    pub(crate) quarantine_url: String,
    /// Declared streams that are not Weir's: it never writes to them.
    pub(crate) foreign_streams: Vec<String>,
}

impl DeployedTarget {
    /// The local stack, where one is named.
    pub(crate) fn stack(&self) -> Option<&str> {
        self.target.stack.as_deref()
    }

    /// The deployed environment, where one is named.
    pub(crate) fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The command that opens the page at a stored anomaly; `None` where the page could not be told what runs.
    pub(crate) fn page_of(&self, id: &str) -> Option<String> {
        let what = match (self.stack(), self.environment()) {
            (Some(stack), _) => format!("--stack {stack}"),
            (None, Some(environment)) => format!("--env {environment}"),
            (None, None) => return None,
        };
        Some(format!("weir studio {what} --open {id}"))
    }

    pub(crate) fn target(&self) -> Target {
        Target { environment: self.environment.clone(), ..self.target.clone() }
    }

    /// Clients for the target and, unless it is AWS as the environment says, the names of its parts.
    pub(crate) async fn connect(&self) -> Result<(Clients, Option<Names>)> {
        self.target().connect().await
    }

    /// Says on standard error when nothing reads the events of a local stack, or that it is down; whether it said so.
    pub(crate) fn warn_if_unread(&self) -> Result<bool> {
        let Some(name) = &self.target.stack else { return Ok(false) };
        let said = match Health::of(&Repo::find()?, name) {
            Some(health) if health.emulator.condition.runs() && health.engine.condition.runs() => return Ok(false),
            Some(health) if health.emulator.condition.runs() => {
                format!("{} {}", health.engine.name, health.engine.said())
            }
            Some(health) => format!("{} {}", health.emulator.name, health.emulator.said()),
            None => "it is down".to_owned(),
        };
        eprintln!(
            "nothing reads the events of stack `{name}`: {said}\n  hint: weir up --stack {name} starts what is missing, weir status --stack {name} says more"
        );
        Ok(true)
    }
}

impl Target {
    /// Clients for the target and, unless it is AWS as the environment says, the names of its parts.
    pub(crate) async fn connect(&self) -> Result<(Clients, Option<Names>)> {
        if let Some(outputs) = self.outputs().await? {
            let clients = outputs.clients().await.context("the stack has no output `region`")?;
            return Ok((clients, Some(Names::of_outputs(&outputs)?)));
        }
        Ok(match self.local()? {
            Some(local) => (Clients::at(&local.endpoint).await, Some(Names::of_local(local))),
            None => (Clients::from_env().await, None),
        })
    }

    /// The names of the target's parts, where they are known.
    pub(crate) async fn names(&self) -> Result<Option<Names>> {
        match self.outputs().await? {
            Some(outputs) => Names::of_outputs(&outputs).map(Some),
            None => Ok(self.local()?.map(Names::of_local)),
        }
    }

    async fn outputs(&self) -> Result<Option<StackOutputs>> {
        match &self.environment {
            Some(environment) => StackOutputs::applied(&Repo::find()?, environment).await.map(Some),
            None => Ok(None),
        }
    }

    fn local(&self) -> Result<Option<Connection>> {
        let Some(name) = &self.stack else { return Ok(None) };
        let repo = Repo::find()?;
        let connection = Connection::load(&repo, name)?;
        if let Some(health) = Health::of(&repo, name).filter(|health| !health.emulator.condition.runs()) {
            bail!(
                "stack `{name}` is down: {} {}, and what it held is lost\n  hint: weir up --stack {name} starts it anew, weir status --stack {name} says more",
                health.emulator.name,
                health.emulator.said()
            );
        }
        Ok(Some(connection))
    }
}

impl Names {
    fn of_outputs(outputs: &StackOutputs) -> Result<Self> {
        let need = |name| outputs.need(name).map(str::to_owned);
        Ok(Self {
            events_stream: need("events_stream_name")?,
            anomalies_stream: need("anomalies_stream_name")?,
            table: need("table_name")?,
            quarantine_url: need("quarantine_queue_url")?,
            foreign_streams: outputs
                .streams()
                .values()
                .filter(|stream| !stream.own)
                .map(|stream| stream.stream_name.clone())
                .collect(),
        })
    }

    fn of_local(local: Connection) -> Self {
        let Connection { events_stream, anomalies_stream, table, quarantine_url, .. } = local;
        Self { events_stream, anomalies_stream, table, quarantine_url, foreign_streams: Vec::new() }
    }
}
