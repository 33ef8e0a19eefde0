//! What is wanted: the checkout's rules, compiled for a stack, at a parallelism that its stream allows.

use std::{ffi::OsStr, process::Command, time::Duration};

use anyhow::{Result, bail};
use weir_arroyo::{Pack, Wanted, api::Udf, parallelism};
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{check_udfs, joined, load_pack},
};
use weir_rules::{Environment, Target, compile_for, udf_definitions};

use super::{outputs::StackOutputs, place::Place};

/// The one pack: every rule shares one reader of the stream.
pub(crate) const PACK: &str = "rules";

/// How it is to run.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct WantedOptions {
    /// Sets a parameter of a rule, over the environment's own
    #[arg(long = "set", value_name = "RULE.PARAMETER=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    pub(crate) running: RunningOptions,
}

/// How any version of the rules is to run.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct RunningOptions {
    /// Tasks that each operator runs in; the number of open shards where each task would then own one, else 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) parallelism: Option<u32>,
    /// Time between checkpoints, seconds; the cluster's own without it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    checkpoint_interval: Option<u64>,
    /// Start everything anew, so that it finds the shards that a reshard of the events stream made
    #[arg(long)]
    after_reshard: bool,
}

/// What is wanted, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) wanted: Wanted,
    pub(crate) warnings: Vec<String>,
}

impl WantedOptions {
    /// Compiles the checkout's rules for the stack.
    pub(crate) fn packs(&self, repo: &Repo, environment: &str, outputs: &StackOutputs) -> Result<Vec<Pack>> {
        let program = self.program(repo, environment, outputs, Target::Arroyo)?;
        let udfs = udf_definitions(&repo.sql().join("udfs"), &program)?;
        let udfs = udfs.into_values().map(|definition| Udf { definition, language: "rust".to_owned() }).collect();
        Ok(vec![Pack { name: PACK.to_owned(), program, udfs }])
    }

    /// The same for the embedded engine, whose functions in Rust are those of its image.
    pub(crate) fn embedded_pack(&self, repo: &Repo, environment: &str, outputs: &StackOutputs) -> Result<Pack> {
        self.running.refuse_arroyos()?;
        check_udfs(&repo.sql())?;
        let program = self.program(repo, environment, outputs, Target::Embedded)?;
        Ok(Pack { name: PACK.to_owned(), program, udfs: Vec::new() })
    }

    fn program(&self, repo: &Repo, environment: &str, outputs: &StackOutputs, target: Target) -> Result<String> {
        let rules = load_pack(&repo.sql())?;
        let options = EnvironmentOptions { environment: Some(environment.to_owned()), set: self.set.clone() };
        let mut environment = options.load(repo, &rules)?;
        let declared: Vec<&str> = rules.streams.iter().map(|stream| stream.declaration.name.as_str()).collect();
        of_stack(&mut environment, &declared, outputs, target);
        Ok(compile_for(&rules, &environment, target).map_err(joined)?.sql)
    }
}

impl RunningOptions {
    /// Refuses what only Arroyo knows, on a stack of the embedded engine.
    pub(crate) fn refuse_arroyos(&self) -> Result<()> {
        let given = [
            (self.parallelism.is_some(), "--parallelism", "it uses all of its task's cores: engine_cpu in Terraform"),
            (
                self.checkpoint_interval.is_some(),
                "--checkpoint-interval",
                "engine_checkpoint_interval_seconds in Terraform says it",
            ),
            (self.after_reshard, "--after-reshard", "it follows reshards by itself"),
        ];
        match given.iter().find(|(given, ..)| *given) {
            Some((_, option, hint)) => bail!("the embedded engine has no {option}\n  hint: {hint}"),
            None => Ok(()),
        }
    }

    /// Packs, at a parallelism that the place's stream allows.
    pub(crate) async fn choose(&self, place: &Place, packs: Vec<Pack>, usual: Option<u32>) -> Result<Chosen> {
        let shards = place.open_shards().await?;
        let asked = self.parallelism.or(usual);
        let (parallelism, warnings) = choose(shards.as_deref(), asked)?;
        let wanted = Wanted {
            environment: place.environment.clone(),
            packs,
            parallelism,
            checkpoint_interval: self.checkpoint_interval.map(Duration::from_secs),
            after_reshard: self.after_reshard,
            events_stream: place.outputs.get("events_stream_name").map(str::to_owned),
        };
        Ok(Chosen { wanted, warnings })
    }
}

