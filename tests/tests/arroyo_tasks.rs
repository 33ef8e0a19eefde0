//! What Terraform's task definitions run, run: commands and environment are read from what `terraform test` made of the module,
//! and started as processes. The catalogue is a PostgreSQL, checkpoints go to the emulator's S3.
//!
//! Runs where there are an Arroyo (as for the other suites), a PostgreSQL, and Terraform with its provider. What is replaced is
//! what a laptop has not: names of hosts, fixed ports, AWS itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at a surprise, and says what it skipped"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weir_tests::{
    Emulator,
    arroyo::{Cluster, Postgres, binary, postgres_programs},
    repo,
};

/// As the secret module makes one: it begins with a letter, since Arroyo takes digits for a number.
const SECRET: &str = "k0123456789abcdef";
/// A debug build on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(90);
const PROGRAM: &str = "\
CREATE TABLE generated WITH (connector = 'impulse', event_rate = '20');
CREATE TABLE nowhere (counter BIGINT UNSIGNED) WITH (connector = 'blackhole');
INSERT INTO nowhere SELECT counter FROM generated;
";

/// What stands in for AWS, and the module's containers by name.
struct Tasks {
    binary: PathBuf,
    containers: BTreeMap<String, Value>,
    postgres: Postgres,
    emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Tasks {
    /// The containers of a run of `terraform test`. `None`, and why, where something is missing.
    fn of(run: &str, outputs: &[&str]) -> Option<Self> {
        let skip = |why: &str| {
            println!("skipped: what the task definitions run ({why})");
            None
        };
        let Some(binary) = binary() else { return skip("no Arroyo: set ARROYO_BIN, or put `arroyo` on PATH") };
        let Some(programs) = postgres_programs() else {
            return skip("no PostgreSQL: install the package `postgresql`");
        };
        let Some(containers) = containers(run, outputs) else { return skip("no Terraform, or no provider for it") };
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(&folder.path().join("emulator")).unwrap();
        let given = pairs(&containers["control"]);
        let [database, user] =
            ["DATABASE_NAME", "USER"].map(|name| &given[&format!("ARROYO__DATABASE__POSTGRES__{name}")]);
        let postgres = Postgres::start(&programs, database, user, SECRET).unwrap();
        let bucket = given["ARROYO__CHECKPOINT_URL"].strip_prefix("s3://").unwrap().split('/').next().unwrap();
        let region = &given["AWS_REGION"];
        let there = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        );
        let made = s3(&emulator, region, "PUT", &format!("/{bucket}"), &there);
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        Some(Self { binary, containers, postgres, emulator, folder })
    }

    /// The environment that a container gets: its own, its secrets, and where this machine's stand-ins are.
    fn environment(&self, container: &str) -> BTreeMap<String, String> {
        let container = &self.containers[container];
        let mut given = pairs(container);
        for secret in container["secrets"].as_array().into_iter().flatten() {
            given.insert(secret["name"].as_str().unwrap().to_owned(), SECRET.to_owned());
        }
        for (name, value) in [
            ("ARROYO__DATABASE__POSTGRES__HOST", "127.0.0.1".to_owned()),
            ("ARROYO__DATABASE__POSTGRES__PORT", self.postgres.port.to_string()),
        ] {
            given.entry(name.to_owned()).and_modify(|own| *own = value);
        }
        let aws = self.emulator.environment().into_iter().filter(|(name, _)| *name != "AWS_REGION");
        given.extend(aws.map(|(name, value)| (name.to_owned(), value)));
        // S3's client has a name of its own for the endpoint, and takes plain HTTP when asked.
        given.insert("AWS_ENDPOINT".to_owned(), self.emulator.endpoint());
        given
    }

