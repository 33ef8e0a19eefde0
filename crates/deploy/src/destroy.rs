//! `weir destroy`: ends what is deployed.

use std::{process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use weir_arroyo::{Applier, Cluster, Patience};
use weir_project::Repo;
use weir_terminal::interrupted;

use super::{
    confirm, embedded,
    infrastructure::{Infrastructure, Purpose},
    outputs::StackOutputs,
    place::{PlaceOptions, Reached},
    render,
};

/// Ends an environment's rules, on Arroyo its pipelines; with --all, everything that Terraform made for it
///
/// Exit codes: 0 none is left; 1 something failed; 2 the command line is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  weir destroy --env dev\n  weir destroy --env dev --all")]
pub struct DestroyCommand {
    #[command(flatten)]
    place: PlaceOptions,
    /// Ends the streams, the table, the cluster and all else of terraform/, too
    #[arg(long)]
    all: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    /// Further arguments of `terraform plan`, the same as when it was deployed
    #[arg(last = true, value_name = "ARGUMENT", requires = "all")]
    terraform: Vec<String>,
}

/// Ends an environment's pipelines or, where that is asked for, all of it.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: DestroyCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    if command.all { infrastructure(&command, &repo).await } else { pipelines(&command, &repo).await }
}

/// Pipelines go with the cluster: nothing is left that could be stopped cleanly for.
async fn infrastructure(command: &DestroyCommand, repo: &Repo) -> Result<ExitCode> {
    let environment = &command.place.environment;
    let infrastructure = Infrastructure::new(repo, environment, &command.terraform)?;
    infrastructure.init()?;
    refuse_protected(environment, &infrastructure.protected()?)?;
    let Some(planned) = infrastructure.plan(Purpose::End)? else {
        println!("{environment}: nothing is left");
        return Ok(ExitCode::SUCCESS);
    };
    // Somebody may have protected it by hand since Terraform last looked.
    refuse_protected(environment, &planned.protected()?)?;
    eprint!("{}", lost(&StackOutputs::read(repo, environment).await?));
    confirm(&format!("Destroy all of {environment}?"), command.yes)?;
    planned.apply()?;
    println!("{environment}: nothing is left");
    Ok(ExitCode::SUCCESS)
}

/// Streams and queues know no protection: they would be gone before the table refuses.
fn refuse_protected(environment: &str, protected: &[String]) -> Result<()> {
    if protected.is_empty() {
        return Ok(());
    }
    bail!(
        "{environment} is protected from deletion, so nothing was ended: {}\n  hint: set deletion_protection = false in \
         terraform/{environment}.tfvars, `weir deploy --env {environment}`, then destroy it",
        protected.join(", ")
    )
}

/// What cannot be had again, by the names of what holds it.
fn lost(outputs: &StackOutputs) -> String {
    let mut text = "All of this ends. For good lost are:\n".to_owned();
    for (what, holder) in [
        ("events that are still on", "events_stream_name"),
        ("anomalies that are still on", "anomalies_stream_name"),
        ("every stored anomaly, alert and silence, and which deployments there were, in", "table_name"),
        ("quarantined records in", "quarantine_queue_url"),
        ("records that the alerter gave up on, in", "failures_bucket"),
        ("alerts that nobody has read, in", "inbox_queue_url"),
        ("what the windows hold and where reading had come to, in", "arroyo_state_bucket"),
        ("what the windows hold and where reading had come to, in", "engine_bucket"),
        ("Arroyo's catalogue and logs, and the key in", "arroyo_api_key_secret"),
    ] {
        if let Some(name) = outputs.get(holder) {
            text.push_str(&format!("  {what} {name}\n"));
        }
    }
    text
}

async fn pipelines(command: &DestroyCommand, repo: &Repo) -> Result<ExitCode> {
    let place = match command.place.reach(repo).await? {
        Reached::Arroyo(place) => place,
        Reached::Embedded(service) => {
            embedded::destroy(&service, command.yes).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let environment = &place.environment;
    let cluster = Cluster::observe(&place.client, environment).await?;
    if cluster.ours.is_empty() {
        println!("{environment}: no rules are deployed");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("These pipelines end, and what their windows hold is lost:");
    for deployed in &cluster.ours {
        eprintln!("  {} ({}), {}", deployed.name, deployed.pipeline.id, deployed.state().name());
    }
    eprintln!(
        "Events go on arriving and nothing looks at them; a later `weir apply` reads what the stream still keeps."
    );
    confirm(&format!("End {} of {environment}?", render::count(cluster.ours.len(), "pipeline")), command.yes)?;
    let lock = place.ledger.lock(environment).await?;
    let begun = Instant::now();
    let progress = |line: &str| eprintln!("[{:>4} s] {line}", begun.elapsed().as_secs());
    let ended = lock
        .hold(async {
            let applier = Applier { client: &place.client, patience: Patience::default(), progress: &progress };
            tokio::select! {
                ended = applier.destroy(environment) => Ok(ended?),
                stopped = interrupted() => Err(stopped.context("destroying broke off; the same command goes on from here")),
            }
        })
        .await?;
    println!("{environment}: {} ended", render::count(ended, "pipeline"));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_named_where_it_is_there() {
        let outputs = StackOutputs::parse(
            br#"{"events_stream_name":{"value":"weir-dev-events"},"anomalies_stream_name":{"value":"weir-dev-anomalies"},
                 "table_name":{"value":"weir-dev-anomalies"},"inbox_queue_url":{"value":null},
                 "arroyo_state_bucket":{"value":"weir-dev-arroyo-111122223333-eu-central-1"}}"#,
        );
        insta::assert_snapshot!(lost(&outputs.unwrap()), @r"
        All of this ends. For good lost are:
          events that are still on weir-dev-events
          anomalies that are still on weir-dev-anomalies
          every stored anomaly, alert and silence, and which deployments there were, in weir-dev-anomalies
          what the windows hold and where reading had come to, in weir-dev-arroyo-111122223333-eu-central-1
        ");
    }
}
