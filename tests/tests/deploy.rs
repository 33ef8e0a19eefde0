//! `weir deploy` and `weir destroy --all` as a person runs them: from a checkout to a stack that a probe went through, and to
//! nothing. AWS is the emulator, Arroyo the stand-in, whose pipelines the embedded engine runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use weir_arroyo_stand_in::{Options, StandIn};
use weir_tests::{Checkout, Emulator, weir};

const KEY: &str = "kdeploy";
/// The line that protects an environment.
const PROTECTED: &str = "deletion_protection = true\n";
const POLL: Duration = Duration::from_millis(50);
/// From an event's put to its anomaly in the table takes a second.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs what the stand-in says is running: a process of the embedded engine for each pipeline.
struct Engines {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engines {
    fn start(arroyo: &Arc<StandIn>, environment: Vec<(&'static str, String)>, folder: PathBuf) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (arroyo, told) = (Arc::clone(arroyo), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut running: BTreeMap<String, Child> = BTreeMap::new();
            while !told.load(Ordering::Relaxed) {
                let wanted = arroyo.entries();
                let wanted = |id: &str| wanted.iter().find(|entry| entry.id == id && entry.runs());
                let ended: Vec<String> = running.keys().filter(|id| wanted(id).is_none()).cloned().collect();
                ended.iter().filter_map(|id| running.remove(id)).for_each(end);
                for entry in arroyo.entries().iter().filter(|entry| entry.runs()) {
                    running
                        .entry(entry.id.clone())
                        .or_insert_with(|| engine(&folder, &entry.id, &entry.query, &environment));
                }
                std::thread::sleep(POLL);
            }
            running.into_values().for_each(end);
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn engine(folder: &Path, id: &str, query: &str, environment: &[(&'static str, String)]) -> Child {
    let program = folder.join(format!("{id}.sql"));
    fs::write(&program, query).unwrap();
    let log = fs::File::create(folder.join(format!("{id}.log"))).unwrap();
    let state = folder.join(id);
    weir(&["run", program.to_str().unwrap(), "--state-dir", state.to_str().unwrap()])
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

#[test]
fn an_environment_is_made_probed_made_again_and_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = Options { key: Some(KEY.to_owned()), ..Options::default() };
    let arroyo = Arc::new(runtime.block_on(StandIn::start(options)));
    let checkout = Checkout::new(PROTECTED).unwrap();
    let files = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(&files.path().join("emulator")).unwrap();
    let _engines = Engines::start(&arroyo, emulator.environment().into(), files.path().to_owned());

    let command = |arguments: &[&str]| -> Command {
        let mut command = weir(arguments);
        command
            .current_dir(checkout.path())
            .envs(emulator.environment())
            .env("WEIR_ENV", "e2e")
            .env("WEIR_ARROYO_URL", arroyo.url())
            .env("WEIR_ARROYO_KEY", KEY)
            .env("WEIR_WHO", "ana")
            .env_remove("WEIR_OUTPUTS")
            .stdin(Stdio::null());
        command
    };
    let run = |arguments: &[&str]| Said::from(command(arguments).output().unwrap());
    let endpoint = format!("endpoint_url={}", emulator.endpoint());
    let terraform = ["--", "-var", &endpoint];
    let with = |arguments: &[&'static str]| [arguments, &terraform[..]].concat();
    let state = checkout.path().join("terraform/terraform.tfstate.d/e2e/terraform.tfstate");
    let plan_file = checkout.path().join(".weir/deploy/e2e/plan");

    // What is planned is shown, and nothing is done before somebody said yes.
    let unasked = run(&with(&["deploy"]));
    assert_eq!(unasked.code, Some(1), "{}", unasked.err);
    assert!(
        unasked.err.contains("Plan: ") && unasked.err.contains("nobody to ask: Do this to e2e?"),
        "{}",
        unasked.err
    );
    assert!(!state.exists() && arroyo.entries().is_empty() && !plan_file.exists());

    let made = run(&with(&["deploy", "--yes"]));
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(
        made.out.contains("\n  + static_threshold\n") && made.out.contains("e2e: deployment 1 runs\n"),
        "{}",
        made.out
    );
    let (_, probed) =
        made.out.split_once("a probe went through events, rules, anomalies and alerter into the table in ").unwrap();
    let whereabouts = probed.split_once(" s\n").unwrap().1.replace(&emulator.endpoint(), "EMULATOR");
    insta::assert_snapshot!(whereabouts, @r"
      events stream     weir-e2e-deploy-events
      anomalies stream  weir-e2e-deploy-anomalies
      table             weir-e2e-deploy-anomalies
      alerts topic      arn:aws:sns:us-east-1:000000000000:weir-e2e-deploy-alerts
      quarantine queue  EMULATOR/000000000000/weir-e2e-deploy-quarantine
      alerter           weir-e2e-deploy-alerter
      heartbeat         weir-e2e-deploy-heartbeat
      region            us-east-1
    ");
    assert!(!plan_file.exists(), "a plan holds the values of variables, and was left");
    let running: Vec<String> =
        arroyo.entries().into_iter().filter(|entry| entry.runs()).map(|entry| entry.name).collect();
    assert!(matches!(&running[..], [one] if one.starts_with("weir/e2e/rules@")), "{running:?}");

    // The first alert, as the deploy guide has it.
    let event = files.path().join("event");
    fs::write(&event, r#"{"timestamp":"2026-11-25T12:00:00Z","value":99,"source":"pump-1","metric":"temperature"}"#)
        .unwrap();
    let put = run(&["put", event.to_str().unwrap(), "--env", "e2e"]);
    assert_eq!(put.code, Some(0), "{}", put.err);
    let begun = Instant::now();
    let stored = loop {
        let shown = run(&["show", "--rule", "static_threshold", "--json", "--env", "e2e"]);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        if let Some(line) = shown.out.lines().next() {
            break serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(begun.elapsed() < TIMEOUT, "the event's anomaly was not stored");
    };
    assert_eq!((stored["key"].as_str(), stored["disposition"].as_str()), (Some("pump-1/temperature"), Some("alert")));

    // Again: nothing is to do, and still it is probed. An address alone leads to the stack that was deployed from here.
    let again = run(&with(&["deploy"]));
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains("No changes.") && !plan_file.exists(), "{}", again.err);
    assert!(again.out.contains("e2e: nothing to do\n") && again.out.contains("a probe went through"), "{}", again.out);
    let planned = run(&["plan", "--exit-code"]);
    assert_eq!(planned.code, Some(0), "{}{}", planned.out, planned.err);

    // While it is protected, neither Weir nor plain Terraform ends any part of it: streams know no protection of their own.
    let resources = || {
        let state: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        let resources = state["resources"].as_array().unwrap().clone();
        let name = |one: &Value| format!("{}.{}.{}", one["module"], one["type"], one["name"]);
        let full = |one: &&Value| one["instances"].as_array().is_some_and(|all| !all.is_empty());
        resources.iter().filter(full).map(name).collect::<Vec<_>>()
    };
    let before = resources();
    let refused = run(&with(&["destroy", "--all", "--yes"]));
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{}", refused.err);
    assert!(
        refused.err.ends_with(
            "error: e2e is protected from deletion, so nothing was ended: module.store.aws_dynamodb_table.this\n  \
             hint: set deletion_protection = false in terraform/e2e.tfvars, `weir deploy --env e2e`, then destroy it\n"
        ) && !refused.err.contains("▸ terraform plan"),
        "{}",
        refused.err
    );
    assert_eq!(resources(), before);
    let plain = Command::new("terraform")
        .arg(format!("-chdir={}", checkout.file("terraform").display()))
        .args([
            "apply",
            "-destroy",
            "-auto-approve",
            "-input=false",
            "-no-color",
            "-var-file=e2e.tfvars",
            "-var",
            &endpoint,
        ])
        .env("TF_DATA_DIR", checkout.file(".weir/deploy/e2e"))
        .env("CHECKPOINT_DISABLE", "1")
        .envs(emulator.environment())
        .output()
        .map(Said::from)
        .unwrap();
    assert_eq!(plain.code, Some(1), "{}", plain.err);
    assert!(plain.out.contains("deletion_protection is on: nothing was deleted"), "{}{}", plain.out, plain.err);
    assert_eq!(resources(), before);

    checkout.size("").unwrap();
    let unprotected = run(&with(&["deploy", "--yes"]));
    assert_eq!(unprotected.code, Some(0), "{}", unprotected.err);
    let ended = run(&with(&["destroy", "--all", "--yes"]));
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "e2e: nothing is left\n"), "{}", ended.err);
    let lost =
        "every stored anomaly, alert and silence, and which deployments there were, in weir-e2e-deploy-anomalies";
    let (before, after) = ended.err.split_once(lost).unwrap();
    assert!(
        !before.contains("▸ terraform apply") && after.contains("▸ terraform apply"),
        "it is said before it is done"
    );
    let left: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    assert_eq!(left["resources"], Value::Array(vec![]));
}

/// The packages are built for the machine that Terraform names, in any place; and not at all for the emulator.
#[test]
fn a_deploy_packages_for_the_architecture_that_terraform_names() {
    let checkout = Checkout::new("lambda_architecture = \"x86_64\"\n").unwrap();
    let sizes = fs::read_to_string(checkout.file("terraform/e2e.tfvars")).unwrap();
    let without = |name: &str| sizes.lines().filter(|line| !line.contains(name)).collect::<Vec<_>>().join("\n");
    fs::write(checkout.file("terraform/e2e.tfvars"), without("_zip")).unwrap();
    let script = checkout.file("scripts/package-lambda.sh");
    fs::write(&script, "#!/bin/sh\necho \"asked for $1\" >&2\nexit 1\n").unwrap();

    let deploy = |further: &[&str]| -> Said {
        let mut command = weir(&[&["deploy", "--env", "e2e", "--yes", "--skip-doctor", "--"], further].concat());
        command.current_dir(checkout.path()).env_remove("WEIR_OUTPUTS").stdin(Stdio::null());
        command.output().unwrap().into()
    };
    for (further, architecture) in [
        (&[][..], "x86_64"),
        (&["-var", "lambda_architecture=arm64"], "arm64"),
        (&["-compact-warnings", "-var=lambda_architecture=arm64"], "arm64"),
    ] {
        let said = deploy(further);
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(
            said.err.contains(&format!("asked for {architecture}\n"))
                && said.err.contains(
                    "hint: --no-package takes dist/alerter.zip, dist/gate.zip, dist/heartbeat.zip as they are"
                )
                && !said.err.contains("▸ terraform plan"),
            "{}",
            said.err
        );
    }
}

/// What stands in the way is said before anything is made. AWS is a program that answers as its command line does.
#[test]
fn a_doctor_says_what_stands_in_the_way() {
    let checkout =
        Checkout::new("arroyo_enabled = true\nalerter_reserved_concurrency = 10\ndeletion_protection = true\n")
            .unwrap();
    let programs = checkout.file("programs");
    fs::create_dir(&programs).unwrap();
    let aws = "case \"$*\" in\n\
               *get-caller-identity*--no-sign-request*--debug*) echo \"headers: {'Date': 'Mon, 30 Nov 2015 11:58:22 GMT'}\" >&2 ;;\n\
               *get-caller-identity*) echo arn:aws:iam::111122223333:user/ana ;;\n\
               *L-B99A9384*) echo 10.0 ;;\n\
               *L-3032A538*) echo 6.0 ;;\n\
               *aws-service-role/ecs.*) echo 1 ;;\n\
               *aws-service-role/rds.*) echo 0 ;;\n\
               *) echo \"unexpected: $*\" >&2; exit 254 ;;\nesac";
    for (name, script) in [("aws", aws), ("session-manager-plugin", "exit 1")] {
        let file = programs.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = weir(arguments);
        command.current_dir(checkout.path()).env("PATH", &path).stdin(Stdio::null());
        Said::from(command.output().unwrap())
    };
    let said = run(&["doctor", "--env", "e2e"]);
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    let ahead = said.out.split("clock: ").nth(1).and_then(|rest| rest.split(" s ahead").next()).unwrap();
    assert!(ahead.parse::<u64>().unwrap() > 300_000_000, "eleven years: {ahead}");
    let out = said.out.replace(&format!("{ahead} s ahead of AWS's"), "CLOCK");
    insta::assert_snapshot!(out, @r"
    well   programs: the AWS CLI and its Session Manager plugin are there
    wrong  state: a file on this machine
      hint: write terraform/e2e.tfbackend (docs/terraform.md, State), or lose the stack with this machine
    note   packages: dist/local/alerter.zip is not built; the deploy builds it for arm64
    wrong  clock: CLOCK
      hint: set it by NTP (timedatectl set-ntp true): AWS refuses requests that are five minutes off
    well   credentials: arn:aws:iam::111122223333:user/ana, in us-east-1
    wrong  Lambda's concurrent executions: 10 allowed, 20 needed
      hint: ask AWS for more: aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value …
    well   Fargate's vCPUs: 6 allowed, 1 needed
    well   service-linked role: ecs
    wrong  service-linked role: the account has none of rds, and its first use may fail
      hint: aws iam create-service-linked-role --aws-service-name rds.amazonaws.com
    note   image: ghcr.io/arroyosystems/arroyo:0.15.0 is fetched at each start of a task, and not looked for here
    e2e: 4 of these stand in the way of a deploy
    ");
    let state = checkout.file("terraform/terraform.tfstate.d/e2e/terraform.tfstate");
    assert!(!state.exists(), "it only looks");

    // Without credentials too: the clock is one reason why they are refused.
    let refused =
        aws.replace("echo arn:aws:iam::111122223333:user/ana", "echo Unable to locate credentials >&2; exit 253");
    fs::write(checkout.file("programs/aws"), format!("#!/bin/sh\n{refused}\n")).unwrap();
    let locked_out = run(&["doctor", "--env", "e2e"]);
    assert!(
        locked_out.out.contains("\nwrong  clock: ") && locked_out.out.contains("\nwrong  credentials: "),
        "{}{}",
        locked_out.out,
        locked_out.err
    );
    fs::write(checkout.file("programs/aws"), format!("#!/bin/sh\n{aws}\n")).unwrap();

    let said = run(&["deploy", "--env", "e2e", "--yes"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(
        said.err.contains("4 of these stand in the way of a deploy\nwrong  state")
            && said.err.contains("hint: --skip-doctor goes on all the same")
            && !said.err.contains("▸ build")
            && !said.err.contains("▸ terraform plan"),
        "{}",
        said.err
    );
}
