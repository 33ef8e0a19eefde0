//! `weir doctor`: what a deploy needs, and what stands in its way. It only reads.

use std::{fmt, fs, process::ExitCode};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use weir_project::Repo;

use super::{
    UNWELL,
    aws_cli::{self, call},
    infrastructure::Infrastructure,
    outputs::StackOutputs,
    root,
};

/// Looks at what a deploy to an environment needs and says what stands in its way, each with what to do
///
/// It changes nothing and asks AWS only for what the AWS CLI may read. Exit codes: 0 nothing stands in the way; 1 it could not look;
/// 3 something does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir doctor --env dev")]
pub struct DoctorCommand {
    /// The environment: terraform/NAME.tfvars and sql/environments/NAME.toml
    #[arg(long = "env", env = "WEIR_ENV", default_value = "dev", value_name = "NAME")]
    environment: String,
    /// Further arguments of `terraform plan`, the same as for a deploy
    #[arg(last = true, value_name = "ARGUMENT")]
    terraform: Vec<String>,
}

/// CPU units of ECS in one vCPU.
const UNITS_PER_CPU: f64 = 1024.0;
/// Lambda, "Concurrent executions", and what of it must stay unreserved in any account (terraform/quotas.tf).
const LAMBDA_CONCURRENCY: (&str, &str) = ("lambda", "L-B99A9384");
const LEAST_UNRESERVED: f64 = 10.0;
/// Fargate, "On-Demand vCPU resource count".
const FARGATE_CPUS: (&str, &str) = ("fargate", "L-3032A538");

/// What Terraform's variables say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Wanted {
    region: String,
    emulated: bool,
    architecture: String,
    packages: Vec<String>,
    protected: bool,
    reserved: f64,
    arroyo: bool,
    embedded: bool,
    load_balancer: bool,
    image: String,
    cpu_units: f64,
}

impl Wanted {
    /// What `terraform console` is asked. Nodes count twice: ECS starts the new ones before it stops the old.
    const EXPRESSION: &str = "jsonencode({region = var.region, emulated = var.endpoint_url != null, architecture = \
         var.lambda_architecture, packages = concat([var.alerter_zip, var.heartbeat_zip], anytrue([for s in values(local.streams) : s.gated]) ? [var.gate_zip] : []), protected = var.deletion_protection, reserved = \
         max(var.alerter_reserved_concurrency, 0) + max(var.heartbeat_reserved_concurrency, 0), arroyo = local.arroyo, \
         embedded = local.embedded, load_balancer = var.arroyo_load_balancer != null, image = local.embedded ? \
         coalesce(var.engine_image, \"none\") : local.arroyo_image, cpu_units = local.embedded ? var.engine_cpu : \
         var.arroyo_control_cpu + 2 * var.arroyo_worker_count * var.arroyo_worker_cpu})\n";
}

/// So far apart is nothing to speak of.
const WELL_APART_MS: i64 = 10_000;
/// AWS refuses what is signed five minutes off (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>);
/// a minute is left for a clock that drifts on. Below that it works, and alone windows of a probe are counted wrong.
const WRONG_APART_MS: i64 = 240_000;
/// AWS tells whole seconds: its time is up to so much later.
const TOLD_TO_MS: i64 = 999;

/// One thing, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    what: &'static str,
    seen: Seen,
}

impl Finding {
    fn is_wrong(&self) -> bool {
        matches!(self.seen, Seen::Wrong(..))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match &self.seen {
            Seen::Well(how) => write!(f, "well   {what}: {how}"),
            Seen::Note(how) => write!(f, "note   {what}: {how}"),
            Seen::Wrong(how, hint) => write!(f, "wrong  {what}: {how}\n  hint: {hint}"),
        }
    }
}

/// What was seen of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Well(String),
    /// It may be well: nobody could look, or it matters later.
    Note(String),
    /// It stands in the way; then what to do.
    Wrong(String, String),
}

