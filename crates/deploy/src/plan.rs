//! `weir plan`: what `weir apply` would do.

use std::process::ExitCode;

use anyhow::{Result, bail};
use weir_arroyo::{Action, Cluster, Plan};
use weir_project::Repo;

use super::{
    CHANGES, embedded,
    place::{Place, PlaceOptions, Reached},
    render,
    wanted::{Chosen, WantedOptions},
};

/// Compares the rules here with what is deployed
///
/// Exit codes: 0 it was compared; 1 something failed, or the engine refuses the rules; 2 the command line is wrong; with
/// --exit-code, 3 when there is something to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir plan --env dev --exit-code || echo there is something to apply")]
pub struct PlanCommand {
    #[command(flatten)]
    place: PlaceOptions,
    #[command(flatten)]
    wanted: WantedOptions,
    /// Prints the plan as JSON
    #[arg(long)]
    json: bool,
    /// Ends with 3 when there is something to do
    #[arg(long)]
    exit_code: bool,
}

/// A plan, with what it was made for.
pub(crate) struct Compared {
    pub(crate) chosen: Chosen,
    pub(crate) plan: Plan,
}

/// Compares the rules of the project here with what runs.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: PlanCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let place = match command.place.reach(&repo).await? {
        Reached::Arroyo(place) => place,
        Reached::Embedded(service) => {
            let pack = command.wanted.embedded_pack(&repo, &service.environment, &service.outputs)?;
            let compared = embedded::compare(&service, pack).await?;
            if command.json {
                println!("{}", serde_json::to_string_pretty(&compared.json())?);
            } else {
                print!("{}", compared.text());
            }
            let nothing = !command.exit_code || compared.plan.is_empty();
            return Ok(if nothing { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) });
        }
    };
    let packs = command.wanted.packs(&repo, &place.environment, &place.outputs)?;
    let chosen = command.wanted.running.choose(&place, packs, None).await?;
    let compared = compare(&place, chosen).await?;
    compared.print(command.json)?;
    let nothing = !command.exit_code || compared.plan.is_empty();
    Ok(if nothing { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

/// Compares with what runs, and asks Arroyo whether it takes what is new.
pub(crate) async fn compare(place: &Place, chosen: Chosen) -> Result<Compared> {
    let cluster = Cluster::observe(&place.client, &place.environment).await?;
    let plan = weir_arroyo::plan(&chosen.wanted, &cluster);
    let starts = |action| matches!(action, Action::New | Action::Changed | Action::Recreated);
    for (pack, planned) in chosen.wanted.packs.iter().zip(&plan.packs).filter(|(_, planned)| starts(planned.action)) {
        let refused = place.client.validate(&pack.program, &pack.udfs).await?;
        if !refused.is_empty() {
            let said: Vec<String> = refused
                .into_iter()
                .map(|one| match one.place {
                    Some((line, column)) => format!("line {line}, column {column} of the program: {}", one.message),
                    None => one.message,
                })
                .collect();
            bail!(
                "arroyo refuses pack {}: {}\n  hint: nothing was changed; `weir compile --env {}` prints the program",
                planned.pack,
                said.join("; "),
                place.environment
            );
        }
    }
    Ok(Compared { chosen, plan })
}

impl Compared {
    /// As JSON, the same for a script that plans and for one that applies.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "plan": self.plan,
            "parallelism": self.chosen.wanted.parallelism,
            "warnings": self.chosen.warnings,
            "nothing_to_do": self.plan.is_empty(),
        })
    }

    fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(&self.json())?);
        } else {
            print!("{}", self.text());
        }
        Ok(())
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut text = render::plan(&self.plan, Some(self.chosen.wanted.parallelism));
        for warning in &self.chosen.warnings {
            text.push_str(&format!("warning: {warning}\n"));
        }
        text
    }
}
