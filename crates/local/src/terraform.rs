//! Terraform against the emulator: the same root module that AWS gets.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;
use weir_project::Distribution;

use super::process::Process;

/// Terraform's working files and state of one local stack, away from the module's folder.
#[derive(Debug)]
pub(crate) struct Terraform {
    script: PathBuf,
    /// The root that Terraform works in.
    root: PathBuf,
    /// Where a provider that comes from the registry is kept for the next stack.
    providers: Option<PathBuf>,
    folder: PathBuf,
    endpoint: String,
    name_prefix: String,
    /// Shards of the events stream, when not as `local.tfvars` has it.
    shards: Option<u32>,
    /// The streams that the project declares, as the variable has them.
    streams: Value,
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
    /// Of a stack in that folder. A checkout is its own root; of a release, which may not be written to, it is a folder of links.
    ///
    /// # Errors
    /// When the links cannot be made, or the release has no packages for this machine.
    pub(crate) fn new(
        distribution: &Distribution,
        working_folder: &Path,
        folder: &Path,
        endpoint: &str,
        name_prefix: &str,
        shards: Option<u32>,
        streams: Value,
    ) -> Result<Self> {
        let root = if distribution.is_checkout() { distribution.terraform() } else { linked(distribution, folder)? };
        Ok(Self {
            script: distribution.script("terraform-init.sh"),
            root,
            providers: (!distribution.is_checkout()).then(|| working_folder.join("providers")),
            folder: folder.to_owned(),
            endpoint: endpoint.to_owned(),
            name_prefix: name_prefix.to_owned(),
            shards,
            streams,
        })
    }

    pub(crate) async fn init(&self, log: &Path) -> Result<()> {
        let mut command = Command::new(&self.script);
        command.env("WEIR_TERRAFORM_ROOT", &self.root);
        if let Some(providers) = &self.providers {
            command.env("WEIR_TF_CACHE_DIR", providers);
        }
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
            value: Value,
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
        command.arg(format!("-chdir={}", self.root.display()));
        self.environment(&mut command);
        command
    }

    fn arguments(&self, command: &mut Command) {
        command
            .arg(format!("-state={}", self.state().display()))
            .arg("-var-file=local.tfvars")
            .arg(format!("-var=endpoint_url={}", self.endpoint))
            .arg(format!("-var=name_prefix={}", self.name_prefix))
            .arg(format!("-var=streams={}", self.streams));
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

/// A root in the stack's folder that is the release's module, with the packages where `local.tfvars` has them.
fn linked(distribution: &Distribution, folder: &Path) -> Result<PathBuf> {
    let packages = distribution.packages().join("local");
    if !packages.is_dir() {
        bail!("{} is not there: this release has no packages of the Lambdas for this machine", packages.display());
    }
    let root = folder.join("root/terraform");
    links(&distribution.terraform(), &packages, &root).with_context(|| format!("{} cannot be made", root.display()))?;
    Ok(root)
}

fn links(module: &Path, packages: &Path, root: &Path) -> io::Result<()> {
    let dist = root.with_file_name("dist");
    fs::create_dir_all(root)?;
    fs::create_dir_all(&dist)?;
    symlink(packages, dist.join("local"))?;
    for entry in fs::read_dir(module)? {
        let entry = entry?;
        symlink(entry.path(), root.join(entry.file_name()))?;
    }
    Ok(())
}
