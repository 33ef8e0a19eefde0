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
/// The session that forwards a port.
const DOCUMENT: &str = "AWS-StartPortForwardingSession";
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
    /// Opens one to the stack's control task on a free loopback port, and says by which command.
    pub(crate) async fn open(outputs: &StackOutputs) -> Result<Self> {
        let port = free()?;
        let target = target(outputs).await?;
        let arguments = session(outputs, &target, port);
        eprintln!("▸ {}", typed(&arguments));
        let mut command = aws_cli::command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(aws_cli::not_started)?;
        let mut tunnel = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let begun = Instant::now();
        while TcpStream::connect(tunnel.address).await.is_err() {
            if let Some(status) = tunnel.child.try_wait()? {
                let said = tunnel.said().await;
                bail!("the tunnel ended with {status}: {said}\n  hint: you need ssm:StartSession on the task");
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

/// What opens a tunnel from this loopback port.
fn session(outputs: &StackOutputs, target: &str, port: u16) -> Vec<String> {
    let parameters = format!(r#"{{"portNumber":["{API_PORT}"],"localPortNumber":["{port}"]}}"#);
    let mut arguments = aws_cli::place(outputs);
    let call = ["ssm", "start-session", "--target", target, "--document-name", DOCUMENT, "--parameters", &parameters];
    arguments.extend(call.map(str::to_owned));
    arguments
}

/// The same as a person would type it.
fn typed(arguments: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    let quoted = arguments.iter().map(|argument| {
        if argument.chars().all(plain) { argument.clone() } else { format!("'{}'", argument.replace('\'', r"'\''")) }
    });
    std::iter::once("aws".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// The control task's container, as Session Manager names it.
async fn target(outputs: &StackOutputs) -> Result<String> {
    let (cluster, service) = (outputs.need("arroyo_cluster_name")?, outputs.need("arroyo_control_service_name")?);
    let list = ["ecs", "list-tasks", "--cluster", cluster, "--service-name", service, "--output", "json"];
    let tasks: Tasks = serde_json::from_str(&aws_cli::call(outputs, &list).await?).context("aws ecs list-tasks")?;
    let task = tasks.task_arns.first().with_context(|| {
        format!("service {service} has no task\n  hint: the service's events in the ECS console say why")
    })?;
    let describe = ["ecs", "describe-tasks", "--cluster", cluster, "--tasks", task, "--output", "json"];
    let described: Described =
        serde_json::from_str(&aws_cli::call(outputs, &describe).await?).context("aws ecs describe-tasks")?;
    named(cluster, task, described)
}

/// `ecs:<cluster>_<task id>_<runtime id of the container>`.
fn named(cluster: &str, task: &str, described: Described) -> Result<String> {
    let mut containers = described.tasks.into_iter().flat_map(|task| task.containers);
    let runtime = containers.find(|container| container.name == CONTAINER).and_then(|container| container.runtime_id);
    let runtime = runtime.with_context(|| format!("the container `{CONTAINER}` does not run yet"))?;
    let task = task.rsplit('/').next().unwrap_or_default();
    Ok(format!("ecs:{cluster}_{task}_{runtime}"))
}

/// A port that nothing listens on now. It is given up again before the plugin takes it: that can go wrong, and is then said.
fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "arn:aws:ecs:eu-central-1:111122223333:task/weir-dev-arroyo/0123456789abcdef0123456789abcdef";

    fn outputs(json: &str) -> StackOutputs {
        StackOutputs::parse(json.as_bytes()).unwrap()
    }

    fn described(containers: &str) -> Described {
        serde_json::from_str(&format!(
            r#"{{"tasks":[{{"taskArn":"{TASK}","containers":[{containers}]}}],"failures":[]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_command_forwards_a_loopback_port_to_the_control_container() {
        let migrate = r#"{"name":"migrate","lastStatus":"STOPPED","runtimeId":"0123456789abcdef-1111111111"}"#;
        let control = r#"{"name":"control","lastStatus":"RUNNING","runtimeId":"0123456789abcdef-2222222222"}"#;
        let target = named("weir-dev-arroyo", TASK, described(&format!("{migrate},{control}"))).unwrap();
        let outputs = outputs(r#"{"region":{"value":"eu-central-1"},"endpoint_url":{"value":null}}"#);
        insta::assert_snapshot!(typed(&session(&outputs, &target, 40123)), @r#"aws --region eu-central-1 ssm start-session --target ecs:weir-dev-arroyo_0123456789abcdef0123456789abcdef_0123456789abcdef-2222222222 --document-name AWS-StartPortForwardingSession --parameters '{"portNumber":["5115"],"localPortNumber":["40123"]}'"#);
    }

    #[test]
    fn a_container_that_does_not_run_yet_is_no_target() {
        for containers in ["", r#"{"name":"control","lastStatus":"PENDING"}"#] {
            let error = named("weir-dev-arroyo", TASK, described(containers)).unwrap_err().to_string();
            assert_eq!(error, "the container `control` does not run yet");
        }
    }

    #[test]
    fn what_is_printed_can_be_typed() {
        let typed = typed(&["a b".to_owned(), "it's".to_owned(), "--plain=1".to_owned()]);
        assert_eq!(typed, r"aws 'a b' 'it'\''s' --plain=1");
    }
}
