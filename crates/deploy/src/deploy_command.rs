//! `weir deploy`: from a checkout to a stack that works: infrastructure, rules, and one event through the whole path.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::json;
use weir_anomaly::store::{PROBE_ITEM, attr};
use weir_cloud::{
    Clients, now_millis, store,
    stream::{self, PutRecord},
};
use weir_project::Repo;
use weir_terminal::interrupted;

use super::{
    apply::{Asked, PatienceOptions},
    aws_cli::Missing,
    confirm, doctor,
    embedded::{self, Service},
    infrastructure::{Infrastructure, Purpose},
    ledger::now_text,
    outputs::StackOutputs,
    place::{Place, PlaceOptions},
    plan::compare,
    wanted::{WantedOptions, commit},
};

/// Makes or updates an environment's infrastructure and rules, and sends a probe through the whole path
///
/// Needs terraform/NAME.tfvars. Looks first at what stands in the way, as `weir doctor` does. Builds the Lambda packages for the architecture that
/// Terraform names. Exit codes: 0 the probe came through; 1 something
/// failed; 2 the command line is wrong. Deploying again goes on where an earlier run ended.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir deploy --env dev -- -var name_prefix=weir-mine")]
pub struct DeployCommand {
    #[command(flatten)]
    place: PlaceOptions,
    #[command(flatten)]
    wanted: WantedOptions,
    #[command(flatten)]
    patience: PatienceOptions,
    /// Takes the Lambda packages in dist/ as they are; Terraform still checks what they were built for
    #[arg(long)]
    no_package: bool,
    /// Does not look first at what stands in the way (`weir doctor`)
    #[arg(long)]
    skip_doctor: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    /// Further arguments of `terraform plan`
    #[arg(last = true, value_name = "ARGUMENT")]
    terraform: Vec<String>,
}

/// From a service that Terraform holds to be steady to an API that answers through a tunnel: the agent of ECS Exec is last.
const ANSWER_DEADLINE: Duration = Duration::from_secs(600);
const ANSWER_POLL: Duration = Duration::from_secs(5);
/// A probe takes seconds; a new pipeline first reads what the stream keeps.
const PROBE_DEADLINE: Duration = Duration::from_secs(300);
const PROBE_POLL: Duration = Duration::from_secs(1);