/// Looks at what a deploy needs.
///
/// # Errors
/// When a step fails; what was done before it stays.
pub async fn run(command: DoctorCommand) -> Result<ExitCode> {
    let repo = Repo::find()?;
    let infrastructure = Infrastructure::new(&repo, &command.environment, &command.terraform)?;
    infrastructure.init()?;
    let found = look(&repo, &command.environment, &infrastructure, true).await?;
    found.iter().for_each(|finding| println!("{finding}"));
    let wrong = found.iter().filter(|finding| finding.is_wrong()).count();
    if wrong > 0 {
        println!("{}: {wrong} of these stand in the way of a deploy", command.environment);
        return Ok(ExitCode::from(UNWELL));
    }
    println!("{}: nothing stands in the way of a deploy", command.environment);
    Ok(ExitCode::SUCCESS)
}

/// What a deploy looks at before it plans anything. What stands in its way ends it.
///
/// # Errors
/// When something does, or nobody could look.
pub(crate) async fn before_a_deploy(
    repo: &Repo,
    environment: &str,
    infrastructure: &Infrastructure,
    tunnel: bool,
) -> Result<()> {
    eprintln!("▸ doctor: what stands in the way");
    let found = look(repo, environment, infrastructure, tunnel).await?;
    let (wrong, fine): (Vec<_>, Vec<_>) = found.into_iter().partition(Finding::is_wrong);
    fine.iter().filter(|finding| matches!(finding.seen, Seen::Note(_))).for_each(|finding| eprintln!("{finding}"));
    if wrong.is_empty() {
        return Ok(());
    }
    let said = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    bail!("{} of these stand in the way of a deploy\n{said}\n  hint: --skip-doctor goes on all the same", wrong.len())
}

/// Looks at everything. `tunnel`: Arroyo is reached through one.
async fn look(repo: &Repo, environment: &str, infrastructure: &Infrastructure, tunnel: bool) -> Result<Vec<Finding>> {
    let wanted: Wanted = serde_json::from_str(&infrastructure.ask(Wanted::EXPRESSION)?).context("terraform console")?;
    let mut found = vec![
        ("programs", programs(&wanted, tunnel)),
        ("state", state(repo, environment, &wanted)),
        ("packages", packages(repo, &wanted)),
    ];
    if wanted.emulated {
        found.push(("account", Seen::Note("an emulator has no account to look at".to_owned())));
    } else {
        found.extend(account(&wanted).await?);
    }
    Ok(found.into_iter().map(|(what, seen)| Finding { what, seen }).collect())
}

fn programs(wanted: &Wanted, tunnel: bool) -> Seen {
    let missing = aws_cli::missing().into_iter().find(|missing| tunnel || missing.program == "aws");
    match missing {
        None if !tunnel => Seen::Well("the AWS CLI is there; no tunnel is needed".to_owned()),
        None => Seen::Well("the AWS CLI and its Session Manager plugin are there".to_owned()),
        Some(missing) if wanted.emulated => {
            Seen::Note(format!("`{}` is missing; the emulator needs none", missing.program))
        }
        Some(missing) if wanted.arroyo || missing.program == "aws" => {
            Seen::Wrong(format!("`{}` is missing", missing.program), missing.hint.to_owned())
        }
        Some(missing) => Seen::Note(format!("`{}` is missing; nothing needs it without Arroyo", missing.program)),
    }
}

fn state(repo: &Repo, environment: &str, wanted: &Wanted) -> Seen {
    match root::backend(repo, environment) {
        Some(_) => Seen::Well(format!("in S3, by terraform/{environment}.tfbackend")),
        None if repo.root.join("terraform/backend_override.tf").is_file() => {
            Seen::Well("where terraform/backend_override.tf says".to_owned())
        }
        None if wanted.emulated => Seen::Note("a file on this machine, as the emulator is".to_owned()),
        None if wanted.protected || environment == "prod" => Seen::Wrong(
            "a file on this machine".to_owned(),
            format!(
                "write terraform/{environment}.tfbackend (docs/terraform.md, State), or lose the stack with this machine"
            ),
        ),
        None => Seen::Note("a file on this machine: terraform/NAME.tfbackend puts it into S3".to_owned()),
    }
}