/// A safe parallelism, and what is to be said about it.
fn choose(shards: Option<&[String]>, asked: Option<u32>) -> Result<(u32, Vec<String>)> {
    let Some(shards) = shards else {
        let unknown =
            || "without a stack's outputs the stream's shards are not known: whether each task owns one is not checked";
        let warnings = asked.filter(|asked| *asked > 1).map(|_| unknown().to_owned());
        return Ok((asked.unwrap_or(1), warnings.into_iter().collect()));
    };
    let open = u32::try_from(shards.len()).unwrap_or(u32::MAX);
    let even = open > 0 && parallelism::most_shards_of_a_task(shards, open) == 1;
    let usual = if even { open } else { 1 };
    let Some(choice) = parallelism::choose(shards, asked.unwrap_or(usual)) else {
        bail!("the events stream has no open shard\n  hint: is it still being made?");
    };
    let mut warnings = Vec::new();
    if choice.safe < choice.asked {
        let idle = choice.idle.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        warnings.push(format!(
            "parallelism {} in place of {}: of the stream's {open} open shards none would fall to task {idle}, and Arroyo ends a \
             pipeline with such a task",
            choice.safe, choice.asked
        ));
    }
    let most = parallelism::most_shards_of_a_task(shards, choice.safe);
    if most > 1 {
        let instead =
            if even { format!("; --parallelism {open} gives each shard a task of its own") } else { String::new() };
        warnings.push(format!(
            "one task reads {most} of the {open} open shards and keeps one watermark for them all: after an outage, events of a \
             shard that is read later than another may come too late for their windows{instead}"
        ));
    }
    Ok((choice.safe, warnings))
}

/// The streams that Terraform made, in place of the environment's own.
fn of_stack(environment: &mut Environment, declared: &[&str], outputs: &StackOutputs, target: Target) {
    if let Some(name) = outputs.get("events_stream_name") {
        environment.streams.events = name.to_owned();
    }
    if let Some(name) = outputs.get("anomalies_stream_name") {
        environment.streams.anomalies = name.to_owned();
    }
    if environment.aws_region.is_none() {
        environment.aws_region = outputs.get("region").map(str::to_owned);
    }
    // A stream whose file is gone is Terraform's until the next apply.
    for (name, stream) in outputs.streams().iter().filter(|(name, _)| declared.contains(&name.as_str())) {
        let settings = environment.streams.declared.entry(name.clone()).or_default();
        match (&stream.plain_stream_name, target) {
            // The gate reads the stream, and Arroyo what the gate writes.
            (Some(plain), Target::Arroyo) => settings.plain = Some(plain.clone()),
            (None, Target::Arroyo) => settings.stream = Some(stream.stream_name.clone()),
            // It reads every stream itself, one of another account or region by its ARN.
            (_, Target::Embedded) if is_foreign(&stream.arn, outputs) => settings.stream = Some(stream.arn.clone()),
            (_, Target::Embedded) => settings.stream = Some(stream.stream_name.clone()),
        }
    }
}

/// Whether a stream lies in another account or region than the stack's own.
fn is_foreign(arn: &str, outputs: &StackOutputs) -> bool {
    // arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
    let place = |arn: &str| arn.split(':').skip(3).take(2).map(str::to_owned).collect::<Vec<_>>();
    outputs.get("events_stream_arn").is_some_and(|own| place(own) != place(arn))
}