/// Deploys the project here.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: DeployCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    // Rules with faults shall say so before anything is made for them. Which engine it will be is not known yet.
    let (environment, none) = (&command.place.environment, StackOutputs::default());
    let for_arroyo = command.wanted.packs(&repo, environment, &none);
    if let Err(error) = for_arroyo
        && command.wanted.embedded_pack(&repo, environment, &none).is_err()
    {
        return Err(error);
    }
    let infrastructure = Infrastructure::new(&repo, &command.place.environment, &command.terraform)?;
    infrastructure.init()?;
    if !command.skip_doctor {
        let environment = &command.place.environment;
        doctor::before_a_deploy(&repo, environment, &infrastructure, !command.place.has_url()).await?;
    }
    if !command.no_package {
        infrastructure.packages()?.build(&repo)?;
    }
    let planned = infrastructure.plan(Purpose::Make)?;
    let changes = planned.is_some();
    if let Some(planned) = planned {
        confirm(&format!("Do this to {}?", command.place.environment), command.yes)?;
        planned.apply()?;
    }
    let outputs = StackOutputs::applied(&repo, &command.place.environment).await?;
    if let Some(service) = command.place.service(&repo, &outputs).await? {
        return rules_of_the_embedded_engine(&command, &repo, &service, changes).await;
    }
    if outputs.get("arroyo_cluster_name").is_none() && !command.place.has_url() {
        println!(
            "infrastructure is as planned; arroyo_enabled is not set, so no rules were deployed (or engine = \"embedded\")"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let place = reached(&command.place, &repo, &outputs).await?;
    let packs = command.wanted.packs(&repo, &place.environment, &place.outputs)?;
    let chosen = command.wanted.running.choose(&place, packs, None).await?;
    let compared = compare(&place, chosen).await?;
    let asked = Asked {
        how: "apply".to_owned(),
        commit: commit(&repo),
        dry_run: false,
        json: false,
        // Who said yes to the infrastructure said it to the deployment as a whole.
        yes: command.yes || changes,
        patience: command.patience,
    };
    asked.carry_out(&place, &compared).await?;
    let clients = place.clients.as_deref();
    prove(clients, &place.outputs, &place.environment).await
}

/// The rules, as `weir apply` deploys them, once the task that Terraform started has said its first word.
async fn rules_of_the_embedded_engine(
    command: &DeployCommand,
    repo: &Repo,
    service: &Service,
    changes: bool,
) -> Result<ExitCode> {
    let pack = command.wanted.embedded_pack(repo, &service.environment, &service.outputs)?;
    eprintln!("▸ wait for the engine's task");
    tokio::select! {
        there = service.wait_for_task(ANSWER_DEADLINE) => there?,
        stopped = interrupted() => return Err(stopped),
    }
    let compared = embedded::compare(service, pack).await?;
    let asked = Asked {
        how: "apply".to_owned(),
        commit: commit(repo),
        dry_run: false,
        json: false,
        yes: command.yes || changes,
        patience: command.patience,
    };
    embedded::carry_out(&asked, service, &compared).await?;
    prove(Some(&*service.clients), &service.outputs, &service.environment).await
}

/// Sends a probe through the whole path, and says where everything is.
async fn prove(clients: Option<&Clients>, outputs: &StackOutputs, environment: &str) -> Result<ExitCode> {
    let took = tokio::select! {
        took = probe(clients, outputs, environment) => took?,
        stopped = interrupted() => return Err(stopped),
    };
    println!("a probe went through events, rules, anomalies and alerter into the table in {:.1} s", took.as_secs_f64());
    print!("{}", whereabouts(outputs));
    Ok(ExitCode::SUCCESS)
}

/// Arroyo, once it answers.
async fn reached(options: &PlaceOptions, repo: &Repo, outputs: &StackOutputs) -> Result<Place> {
    let begun = Instant::now();
    loop {
        match options.connect_to(repo, outputs.clone()).await {
            Ok(place) => return Ok(place),
            // Waiting installs no program.
            Err(error) if error.is::<Missing>() => return Err(error),
            Err(error) if begun.elapsed() > ANSWER_DEADLINE => {
                return Err(error.context(format!("arroyo did not answer within {} s", ANSWER_DEADLINE.as_secs())));
            }
            Err(error) => {
                eprintln!("arroyo does not answer yet: {error:#}");
                tokio::select! {
                    () = tokio::time::sleep(ANSWER_POLL) => {}
                    stopped = interrupted() => return Err(stopped),
                }
            }
        }
    }
}

/// Puts a probe on the events stream and waits until the alerter has stored that it, or a later one, came through.
async fn probe(clients: Option<&Clients>, outputs: &StackOutputs, environment: &str) -> Result<Duration> {
    let (Some(clients), Ok(events), Ok(table)) =
        (clients, outputs.need("events_stream_name"), outputs.need("table_name"))
    else {
        bail!("the stack has no events stream");
    };
    let sent_at = now_text();
    let id = format!("deploy-{}", now_millis());
    let record = json!({ "weir": "probe", "probe_id": id, "sent_at": sent_at, "timestamp": sent_at });
    eprintln!("▸ send probe {id} through the whole path");
    let begun = Instant::now();
    stream::put(clients, events, &[PutRecord::new(record.to_string(), id.clone())]).await?;
    while begun.elapsed() < PROBE_DEADLINE {
        let last = store::get(clients, table, PROBE_ITEM).await?;
        let last = last.as_ref().and_then(|item| item.text(attr::PROBE_SENT_AT));
        // Both are RFC 3339 in UTC with milliseconds, which sort as text.
        if last.is_some_and(|last| last >= sent_at.as_str()) {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(PROBE_POLL).await;
    }
    bail!(
        "the probe did not come through within {} s\n  hint: `weir status --env {environment}` says how the pipeline is, the \
         alerter's log what it does",
        PROBE_DEADLINE.as_secs()
    )
}

fn whereabouts(outputs: &StackOutputs) -> String {
    let named = [
        ("events stream", "events_stream_name"),
        ("anomalies stream", "anomalies_stream_name"),
        ("table", "table_name"),
        ("alerts topic", "topic_arn"),
        ("quarantine queue", "quarantine_queue_url"),
        ("alerter", "alerter_function_name"),
        ("heartbeat", "heartbeat_function_name"),
        ("arroyo", "arroyo_cluster_name"),
        ("arroyo's key", "arroyo_api_key_secret"),
        ("engine", "engine_service_name"),
        ("engine's bucket", "engine_bucket"),
        ("dashboard", "dashboard_name"),
        ("region", "region"),
    ];
    let lines = named.iter().filter_map(|(what, output)| Some(format!("  {what:<17} {}\n", outputs.get(output)?)));
    lines.collect()
}
