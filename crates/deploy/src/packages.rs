//! The Lambda packages that a deploy takes along: built for the architecture that Terraform names.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use weir_project::Repo;

/// Where `scripts/package-lambda.sh` leaves what it built for AWS; the default of `alerter_zip`, `gate_zip` and `heartbeat_zip`.
const BUILT: [&str; 3] = ["dist/alerter.zip", "dist/gate.zip", "dist/heartbeat.zip"];

/// What Terraform's variables say of the packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Packages {
    architecture: String,
    alerter: String,
    gate: String,
    heartbeat: String,
    emulated: bool,
}

impl Packages {
    /// What `terraform console` is asked.
    pub(super) const EXPRESSION: &str = "jsonencode({architecture = var.lambda_architecture, alerter = var.alerter_zip, \
         gate = var.gate_zip, heartbeat = var.heartbeat_zip, emulated = var.endpoint_url != null})\n";

    pub(super) fn parse(answer: &str) -> Result<Self> {
        serde_json::from_str(answer).context("terraform console")
    }

    /// Builds them, unless the emulator gets them or the variables name packages that were built elsewhere.
    pub(crate) fn build(&self, repo: &Repo) -> Result<()> {
        if self.emulated {
            return Ok(());
        }
        let named = [self.alerter.as_str(), &self.gate, &self.heartbeat];
        if named != BUILT {
            eprintln!("▸ packages as they are: {}", named.join(", "));
            return Ok(());
        }
        eprintln!("▸ build the Lambda packages for {} (minutes, the first time)", self.architecture);
        let mut script = Command::new(repo.root.join("scripts/package-lambda.sh"));
        script.arg(&self.architecture).current_dir(&repo.root).stdin(Stdio::null()).stdout(std::io::stderr());
        let status = script.status().context("scripts/package-lambda.sh cannot be started")?;
        if !status.success() {
            bail!(
                "the Lambda packages were not built; what was wrong is above\n  hint: --no-package takes {} as they are",
                BUILT.join(", ")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_console_answers_is_read() {
        let answer = r#"{"alerter":"dist/alerter.zip","architecture":"arm64","emulated":false,"gate":"g.zip","heartbeat":"a.zip"}"#;
        let packages = Packages::parse(answer).unwrap();
        assert_eq!((packages.architecture.as_str(), packages.heartbeat.as_str()), ("arm64", "a.zip"));
        assert!(Packages::parse("(known after apply)").is_err());
    }
}