    /// The catalogue's schema, as the container before the control task makes it.
    fn migrate(&self) {
        let output = Command::new(&self.binary)
            .args(words(&self.containers["migrate"]["command"]))
            .envs(self.environment("migrate"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn control(&self) -> Cluster {
        assert_eq!(self.containers["control"]["command"], json!(["cluster"]), "what Cluster::start runs");
        let given = self.environment("control");
        let given: Vec<(&str, String)> = given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        // Arroyo ends at once on a setting that it does not know.
        Cluster::start(&self.binary, &self.folder.path().join("control"), &given).unwrap()
    }

    /// The container's own health check, at the port that it has here.
    fn is_well(&self, container: &str, admin_port: u16) -> bool {
        let check = self.containers[container]["healthCheck"]["command"][1].as_str().unwrap();
        let check = check.replace(":5114/", &format!(":{admin_port}/"));
        Command::new("sh").args(["-c", &check]).output().unwrap().status.success()
    }

    /// What lies in the emulator's S3 under the checkpoints of a job.
    fn checkpoints(&self, job: &str) -> String {
        let given = pairs(&self.containers["control"]);
        let (bucket, prefix) = given["ARROYO__CHECKPOINT_URL"].strip_prefix("s3://").unwrap().split_once('/').unwrap();
        let list = format!("/{bucket}?list-type=2&prefix={prefix}/{job}/");
        s3(&self.emulator, &given["AWS_REGION"], "GET", &list, "")
    }
}

/// What `terraform test` says of the module, a JSON document a line. `None` without Terraform or its provider.
fn tested() -> Option<&'static str> {
    static TESTED: OnceLock<Option<String>> = OnceLock::new();
    let run = || {
        let data = repo().join(".weir/check/terraform");
        let mut init = Command::new(repo().join("scripts/terraform-init.sh"));
        let init = init.arg("-backend=false").env("TF_DATA_DIR", &data).output().ok()?;
        if !init.status.success() {
            return None;
        }
        let tested = Command::new("terraform")
            .arg(format!("-chdir={}", repo().join("terraform").display()))
            .args(["test", "-json", "-verbose", "-filter=tests/arroyo.tftest.hcl"])
            .env("TF_DATA_DIR", &data)
            .env("CHECKPOINT_DISABLE", "1")
            .output();
        Some(String::from_utf8(tested.unwrap().stdout).unwrap())
    };
    TESTED.get_or_init(run).as_deref()
}

/// The containers of these outputs, as a run of `terraform test` made them with mocked resources.
fn containers(run: &str, outputs: &[&str]) -> Option<BTreeMap<String, Value>> {
    let lines = tested()?;
    let state = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["type"] == "test_state" && line["@testrun"] == run)
        .unwrap_or_else(|| panic!("terraform test has no run `{run}`: {lines}"));
    let mut all = BTreeMap::new();
    for output in outputs {
        let text = state["test_state"]["outputs"][output]["value"].as_str();
        let text = text.unwrap_or_else(|| panic!("run `{run}` has no output `{output}`"));
        let containers: Vec<Value> = serde_json::from_str(text).unwrap();
        all.extend(containers.into_iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one)));
    }
    Some(all)
}

fn pairs(container: &Value) -> BTreeMap<String, String> {
    let pairs = container["environment"].as_array().unwrap().iter();
    pairs.map(|pair| (pair["name"].as_str().unwrap().to_owned(), pair["value"].as_str().unwrap().to_owned())).collect()
}

