//! Terraform against the emulator: the same root module that AWS gets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::process::Process;

/// Terraform's working files and state of one local stack, away from the module's folder.
#[derive(Debug)]
pub(crate) struct Terraform {
    repo: PathBuf,
    folder: PathBuf,
    endpoint: String,
    name_prefix: String,
    /// Shards of the events stream, when not as `local.tfvars` has it.
    shards: Option<u32>,
}

/// What Terraform made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outputs(BTreeMap<String, String>);

impl Outputs {
    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| format!("terraform has no output `{name}`"))
    }
}

impl Terraform {
    pub(crate) fn new(repo: &Path, folder: &Path, endpoint: &str, name_prefix: &str, shards: Option<u32>) -> Self {
        Self {
            repo: repo.to_owned(),
            folder: folder.to_owned(),
            endpoint: endpoint.to_owned(),
            name_prefix: name_prefix.to_owned(),
            shards,
        }
    }

    pub(crate) async fn init(&self, log: &Path) -> Result<()> {
        let mut command = Command::new(self.repo.join("scripts/terraform-init.sh"));
        self.environment(&mut command);
        Process::spawn("terraform init", command, log)?.finish().await
    }

    pub(crate) async fn apply(&self, log: &Path) -> Result<()> {
        let mut command = self.terraform();
        command.args(["apply", "-auto-approve", "-input=false", "-no-color"]);
        self.arguments(&mut command);
        Process::spawn("terraform apply", command, log)?.finish().await
    }

    pub(crate) async fn outputs(&self) -> Result<Outputs> {
        #[derive(Deserialize)]
        struct Output {
            value: serde_json::Value,
        }
        let mut command = self.terraform();
        command.args(["output", "-json"]).arg(format!("-state={}", self.state().display()));
        let output = command.output().await.context("terraform output")?;
        if !output.status.success() {
            bail!("terraform output: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let outputs: BTreeMap<String, Output> = serde_json::from_slice(&output.stdout).context("terraform output")?;
        let text = outputs.into_iter().filter_map(|(name, o)| Some((name, o.value.as_str()?.to_owned())));
        Ok(Outputs(text.collect()))
    }

    fn terraform(&self) -> Command {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", self.repo.join("terraform").display()));
        self.environment(&mut command);
        command
    }

    fn arguments(&self, command: &mut Command) {
        command
            .arg(format!("-state={}", self.state().display()))
            .arg("-var-file=local.tfvars")
            .arg(format!("-var=endpoint_url={}", self.endpoint))
            .arg(format!("-var=name_prefix={}", self.name_prefix));
        if let Some(shards) = self.shards {
            command.arg(format!("-var=events_shard_count={shards}"));
        }
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("TF_DATA_DIR", self.folder.join("terraform"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
    }

    fn state(&self) -> PathBuf {
        self.folder.join("terraform.tfstate")
    }
}
