//! What Terraform owns, of one environment: planned, shown, and made or ended. Each environment is a workspace of its own, or has
//! a backend of its own (`terraform/NAME.tfbackend`), so that one can never be planned over another.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use weir_project::{Distribution, Repo};

use super::{packages::Packages, protection, root, streams};

/// Terraform's exit code of a plan with changes.
const CHANGES: i32 = 2;
const STARTED: &str = "Terraform cannot be started\n  hint: is Terraform 1.11 or newer installed and on PATH?";

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

    /// What is protected from deletion, as AWS told the plan.
    pub(crate) fn protected(&self) -> Result<Vec<String>> {
        self.infrastructure.show_protected(Some(self.infrastructure.plan_file()))
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
                "{} is not there\n  hint: an environment has its sizes there and its rules' settings in {}/environments",
                variables.display(),
                repo.manifest().sql.display()
            );
        }
        Ok(infrastructure)
    }

    /// Fetches the provider and chooses the environment's workspace, or its own backend.
    pub(crate) fn init(&self) -> Result<()> {
        eprintln!("▸ terraform init");
        streams::write(&self.repo, &self.environment)?;
        root::prepare(&self.repo, &self.environment)?;
        let backend = root::backend(&self.repo, &self.environment);
        let mut init = Command::new(Distribution::find(&self.repo)?.script("terraform-init.sh"));
        init.env("WEIR_TERRAFORM_ROOT", root::folder(&self.repo, &self.environment));
        init.args(backend.iter().map(|file| format!("-backend-config={}", file.display())));
        self.environment(&mut init);
        done("terraform init", run(init)?)?;
        if backend.is_some() {
            return Ok(());
        }
        if self.environment == "prod" {
            eprintln!(
                "warning: the state of prod is a file on this machine, unless backend_override.tf says otherwise: \
                 terraform/prod.tfbackend puts it into S3 (docs/terraform.md)"
            );
        }
        let mut workspace = self.terraform();
        workspace.args(["workspace", "select", "-or-create", &self.environment]);
        done("terraform workspace", run(workspace)?)
    }

    /// What Terraform is to deploy as the Lambdas, by the variables that a plan takes.
    pub(crate) fn packages(&self) -> Result<Packages> {
        Packages::parse(&self.ask(Packages::EXPRESSION)?)
    }

    /// The value of an expression over the variables that a plan takes: one that is JSON, by `jsonencode`.
    pub(crate) fn ask(&self, expression: &str) -> Result<String> {
        let mut console = self.terraform();
        console.arg("console").args(self.variable_files()).args(self.variable_arguments());
        console.env("TF_INPUT", "0").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = console.spawn().with_context(|| STARTED)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(expression.as_bytes()).context("terraform console")?;
        }
        let output = child.wait_with_output().context("terraform console")?;
        // It complains of all that is not known before a plan, and answers all the same: after its warnings a line with the
        // value, a text in quotes.
        let line = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let answer = serde_json::from_slice(line).context("terraform console");
        answer.inspect_err(|_| eprintln!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// What is protected from deletion, as Terraform last saw it; nothing where nothing was applied.
    pub(crate) fn protected(&self) -> Result<Vec<String>> {
        self.show_protected(None)
    }

    fn show_protected(&self, plan: Option<PathBuf>) -> Result<Vec<String>> {
        let mut show = self.terraform();
        show.args(["show", "-json", "-no-color"]).args(plan).stderr(Stdio::inherit());
        let output = show.output().with_context(|| STARTED)?;
        done("terraform show", output.status)?;
        protection::protected(&output.stdout)
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
        plan.args(self.variable_files()).args(&self.arguments);
        let status = run(plan)?;
        match status.code() {
            Some(0) => Ok(None),
            Some(CHANGES) => Ok(Some(planned)),
            _ => done("terraform plan", status).map(|()| None),
        }
    }

    /// Those of the further arguments that set variables: `-var NAME=VALUE` and `-var-file=FILE`, in either spelling.
    fn variable_arguments(&self) -> Vec<&str> {
        let mut kept = vec![];
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            let name = argument.trim_start_matches('-');
            if matches!(name, "var" | "var-file") {
                kept.push(argument.as_str());
                kept.extend(arguments.next().map(String::as_str));
            } else if name.starts_with("var=") || name.starts_with("var-file=") {
                kept.push(argument.as_str());
            }
        }
        kept
    }

    fn terraform(&self) -> Command {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", root::folder(&self.repo, &self.environment).display()));
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
        self.repo.terraform().join(format!("{}.tfvars", self.environment))
    }

    /// The streams that the project declares, the environment's sizes, then what a person keeps beside them for this checkout: a value that must come with each command
    /// has no other place, and one that was forgotten (`name_prefix`) would replace everything.
    fn variable_files(&self) -> Vec<String> {
        let own = self.variables().with_extension("local.tfvars");
        let streams = streams::file(&self.repo, &self.environment);
        let files = [streams.is_file().then_some(streams), Some(self.variables()), own.is_file().then_some(own)];
        files.into_iter().flatten().map(|file| format!("-var-file={}", file.display())).collect()
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
    command.stdout(std::io::stderr()).status().with_context(|| format!("{program}: {STARTED}"))
}

fn done(what: &str, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("{what} ended with {status}; what it says is above") }
}