fn words(array: &Value) -> Vec<String> {
    array.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// One request to the emulator's S3, signed for a region (it looks at no more of a signature), and the answer.
fn s3(emulator: &Emulator, region: &str, method: &str, path: &str, body: &str) -> String {
    let address = emulator.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    let scope = format!("Credential=test/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=0");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: AWS4-HMAC-SHA256 {scope}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Runs a pipeline until a whole checkpoint of it lies in S3, on a cluster behind its key.
fn runs_a_pipeline(tasks: &Tasks, cluster: &mut Cluster) {
    let refused = cluster.api.ping().unwrap_err().to_string();
    assert!(refused.contains(": 401"), "{refused}");
    cluster.api = cluster.api.with_key(SECRET);
    cluster.api.ping().unwrap();
    let pipeline = cluster.api.create("probe", PROGRAM, &[]).unwrap();
    let job = cluster.wait(&pipeline, &["Running"], TIMEOUT).unwrap_or_else(|e| panic!("{e}\n{}", cluster.log()));
    let begun = Instant::now();
    while !tasks.checkpoints(&job.id).contains("/metadata") {
        assert!(begun.elapsed() < TIMEOUT, "no checkpoint: {}\n{}", tasks.checkpoints(&job.id), cluster.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn the_control_task_migrates_its_catalogue_and_runs_pipelines_behind_its_key() {
    let Some(tasks) = Tasks::of("one_control_task_and_no_nodes", &["control_container_definitions"]) else { return };
    assert_eq!(tasks.environment("control")["ARROYO__CONTROLLER__SCHEDULER"], "process");
    tasks.migrate();
    let mut cluster = tasks.control();
    assert!(tasks.is_well("control", cluster.admin_port));
    assert!(
        cluster.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "JSON logs: {}",
        cluster.log()
    );
    runs_a_pipeline(&tasks, &mut cluster);
    drop(cluster);

    // The next task finds its pipelines again; its migration has nothing to do.
    tasks.migrate();
    let mut cluster = tasks.control();
    cluster.api = cluster.api.with_key(SECRET);
    let listed = cluster.api.pipelines().unwrap();
    let [(pipeline, name)] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(name, "probe");
    cluster.wait(pipeline, &["Running"], TIMEOUT).unwrap_or_else(|e| panic!("{e}\n{}", cluster.log()));
}

#[test]
fn node_tasks_register_and_run_the_pipelines() {
    let outputs = ["control_container_definitions", "node_container_definitions"];
    let Some(tasks) = Tasks::of("nodes", &outputs) else { return };
    assert_eq!(tasks.environment("control")["ARROYO__CONTROLLER__SCHEDULER"], "node");
    tasks.migrate();
    let mut cluster = tasks.control();
    let node = Node::start(&tasks, &cluster);
    runs_a_pipeline(&tasks, &mut cluster);
    assert!(tasks.is_well("node", node.admin_port));
}

/// A node task; its workers are processes of its group.
struct Node {
    process: Child,
    admin_port: u16,
}

impl Node {
    fn start(tasks: &Tasks, cluster: &Cluster) -> Self {
        let container = &tasks.containers["node"];
        let folder = tasks.folder.path().join("node");
        fs::create_dir_all(&folder).unwrap();
        // Fargate gives a task two addresses; here there is one that others may dial.
        let hostname = folder.join("hostname");
        fs::write(&hostname, "#!/bin/sh\necho 127.0.0.1 169.254.172.2\n").unwrap();
        fs::set_permissions(&hostname, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::join_paths(
            std::iter::once(folder.clone()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let script = words(&container["command"]).concat();
        let script = script.replace("exec /app/arroyo ", &format!("exec {} ", tasks.binary.display()));
        let log = fs::File::create(folder.join("node.log")).unwrap();
        let [node_port, admin_port] = weir_tests::free_ports().unwrap();
        let entry = words(&container["entryPoint"]);
        let process = Command::new(&entry[0])
            .args(&entry[1..])
            .arg(script)
            .current_dir(&folder)
            .envs(tasks.environment("node"))
            .env("PATH", path.unwrap())
            .env("ARROYO__CONTROLLER_ENDPOINT", format!("http://127.0.0.1:{}", cluster.controller_port))
            .env("ARROYO__NODE__RPC_PORT", node_port.to_string())
            .env("ARROYO__ADMIN__HTTP_PORT", admin_port.to_string())
            .envs(["NODE", "WORKER", "ADMIN"].map(|part| (format!("ARROYO__{part}__BIND_ADDRESS"), "127.0.0.1")))
            .process_group(0)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, admin_port }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}
