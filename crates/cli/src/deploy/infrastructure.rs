//! What Terraform owns, of one environment: planned, shown, and made or ended. Each environment is a workspace of its own, so
//! that one can never be planned over another.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;

/// Terraform's exit code of a plan with changes.
const CHANGES: i32 = 2;

/// One environment's Terraform.
#[derive(Debug, Clone)]
pub(crate) struct Infrastructure {
    repo: Repo,
    environment: String,
    /// Further arguments of `terraform plan`.
    arguments: Vec<String>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Make,
    End,
}

/// A plan that was shown. It holds the values of variables and serves once: its file goes with this.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    infrastructure: &'a Infrastructure,
}

impl Planned<'_> {
    /// Carries it out.
    pub(crate) fn apply(self) -> Result<()> {
        eprintln!("▸ terraform apply");
        let mut apply = self.infrastructure.terraform();
        apply.args(["apply", "-input=false"]).args(plain()).arg(self.infrastructure.plan_file());
        done("terraform apply", run(apply)?)
    }
}

impl Drop for Planned<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.infrastructure.plan_file());
    }
}

/// Where Terraform keeps which workspace and which provider an environment uses.
pub(crate) fn data_folder(repo: &Repo, environment: &str) -> PathBuf {
    repo.root.join(".weir/deploy").join(environment)
}

impl Infrastructure {
    pub(crate) fn new(repo: &Repo, environment: &str, arguments: &[String]) -> Result<Self> {
        let infrastructure =
            Self { repo: repo.clone(), environment: environment.to_owned(), arguments: arguments.to_vec() };
        let variables = infrastructure.variables();
        if !variables.is_file() {
            bail!(
                "{} is not there\n  hint: an environment has its sizes there and its rules' settings in sql/environments",
                variables.display()
            );
        }
        Ok(infrastructure)
    }

    /// Fetches the provider and chooses the environment's workspace.
    pub(crate) fn init(&self) -> Result<()> {
        eprintln!("▸ terraform init");
        let mut init = Command::new(self.repo.root.join("scripts/terraform-init.sh"));
        self.environment(&mut init);
        done("terraform init", run(init)?)?;
        let mut workspace = self.terraform();
        workspace.args(["workspace", "select", "-or-create", &self.environment]);
        done("terraform workspace", run(workspace)?)
    }

    /// Plans and shows the plan; none when it would change nothing.
    pub(crate) fn plan(&self, purpose: Purpose) -> Result<Option<Planned<'_>>> {
        eprintln!("▸ terraform plan");
        let planned = Planned { infrastructure: self };
        let mut plan = self.terraform();
        plan.args(["plan", "-input=false", "-detailed-exitcode", "-compact-warnings"]).args(plain());
        if purpose == Purpose::End {
            plan.arg("-destroy");
        }
        plan.arg(format!("-out={}", self.plan_file().display()));
        plan.arg(format!("-var-file={}", self.variables().display())).args(&self.arguments);
        let status = run(plan)?;
        match status.code() {
            Some(0) => Ok(None),
            Some(CHANGES) => Ok(Some(planned)),
            _ => done("terraform plan", status).map(|()| None),
        }
    }

    fn terraform(&self) -> Command {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", self.repo.root.join("terraform").display()));
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("TF_DATA_DIR", data_folder(&self.repo, &self.environment))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_WORKSPACE")
            .stdin(Stdio::null());
    }

    fn variables(&self) -> PathBuf {
        self.repo.root.join("terraform").join(format!("{}.tfvars", self.environment))
    }

    fn plan_file(&self) -> PathBuf {
        data_folder(&self.repo, &self.environment).join("plan")
    }
}

/// Colours are for terminals.
fn plain() -> Option<&'static str> {
    (!std::io::stderr().is_terminal()).then_some("-no-color")
}

/// Runs with everything that it prints on stderr: stdout is for what the command itself answers.
fn run(mut command: Command) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdout(std::io::stderr()).status().with_context(|| {
        format!("{program} cannot be started\n  hint: is Terraform 1.11 or newer installed and on PATH?")
    })
}

fn done(what: &str, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("{what} ended with {status}; what it says is above") }
}
