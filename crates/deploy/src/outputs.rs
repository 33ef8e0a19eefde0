//! What Terraform made, of a stack on AWS.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;
use weir_cloud::Clients;
use weir_project::Repo;

use super::{infrastructure::data_folder, root};

/// Outputs that are text, by name, and the declared streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StackOutputs {
    texts: BTreeMap<String, String>,
    streams: BTreeMap<String, StackStream>,
}

/// What Terraform made of a declared stream, or found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StackStream {
    /// The stream's ARN.
    pub arn: String,
    /// Its name.
    pub stream_name: String,
    /// Whether it is Weir's: nobody else's is ever written to.
    #[serde(default)]
    pub own: bool,
    /// What the engine reads in its place, when it passes a gate.
    pub plain_stream_name: Option<String>,
    /// The gate's function.
    pub gate_function: Option<String>,
    /// The queue that names the batches the gate gave up on.
    pub gate_dlq_url: Option<String>,
}

impl StackOutputs {
    /// From `terraform output -json`; empty where nothing was applied. `weir deploy` gives each environment a workspace; a
    /// checkout that it never deployed from is asked as it stands.
    pub(crate) async fn read(repo: &Repo, environment: &str) -> Result<Self> {
        let mut command = Command::new("terraform");
        let (root, data) = (root::folder(repo, environment), data_folder(repo, environment));
        command.arg(format!("-chdir={}", root.display())).args(["output", "-json", "-no-color"]);
        if data.is_dir() {
            command.env("TF_DATA_DIR", data).env_remove("TF_WORKSPACE");
        } else if std::env::var_os("TF_DATA_DIR").is_none() && !root.join(".terraform").is_dir() {
            // Never initialised, so it has no state. Terraform itself would trip over what the local stack leaves there.
            return Ok(Self::default());
        }
        command.env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1");
        let output = command.output().await.context("terraform output\n  hint: is Terraform installed and on PATH?")?;
        if !output.status.success() {
            let said = first_error(&String::from_utf8_lossy(&output.stderr));
            bail!("terraform output: {said}\n  hint: scripts/terraform-init.sh comes first");
        }
        Self::parse(&output.stdout).context("terraform output")
    }

    /// What Terraform made of the environment in this checkout.
    ///
    /// # Errors
    /// When Terraform cannot be asked, or has applied nothing.
    pub async fn applied(repo: &Repo, environment: &str) -> Result<Self> {
        let outputs = Self::read(repo, environment).await?;
        if outputs.is_empty() {
            bail!(
                "terraform has applied nothing of {environment} here\n  hint: make deploy ENV={environment} does; without it, --url \
                 names an Arroyo, --stack a local stack"
            );
        }
        Ok(outputs)
    }

    /// From a file that `terraform output -json` wrote.
    pub(crate) fn load(file: &PathBuf) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Self::parse(&bytes).with_context(|| format!("{} is not what `terraform output -json` writes", file.display()))
    }

    /// From what `terraform output -json` writes.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Output {
            value: serde_json::Value,
        }
        let mut outputs: BTreeMap<String, Output> = serde_json::from_slice(json)?;
        let streams = outputs.remove("streams").map(|output| serde_json::from_value(output.value)).transpose()?;
        let texts = outputs.into_iter().filter_map(|(name, o)| Some((name, o.value.as_str()?.to_owned()))).collect();
        Ok(Self { texts, streams: streams.unwrap_or_default() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The declared streams, by name. An engine reads `plain_stream_name` as `Declaration::plain` where there is one, and
    /// `stream_name` as declared where there is none.
    #[must_use]
    pub fn streams(&self) -> &BTreeMap<String, StackStream> {
        &self.streams
    }

    /// Clients for the stack's region, or for the emulator that it is in; none without a stack.
    pub async fn clients(&self) -> Option<Clients> {
        match (self.get("endpoint_url"), self.get("region")) {
            (Some(endpoint), _) => Some(Clients::at(endpoint).await),
            (None, Some(region)) => Some(Clients::in_region(region).await),
            (None, None) => None,
        }
    }

    /// An output that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn need(&self, name: &str) -> Result<&str> {
        self.get(name).with_context(|| {
            format!(
                "the stack has no output `{name}`\n  hint: is arroyo_enabled set, and was it applied with this version?"
            )
        })
    }
}

/// The headline of the first error in what Terraform says, without the frame that it draws; all of it where there is none.
fn first_error(said: &str) -> String {
    let lines = || said.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || "│╷╵".contains(c)));
    match lines().find_map(|line| line.strip_prefix("Error: ")) {
        Some(headline) => headline.to_owned(),
        None => lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_passes_a_gate_is_read_behind_it() {
        let json = br#"{"region":{"value":"eu-central-1"},"streams":{"value":{
            "climate":{"arn":"arn:aws:kinesis:eu-central-1:1:stream/iot","stream_name":"iot","plain_stream_name":null,"gate_function":null,"gate_dlq_url":null},
            "flows":{"arn":"arn:aws:kinesis:eu-central-1:1:stream/logs","stream_name":"logs","plain_stream_name":"weir-flows-plain","gate_function":"weir-gate-flows","gate_dlq_url":"u"}}}}"#;
        let outputs = StackOutputs::parse(json).unwrap();
        assert_eq!(outputs.get("region"), Some("eu-central-1"));
        let read = |name: &str| outputs.streams()[name].plain_stream_name.as_deref();
        assert_eq!((read("climate"), read("flows")), (None, Some("weir-flows-plain")));
        assert!(StackOutputs::parse(b"{}").unwrap().is_empty());
    }

    #[test]
    fn terraforms_frames_and_warnings_are_left_out_of_its_error() {
        let framed = "There are some problems:\n╷\n│ Warning: Unable to open it\n╵\n\n╷\n│ Error: Required plugins are not installed\n│ \n│ The rest.\n╵\n";
        assert_eq!(first_error(framed), "Required plugins are not installed");
        assert_eq!(first_error("killed\nby nobody\n"), "killed by nobody");
    }
}
