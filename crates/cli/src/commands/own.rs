//! `weir self`: this command itself.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use weir_project::{Repo, Version};

/// What there is to know of this command itself
#[derive(Debug, clap::Args)]
pub(crate) struct SelfCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Says which version this is, and whether the project wants another
    ///
    /// Exit codes: 0 it is the one that the project wants, or there is no project; 1 the project's weir.toml is faulty; 3 the
    /// project wants another.
    Version {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &SelfCommand) -> Result<ExitCode> {
    let What::Version { json: as_json } = command.what;
    let own = Version::own();
    // Without a project there is nothing that could want another version; one that cannot be read does not say.
    let repo = match Repo::look() {
        Ok(repo) => repo,
        Err(error) => {
            match as_json {
                true => println!(
                    "{}",
                    json!({ "version": own.to_string(), "project": null, "wanted": null, "serves": null })
                ),
                false => println!("weir {own}"),
            }
            return Err(error);
        }
    };
    let wanted = repo.as_ref().and_then(|repo| repo.manifest().weir);
    let serves = wanted.is_none_or(|wanted| wanted.is_served_by(own));
    let project = repo.as_ref().map(Repo::name);
    if as_json {
        let wanted = wanted.map(|wanted| wanted.to_string());
        println!("{}", json!({ "version": own.to_string(), "project": project, "wanted": wanted, "serves": serves }));
    } else {
        println!("weir {own}");
        match (project, wanted) {
            (Some(project), Some(wanted)) if serves => {
                println!("project `{project}` is written for {wanted}: this serves it")
            }
            (Some(project), Some(wanted)) => {
                println!("project `{project}` wants {wanted}: install.sh {} gets it", wanted.whole())
            }
            (Some(project), None) => println!("project `{project}` names no version"),
            (None, _) => println!("there is no project here or above"),
        }
    }
    Ok(if serves { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