/// Those of another machine are refused by the plan; those that are not there are built by the deploy.
fn packages(repo: &Repo, wanted: &Wanted) -> Seen {
    let architecture = &wanted.architecture;
    for package in wanted.packages.iter().filter(|_| !wanted.emulated) {
        let marker = fs::read_to_string(repo.root.join(format!("{package}.arch"))).unwrap_or_default();
        match marker.split_whitespace().next() {
            Some(built) if built != architecture => {
                return Seen::Note(format!("{package} is for {built}; the deploy builds it for {architecture}"));
            }
            Some(_) => {}
            None => return Seen::Note(format!("{package} is not built; the deploy builds it for {architecture}")),
        }
    }
    Seen::Well(format!("for {architecture}"))
}

/// What only AWS knows.
async fn account(wanted: &Wanted) -> Result<Vec<(&'static str, Seen)>> {
    let region = serde_json::json!({"region": {"value": wanted.region}}).to_string();
    let place = StackOutputs::parse(region.as_bytes())?;
    // First: a clock that is wrong is one reason for which credentials are refused.
    let mut found = vec![("clock", clock(&place).await)];
    let who = match call(&place, &["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]).await {
        Ok(who) => who,
        Err(error) => {
            let hint = "aws configure, aws sso login, or AWS_PROFILE";
            found.push(("credentials", Seen::Wrong(format!("{error:#}"), hint.to_owned())));
            return Ok(found);
        }
    };
    found.push(("credentials", Seen::Well(format!("{who}, in {}", wanted.region))));
    if wanted.reserved > 0.0 {
        let needed = wanted.reserved + LEAST_UNRESERVED;
        found.push(("Lambda's concurrent executions", quota(&place, LAMBDA_CONCURRENCY, needed).await));
    }
    if !wanted.arroyo && !wanted.embedded {
        return Ok(found);
    }
    found.push(("Fargate's vCPUs", quota(&place, FARGATE_CPUS, wanted.cpu_units / UNITS_PER_CPU).await));
    let services =
        [("ecs", true), ("rds", wanted.arroyo), ("elasticloadbalancing", wanted.arroyo && wanted.load_balancer)];
    for (service, _) in services.iter().filter(|(_, needed)| *needed) {
        found.push(("service-linked role", service_linked_role(&place, service).await));
    }
    found.push(("image", image(&place, &wanted.image).await));
    Ok(found)
}

/// The time of this machine beside AWS's: AWS refuses what is signed more than five minutes off, and every window of a probe is
/// counted from here.
async fn clock(place: &StackOutputs) -> Seen {
    let before = weir_cloud::now_millis();
    let theirs = aws_cli::server_time(place).await;
    let after = weir_cloud::now_millis();
    match theirs {
        Ok(Some(theirs)) => judge_clock(before, theirs.millis(), after),
        Ok(None) => Seen::Note("AWS told no time".to_owned()),
        Err(error) => Seen::Note(format!("{error:#}")),
    }
}

/// What is wrong with a clock by which a call went from `before` to `after`, and was answered at `theirs`, all in milliseconds.
/// AWS answered between the two: how long the call took, the command's start among it, is no fault of the clock's.
fn judge_clock(before: i64, theirs: i64, after: i64) -> Seen {
    let ahead = before.saturating_sub(theirs.saturating_add(TOLD_TO_MS)).max(0);
    let behind = theirs.saturating_sub(after).max(0);
    let apart = ahead.max(behind);
    if apart <= WELL_APART_MS {
        return Seen::Well("that of AWS".to_owned());
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let how = format!("{} s {direction} AWS's", apart / 1000);
    let hint = "set it by NTP (timedatectl set-ntp true)";
    if apart < WRONG_APART_MS {
        return Seen::Note(format!("{how}; {hint} before it is five minutes, when AWS refuses what is signed"));
    }
    Seen::Wrong(how, format!("{hint}: AWS refuses requests that are five minutes off"))
}

async fn quota(place: &StackOutputs, (service, code): (&str, &str), needed: f64) -> Seen {
    let arguments = ["service-quotas", "get-service-quota", "--service-code", service, "--quota-code", code];
    let asked = call(place, &[&arguments[..], &["--query", "Quota.Value", "--output", "text"]].concat()).await;
    match asked.map(|text| text.parse::<f64>()) {
        Ok(Ok(value)) if value >= needed => Seen::Well(format!("{value} allowed, {needed} needed")),
        Ok(Ok(value)) => Seen::Wrong(
            format!("{value} allowed, {needed} needed"),
            format!(
                "ask AWS for more: aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} --desired-value …"
            ),
        ),
        Ok(Err(_)) => Seen::Note("AWS gives no number".to_owned()),
        Err(error) => Seen::Note(format!("{error:#}")),
    }
}

async fn service_linked_role(place: &StackOutputs, service: &str) -> Seen {
    let path = format!("/aws-service-role/{service}.amazonaws.com/");
    let arguments = ["iam", "list-roles", "--path-prefix", &path, "--query", "length(Roles)", "--output", "text"];
    match call(place, &arguments).await {
        Ok(count) if count == "0" => Seen::Wrong(
            format!("the account has none of {service}, and its first use may fail"),
            format!("aws iam create-service-linked-role --aws-service-name {service}.amazonaws.com"),
        ),
        Ok(_) => Seen::Well(service.to_owned()),
        Err(error) => Seen::Note(format!("{service}: {error:#}")),
    }
}

async fn image(place: &StackOutputs, image: &str) -> Seen {
    let Some((registry, repository, tag)) = in_ecr(image) else {
        return Seen::Note(format!("{image} is fetched at each start of a task, and not looked for here"));
    };
    let tag = format!("imageTag={tag}");
    let whose = ["--registry-id", registry, "--repository-name", repository, "--image-ids", &tag];
    match call(place, &[&["ecr", "describe-images"][..], &whose].concat()).await {
        Ok(_) => Seen::Well(image.to_owned()),
        Err(error) => Seen::Wrong(
            format!("{error:#}"),
            format!(
                "push the image to {image} (docs/terraform.md, A new account; docs/deploy.md for the embedded engine's)"
            ),
        ),
    }
}

/// Registry, repository and tag of `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG`.
fn in_ecr(image: &str) -> Option<(&str, &str, &str)> {
    let (host, path) = image.split_once('/')?;
    let (registry, _) = host.split_once(".dkr.ecr.")?;
    let (repository, tag) = path.rsplit_once(':')?;
    Some((registry, repository, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_when_the_call_was_made() {
        let (well, note) = (|seen| matches!(seen, Seen::Well(_)), |seen| matches!(seen, Seen::Note(_)));
        let wrong = |seen| matches!(seen, Seen::Wrong(..));
        let (now, took) = (1_800_000_000_000, 30_000);
        // A call of half a minute, answered at its begin, in its midst, at its end.
        assert!([0, 15_000, took].into_iter().all(|at| well(judge_clock(now, now + at, now + took))));
        assert!(
            well(judge_clock(now + 10_999, now, now + 11_000)) && note(judge_clock(now + 11_000, now, now + 11_000))
        );
        assert!(well(judge_clock(now, now + 10_000, now)) && note(judge_clock(now, now + 10_001, now)));
        assert!(note(judge_clock(now, now + 239_999, now)) && wrong(judge_clock(now, now + 240_000, now)));
        assert!(
            note(judge_clock(now + 240_998, now, now + 241_000))
                && wrong(judge_clock(now + 240_999, now, now + 241_000))
        );
        let Seen::Wrong(how, _) = judge_clock(now, now + 300_000, now + 1) else { panic!("five minutes are no note") };
        assert_eq!(how, "299 s behind AWS's");
        assert!(wrong(judge_clock(i64::MIN, i64::MAX, i64::MIN)) && wrong(judge_clock(i64::MAX, i64::MIN, i64::MAX)));
    }

    #[test]
    fn an_image_in_ecr_is_taken_apart() {
        let image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/arroyo:0.15.0";
        assert_eq!(in_ecr(image), Some(("111122223333", "team/arroyo", "0.15.0")));
        assert_eq!(in_ecr("ghcr.io/arroyosystems/arroyo:0.15.0"), None);
    }
}
