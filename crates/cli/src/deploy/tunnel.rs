//! A tunnel from a loopback port to Arroyo's control task: Session Manager port forwarding, through ECS Exec's agent.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::{net::TcpStream, process::Child};

use super::{aws_cli, outputs::StackOutputs};

/// Arroyo's API and UI.
pub(crate) const API_PORT: u16 = 5115;
/// The container of the task that serves them.
const CONTAINER: &str = "control";
/// The plugin connects within a few seconds.
const OPEN_DEADLINE: Duration = Duration::from_secs(45);
const OPEN_POLL: Duration = Duration::from_millis(200);

/// An open tunnel; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Tunnel {
    child: Child,
    pub(crate) address: SocketAddr,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tasks {
    task_arns: Vec<String>,
}

#[derive(Deserialize)]
struct Described {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    runtime_id: Option<String>,
}

impl Tunnel {
    /// Opens one to the stack's control task on a free loopback port.
    pub(crate) async fn open(outputs: &StackOutputs) -> Result<Self> {
        let port = free()?;
        let target = target(outputs).await?;
        let parameters = format!(r#"{{"portNumber":["{API_PORT}"],"localPortNumber":["{port}"]}}"#);
        let mut command = aws_cli::command(outputs);
        command
            .args(["ssm", "start-session", "--target", &target])
            .args(["--document-name", "AWS-StartPortForwardingSession", "--parameters", &parameters])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn().context("`aws` cannot be started\n  hint: install the AWS CLI, version 2")?;
        let mut tunnel = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let begun = Instant::now();
        while TcpStream::connect(tunnel.address).await.is_err() {
            if let Some(status) = tunnel.child.try_wait()? {
                let said = tunnel.said().await;
                bail!(
                    "the tunnel ended with {status}: {said}\n  hint: the AWS CLI needs its Session Manager plugin, and you \
                     need ssm:StartSession on the task"
                );
            }
            if begun.elapsed() > OPEN_DEADLINE {
                bail!("the tunnel did not open within {} s", OPEN_DEADLINE.as_secs());
            }
            tokio::time::sleep(OPEN_POLL).await;
        }
        Ok(tunnel)
    }

    /// Returns when the tunnel has ended.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        let status = self.child.wait().await?;
        let said = self.said().await;
        bail!("the tunnel ended with {status}: {said}")
    }

    async fn said(&mut self) -> String {
        use tokio::io::AsyncReadExt as _;
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // What it said is a help; that it said nothing readable is no further fault.
            let _ = stderr.read_to_string(&mut text).await;
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// `ecs:<cluster>_<task id>_<runtime id of the container>`, as Session Manager names it.
async fn target(outputs: &StackOutputs) -> Result<String> {
    let (cluster, service) = (outputs.need("arroyo_cluster_name")?, outputs.need("arroyo_control_service_name")?);
    let list = ["ecs", "list-tasks", "--cluster", cluster, "--service-name", service, "--output", "json"];
    let tasks: Tasks = serde_json::from_str(&aws_cli::call(outputs, &list).await?).context("aws ecs list-tasks")?;
    let arn = tasks.task_arns.first().with_context(|| {
        format!("service {service} has no task\n  hint: the service's events in the ECS console say why")
    })?;
    let describe = ["ecs", "describe-tasks", "--cluster", cluster, "--tasks", arn, "--output", "json"];
    let described: Described =
        serde_json::from_str(&aws_cli::call(outputs, &describe).await?).context("aws ecs describe-tasks")?;
    let containers = described.tasks.into_iter().flat_map(|task| task.containers);
    let runtime = containers.into_iter().find(|c| c.name == CONTAINER).and_then(|c| c.runtime_id);
    let runtime = runtime.with_context(|| format!("the container `{CONTAINER}` does not run yet"))?;
    let task = arn.rsplit('/').next().unwrap_or_default();
    Ok(format!("ecs:{cluster}_{task}_{runtime}"))
}

/// A port that nothing listens on now. It is given up again before the plugin takes it: that can go wrong, and is then said.
fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?.port())
}
