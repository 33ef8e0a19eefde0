//! The Lambda packages that a deploy takes along: built for the architecture that Terraform names.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use weir_project::{Distribution, Repo, Version};

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

    /// Puts them into `dist`: built in a checkout of Weir, else those of the release. Not where the emulator gets them, or the
    /// variables name packages that were built elsewhere.
    pub(crate) fn build(&self, repo: &Repo) -> Result<()> {
        if self.emulated {
            return Ok(());
        }
        let named = [self.alerter.as_str(), &self.gate, &self.heartbeat];
        if named != BUILT {
            eprintln!("▸ packages as they are: {}", named.join(", "));
            return Ok(());
        }
        let distribution = Distribution::find(repo)?;
        let from = if distribution.is_checkout() {
            self.build_in(distribution.root())?;
            distribution.packages()
        } else {
            self.of_release(&distribution.packages())?
        };
        let dist = repo.root.join("dist");
        if from == dist {
            return Ok(());
        }
        eprintln!("▸ packages of Weir {} for {}: {}", Version::own(), self.architecture, BUILT.join(", "));
        let files = BUILT.iter().flat_map(|file| [(*file).to_owned(), marker(file)]);
        files.filter_map(|file| Path::new(&file).file_name().map(ToOwned::to_owned)).try_for_each(|file| {
            let what = || format!("{} cannot be written", dist.join(&file).display());
            copied(&from.join(&file), &dist.join(&file)).with_context(what)
        })
    }

    fn build_in(&self, checkout: &Path) -> Result<()> {
        eprintln!("▸ build the Lambda packages for {} (minutes, the first time)", self.architecture);
        let mut script = Command::new(checkout.join("scripts/package-lambda.sh"));
        script.arg(&self.architecture).current_dir(checkout).stdin(Stdio::null()).stdout(io::stderr());
        let status = script.status().context("scripts/package-lambda.sh cannot be started")?;
        if !status.success() {
            bail!(
                "the Lambda packages were not built; what was wrong is above\n  hint: --no-package takes {} as they are",
                BUILT.join(", ")
            );
        }
        Ok(())
    }

    /// The folder of a release's packages for the architecture: those for AWS, or those that this machine runs.
    fn of_release(&self, packages: &Path) -> Result<PathBuf> {
        let is_for = |folder: &PathBuf| {
            BUILT.iter().filter_map(|file| Path::new(file).file_name()).all(|file| {
                let text = fs::read_to_string(folder.join(marker(&file.to_string_lossy()))).unwrap_or_default();
                text.split_whitespace().next() == Some(self.architecture.as_str())
            })
        };
        let found = [packages.to_owned(), packages.join("local")].into_iter().find(is_for);
        found.with_context(|| {
            format!(
                "{} has no packages of the Lambdas for {}\n  hint: lambda_architecture = \"arm64\" in the environment's file below \
                 terraform; a checkout of Weir makes others: make package ARCH={}",
                packages.display(),
                self.architecture,
                self.architecture
            )
        })
    }
}

/// What a package was built for stands beside it.
fn marker(package: &str) -> String {
    format!("{package}.arch")
}

/// Copies whole or not at all, and not what is there: a plan may run beside this.
fn copied(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = to.with_added_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(part, to)
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

    #[test]
    fn a_releases_packages_are_taken_by_their_architecture_and_copied_whole() {
        let folder = tempfile::tempdir().unwrap();
        let put = |below: &str, architecture: &str| {
            for name in ["alerter", "gate", "heartbeat"] {
                let file = folder.path().join(below).join(format!("{name}.zip.arch"));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{architecture} 0123\n")).unwrap();
            }
        };
        put("", "arm64");
        put("local", "x86_64");
        let answer = r#"{"alerter":"a","architecture":"ARCH","emulated":false,"gate":"g","heartbeat":"h"}"#;
        let of = |architecture: &str| {
            Packages::parse(&answer.replace("ARCH", architecture)).unwrap().of_release(folder.path())
        };
        assert_eq!(of("arm64").unwrap(), folder.path());
        assert_eq!(of("x86_64").unwrap(), folder.path().join("local"));
        assert!(of("riscv").unwrap_err().to_string().contains("no packages of the Lambdas for riscv\n  hint: "));
        let (from, to) = (folder.path().join("gate.zip.arch"), folder.path().join("dist/gate.zip.arch"));
        for _ in 0..2 {
            copied(&from, &to).unwrap();
            assert_eq!(fs::read(&from).unwrap(), fs::read(&to).unwrap());
        }
        assert_eq!(fs::read_dir(folder.path().join("dist")).unwrap().count(), 1);
    }
}