/// The Git commit of the checkout, with `+` where files differ from it; none outside of Git.
pub(crate) fn commit(repo: &Repo) -> Option<String> {
    let git = |arguments: &[&OsStr]| {
        let output = Command::new("git").arg("-C").arg(&repo.root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"].map(OsStr::new))?;
    let sql = repo.manifest().sql.as_os_str();
    let [status, porcelain, files] = ["status", "--porcelain", "--"].map(OsStr::new);
    let changed = git(&[status, porcelain, files, sql]).is_none_or(|changes| !changes.is_empty());
    Some(if changed { format!("{commit}+") } else { commit })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_commit_is_marked_where_the_projects_own_folder_of_rules_differs() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.email=a@b", "-c", "user.name=a"];
            let status = Command::new("git").current_dir(&folder).args(identity).args(arguments).status();
            assert!(status.unwrap().success());
        };
        fs::create_dir_all(folder.path().join("detection/rules")).unwrap();
        fs::write(folder.path().join("weir.toml"), "[paths]\nsql = \"detection\"\n").unwrap();
        fs::write(folder.path().join("detection/rules/a.sql"), "one").unwrap();
        for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "rules"]] {
            git(arguments);
        }
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        assert!(!commit(&repo).unwrap().ends_with('+'));
        fs::write(folder.path().join("notes.md"), "no rule").unwrap();
        assert!(!commit(&repo).unwrap().ends_with('+'));
        fs::write(folder.path().join("detection/rules/a.sql"), "two").unwrap();
        assert!(commit(&repo).unwrap().ends_with('+'));
    }

    fn shards(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("shardId-{n:012}")).collect()
    }

    #[test]
    fn a_declared_stream_is_read_where_terraform_has_it() {
        let json = br#"{"streams":{"value":{
            "climate":{"arn":"a","stream_name":"iot","plain_stream_name":null,"gate_function":null,"gate_dlq_url":null},
            "gone":{"arn":"a","stream_name":"old","plain_stream_name":null,"gate_function":null,"gate_dlq_url":null},
            "flows":{"arn":"a","stream_name":"logs","plain_stream_name":"weir-dev-flows-plain","gate_function":"g","gate_dlq_url":"u"}}}}"#;
        let mut environment = Environment::default();
        of_stack(&mut environment, &["climate", "flows"], &StackOutputs::parse(json).unwrap(), Target::Arroyo);
        let declared = &environment.streams.declared;
        assert_eq!(declared.keys().map(String::as_str).collect::<Vec<_>>(), ["climate", "flows"]);
        assert_eq!((declared["climate"].stream.as_deref(), declared["climate"].plain.as_deref()), (Some("iot"), None));
        assert_eq!(declared["flows"].plain.as_deref(), Some("weir-dev-flows-plain"));
    }

    #[test]
    fn the_embedded_engine_reads_each_stream_itself_and_foreign_ones_by_their_arn() {
        let json = br#"{"events_stream_arn":{"value":"arn:aws:kinesis:eu-central-1:1:stream/events"},"streams":{"value":{
            "climate":{"arn":"arn:aws:kinesis:eu-central-1:1:stream/iot","stream_name":"iot"},
            "flows":{"arn":"arn:aws:kinesis:eu-central-1:1:stream/logs","stream_name":"logs","plain_stream_name":"weir-flows-plain"},
            "theirs":{"arn":"arn:aws:kinesis:eu-central-1:2:stream/logs","stream_name":"logs"},
            "far":{"arn":"arn:aws:kinesis:us-east-1:1:stream/logs","stream_name":"logs"}}}}"#;
        let mut environment = Environment::default();
        let outputs = StackOutputs::parse(json).unwrap();
        of_stack(&mut environment, &["climate", "flows", "theirs", "far"], &outputs, Target::Embedded);
        let read = |name: &str| environment.streams.declared[name].stream.as_deref().unwrap();
        assert_eq!((read("climate"), read("flows")), ("iot", "logs"));
        assert_eq!(read("theirs"), "arn:aws:kinesis:eu-central-1:2:stream/logs");
        assert_eq!(read("far"), "arn:aws:kinesis:us-east-1:1:stream/logs");
        assert!(environment.streams.declared.values().all(|stream| stream.plain.is_none()));
    }

    #[test]
    fn each_shard_gets_a_task_of_its_own_where_the_shards_allow_it() {
        assert_eq!(choose(Some(&shards(1)), None).unwrap(), (1, vec![]));
        let apart: Vec<String> = (0..100)
            .map(|n| vec![format!("shardId-{n:012}"), format!("shardId-{:012}", n + 1)])
            .find(|pair| parallelism::most_shards_of_a_task(pair, 2) == 1)
            .unwrap();
        assert_eq!(choose(Some(&apart), None).unwrap(), (2, vec![]));
        let (one, warnings) = choose(Some(&apart), Some(1)).unwrap();
        assert!(
            one == 1 && warnings[0].ends_with("--parallelism 2 gives each shard a task of its own"),
            "{warnings:?}"
        );
    }

    #[test]
    fn one_task_reads_all_shards_where_they_do_not_and_says_what_that_means() {
        let (one, warnings) = choose(Some(&shards(2)), None).unwrap();
        assert_eq!(one, 1);
        assert!(warnings[0].starts_with("one task reads 2 of the 2 open shards"), "{warnings:?}");
    }

    #[test]
    fn a_parallelism_that_leaves_a_task_without_a_shard_is_lowered() {
        let (parallelism, warnings) = choose(Some(&shards(4)), Some(4)).unwrap();
        assert_eq!(parallelism, 2);
        assert_eq!(
            warnings[0],
            "parallelism 2 in place of 4: of the stream's 4 open shards none would fall to task 1, and Arroyo ends a pipeline \
             with such a task"
        );
        assert!(choose(Some(&[]), None).unwrap_err().to_string().starts_with("the events stream has no open shard"));
        assert_eq!(choose(None, Some(4)).unwrap().0, 4, "what cannot be checked is done as it is asked for");
    }
}
