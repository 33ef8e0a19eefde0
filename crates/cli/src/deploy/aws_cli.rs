//! The AWS CLI, for what needs its Session Manager plugin anyway: tunnels, and the key that goes with them.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::outputs::StackOutputs;

/// `aws`, in the stack's region, and at the emulator where the stack is there.
pub(crate) fn command(outputs: &StackOutputs) -> Command {
    let mut command = Command::new("aws");
    if let Some(region) = outputs.get("region") {
        command.args(["--region", region]);
    }
    if let Some(endpoint) = outputs.get("endpoint_url") {
        command.args(["--endpoint-url", endpoint]);
    }
    command.env("AWS_PAGER", "").stdin(Stdio::null());
    command
}

/// What a call prints.
pub(crate) async fn call(outputs: &StackOutputs, arguments: &[&str]) -> Result<String> {
    let what = format!("aws {}", arguments.iter().take(2).copied().collect::<Vec<_>>().join(" "));
    let mut command = command(outputs);
    let output = command.args(arguments).output().await.with_context(|| {
        format!("{what}: `aws` cannot be started\n  hint: install the AWS CLI, version 2, or set WEIR_ARROYO_URL and WEIR_ARROYO_KEY")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}", said.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The value of a secret.
pub(crate) async fn secret(outputs: &StackOutputs, name: &str) -> Result<String> {
    let arguments =
        ["secretsmanager", "get-secret-value", "--secret-id", name, "--query", "SecretString", "--output", "text"];
    let value = call(outputs, &arguments).await.with_context(|| {
        format!("the API key in secret {name} cannot be read\n  hint: WEIR_ARROYO_KEY is the key itself")
    })?;
    if value.is_empty() {
        bail!("secret {name} is empty");
    }
    Ok(value)
}
