//! `weir apply`: makes the deployed engine run the rules that are here.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use weir_arroyo::{
    Applier, Pack, Patience,
    history::{Deployment, Engine},
};
use weir_project::Repo;
use weir_terminal::interrupted;

use super::{
    confirm, embedded,
    ledger::{Ledger, now_text, who},
    place::{Place, PlaceOptions, Reached},
    plan::{Compared, compare},
    wanted::{WantedOptions, commit},
};

/// Makes the deployed engine run the rules here: what is new starts beside what runs and then replaces it
///
/// Exit codes: 0 it runs as wanted; 1 something failed, and what ran before still runs; 2 the command line is wrong.
/// Applying again goes on where an earlier run ended.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir apply --env dev\n  weir apply --env prod --yes --json\n  weir apply --env prod --after-reshard"
)]
pub struct ApplyCommand {
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
    #[command(flatten)]
    pub(crate) wanted: WantedOptions,
    #[command(flatten)]
    pub(crate) patience: PatienceOptions,
    /// Shows what would be done and does nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Prints what was planned and done as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Does not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct PatienceOptions {
    /// Seconds until a new pipeline must run and have written a checkpoint
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().start.as_secs())]
    start_timeout: u64,
    /// Seconds until a new pipeline must have read as far as the old one
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().catch_up.as_secs())]
    catch_up: u64,
}

impl PatienceOptions {
    /// Until something new runs.
    pub(crate) fn start(self) -> Duration {
        Duration::from_secs(self.start_timeout)
    }

    /// Until something new has read as far as what it replaces.
    pub(crate) fn catch_up(self) -> Duration {
        Duration::from_secs(self.catch_up)
    }
}

/// What was done.
pub(crate) struct Done {
    pub(crate) changed: bool,
    /// The deployment's number; none when nothing had to be written down.
    pub(crate) number: Option<u64>,
}

/// Applies the rules of the project here.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: ApplyCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let reached = command.place.reach(&repo).await?;
    let asked = Asked {
        how: "apply".to_owned(),
        commit: commit(&repo),
        dry_run: command.dry_run,
        json: command.json,
        yes: command.yes,
        patience: command.patience,
    };
    match reached {
        Reached::Arroyo(place) => {
            let packs = command.wanted.packs(&repo, &place.environment, &place.outputs)?;
            let chosen = command.wanted.running.choose(&place, packs, None).await?;
            asked.carry_out(&place, &compare(&place, chosen).await?).await?;
        }
        Reached::Embedded(service) => {
            let pack = command.wanted.embedded_pack(&repo, &service.environment, &service.outputs)?;
            embedded::carry_out(&asked, &service, &embedded::compare(&service, pack).await?).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How a person wants a plan carried out.
pub(crate) struct Asked {
    /// What the ledger calls it.
    pub(crate) how: String,
    pub(crate) commit: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) json: bool,
    pub(crate) yes: bool,
    pub(crate) patience: PatienceOptions,
}

impl Asked {
    /// Shows the plan, asks, does it, and says what was done.
    pub(crate) async fn carry_out(&self, place: &Place, compared: &Compared) -> Result<()> {
        if !self.json {
            print!("{}", compared.text());
        }
        let done = if self.dry_run {
            Done { changed: false, number: None }
        } else {
            if !compared.plan.is_empty() {
                confirm(&format!("Apply this to {}?", place.environment), self.yes)?;
            }
            self.apply(place, compared).await?
        };
        self.say(&place.environment, done, compared.json())
    }

    /// Says what was done, after a plan that was shown.
    pub(crate) fn say(&self, environment: &str, done: Done, mut said: serde_json::Value) -> Result<()> {
        if self.json {
            said["changed"] = done.changed.into();
            said["deployment"] = done.number.into();
            said["dry_run"] = self.dry_run.into();
            println!("{}", serde_json::to_string_pretty(&said)?);
            return Ok(());
        }
        match (self.dry_run, done.changed, done.number) {
            (true, ..) => println!("{environment}: nothing was changed (dry run)"),
            (false, false, None) => println!("{environment}: nothing to do"),
            (false, _, Some(number)) => println!("{environment}: deployment {number} runs"),
            (false, true, None) => println!("{environment}: put right"),
        }
        Ok(())
    }

    async fn apply(&self, place: &Place, compared: &Compared) -> Result<Done> {
        let wanted = &compared.chosen.wanted;
        let lock = place.ledger.lock(&place.environment).await?;
        let begun = Instant::now();
        let progress = |line: &str| eprintln!("[{:>4} s] {line}", begun.elapsed().as_secs());
        let patience = Patience {
            start: Duration::from_secs(self.patience.start_timeout),
            catch_up: Duration::from_secs(self.patience.catch_up),
            ..Patience::default()
        };
        lock.hold(async {
            let applier = Applier { client: &place.client, patience, progress: &progress };
            let changed = tokio::select! {
                changed = applier.apply(wanted) => changed?,
                stopped = interrupted() => {
                    return Err(stopped.context("applying broke off; applying again goes on from here"));
                }
            };
            let (ledger, environment) = (&place.ledger, &place.environment);
            let number = record(self, ledger, environment, Engine::Arroyo, wanted.parallelism, &wanted.packs).await?;
            Ok(Done { changed, number })
        })
        .await
    }
}

/// Writes down what runs now, unless the newest entry says it already.
pub(crate) async fn record(
    asked: &Asked,
    ledger: &Ledger,
    environment: &str,
    engine: Engine,
    parallelism: u32,
    packs: &[Pack],
) -> Result<Option<u64>> {
    let deployment = Deployment {
        number: 0,
        environment: environment.to_owned(),
        at: now_text(),
        by: who(),
        commit: asked.commit.clone(),
        how: asked.how.clone(),
        engine,
        parallelism,
        packs: packs.to_vec(),
    };
    let newest = ledger.list(environment).await?.into_iter().next();
    if newest.is_some_and(|newest| newest.packs == deployment.packs_in_short() && newest.engine == engine) {
        return Ok(None);
    }
    ledger.record(deployment).await.map(Some)
}
