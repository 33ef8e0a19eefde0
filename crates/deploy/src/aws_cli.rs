//! The AWS CLI, for what needs its Session Manager plugin anyway: tunnels, and the key that goes with them.

use std::{
    env, fmt,
    io::{Error, ErrorKind},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use weir_anomaly::Timestamp;
use weir_stream::{TimeFormat, TimeReader};

use super::outputs::StackOutputs;

/// A program that is not on `PATH`, and where it is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) program: &'static str,
    pub(crate) hint: &'static str,
}

const AWS: Missing = Missing {
    program: "aws",
    hint: "install the AWS CLI, version 2: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html; or name \
           Arroyo's address and key in WEIR_ARROYO_URL and WEIR_ARROYO_KEY",
};
const PLUGIN: Missing = Missing {
    program: "session-manager-plugin",
    hint: "the AWS CLI needs it for tunnels: \
           https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html; without \
           a tunnel, name Arroyo's address in WEIR_ARROYO_URL",
};

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was not found on PATH\n  hint: {}", self.program, self.hint)
    }
}

impl std::error::Error for Missing {}

/// What a tunnel needs and this machine has not.
pub(crate) fn missing() -> Vec<Missing> {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    [AWS, PLUGIN].into_iter().filter(|one| !there(one.program)).collect()
}

/// Refuses to begin what a tunnel is needed for when it cannot be opened.
pub(crate) fn need_tunnel() -> Result<()> {
    match missing().into_iter().next() {
        Some(missing) => Err(anyhow::Error::new(missing).context("no tunnel to Arroyo can be opened")),
        None => Ok(()),
    }
}

/// Where `aws` is to look: the stack's region, and the emulator where the stack is there.
pub(crate) fn place(outputs: &StackOutputs) -> Vec<String> {
    [("--region", "region"), ("--endpoint-url", "endpoint_url")]
        .into_iter()
        .filter_map(|(option, output)| Some([option.to_owned(), outputs.get(output)?.to_owned()]))
        .flatten()
        .collect()
}

/// `aws` with these arguments.
pub(crate) fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(AWS.program);
    command.args(arguments).env("AWS_PAGER", "").stdin(Stdio::null());
    command
}

/// Why `aws` did not start.
pub(crate) fn not_started(error: Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        AWS.into()
    } else {
        anyhow::Error::new(error).context("`aws` did not start")
    }
}

/// What a call prints.
pub(crate) async fn call(outputs: &StackOutputs, arguments: &[&str]) -> Result<String> {
    let what = format!("aws {}", arguments.iter().take(2).copied().collect::<Vec<_>>().join(" "));
    let mut all = place(outputs);
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let output = command(&all).output().await.map_err(not_started).with_context(|| what.clone())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}", said.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The time by which AWS answers: the header `Date` of an answer, which `aws --debug` shows; `None` where it shows none. The
/// call is not signed, and refused: that needs no credentials, and a clock that is wrong refuses those.
pub(crate) async fn server_time(outputs: &StackOutputs) -> Result<Option<Timestamp>> {
    let mut all = place(outputs);
    all.extend(["sts", "get-caller-identity", "--no-sign-request", "--debug"].map(str::to_owned));
    let output = command(&all).output().await.map_err(not_started).context("aws sts get-caller-identity")?;
    Ok(date_header(&String::from_utf8_lossy(&output.stderr)))
}

/// The last `'Date': '…'` of a log.
fn date_header(log: &str) -> Option<Timestamp> {
    let (_, rest) = log.rsplit_once("'Date': '")?;
    let (date, _) = rest.split_once('\'')?;
    let reader = TimeReader { formats: vec![TimeFormat::parse("rfc2822").ok()?], ..TimeReader::default() };
    reader.read_text(date).ok().map(Timestamp::from_nanos)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_answer_is_in_its_header() {
        let log = "Response headers: {'x-amzn-RequestId': '1', 'Content-Type': 'text/xml', 'Date': 'Mon, 30 Nov 2026 11:58:22 GMT'}\nResponse body:";
        assert_eq!(date_header(log).unwrap().to_string(), "2026-11-30T11:58:22Z");
        assert_eq!((date_header("no headers"), date_header("'Date': 'noon'")), (None, None));
    }
}
