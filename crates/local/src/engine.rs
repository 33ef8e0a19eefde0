//! What runs the rules in a local stack: the embedded engine, or a real Arroyo.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use weir_project::{EngineKind, engine::arroyo};

use super::{Connection, http, process::Process};

/// From start to its first statistics the embedded engine takes well under a second; a busy machine gets a minute.
const EMBEDDED_DEADLINE: Duration = Duration::from_secs(60);
/// Arroyo starts a controller, an API and a worker; a debug build on a busy machine takes most of this.
const ARROYO_DEADLINE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(50);

/// Starts the engine on a compiled program; it goes on where its last checkpoint left off.
pub(super) async fn start(
    kind: EngineKind,
    folder: &Path,
    program: &Path,
    connection: &Connection,
    log: &Path,
) -> Result<Process> {
    match kind {
        EngineKind::Embedded => start_embedded(folder, program, connection, log).await,
        EngineKind::Arroyo => start_arroyo(folder, program, connection, log).await,
    }
}

/// Where the embedded engine of a stack writes its statistics, once a second.
pub(crate) fn stats_file(folder: &Path) -> PathBuf {
    folder.join("stats.json")
}

async fn start_embedded(folder: &Path, program: &Path, connection: &Connection, log: &Path) -> Result<Process> {
    let weir = env::current_exe().context("the path of the weir command")?;
    let stats = stats_file(folder);
    let _ = fs::remove_file(&stats);
    let mut command = Command::new(weir);
    command
        .arg("run")
        .arg(program)
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--checkpoint-interval-millis=2000")
        .arg("--stats")
        .arg(&stats);
    aws(&mut command, connection);
    let mut engine = Process::spawn("engine", command, log)?;
    let wrote = || stats.exists();
    wait(&mut engine, EMBEDDED_DEADLINE, "wrote no statistics", wrote).await?;
    Ok(engine)
}

/// `arroyo run`: controller, API and catalogue in one process, and one worker process that it starts.
async fn start_arroyo(folder: &Path, program: &Path, connection: &Connection, log: &Path) -> Result<Process> {
    let arroyo = arroyo().context("no `arroyo` was found")?;
    let port = free_port()?;
    let state = folder.join("arroyo");
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    let mut command = Command::new(arroyo);
    command
        .arg("run")
        .arg("--name=weir")
        .arg("--state-dir")
        .arg(&state)
        .arg(program)
        .current_dir(folder)
        .env("ARROYO__API__RUN_HTTP_PORT", port.to_string())
        // A restart repeats at most a second of output.
        .env("ARROYO__DEFAULT_CHECKPOINT_INTERVAL", "1s")
        .env("ARROYO__HOSTNAME", "127.0.0.1")
        .env("ARROYO__DISABLE_TELEMETRY", "true");
    for service in ["API", "CONTROLLER", "COMPILER", "ADMIN", "WORKER", "NODE"] {
        command.env(format!("ARROYO__{service}__BIND_ADDRESS"), "127.0.0.1");
    }
    aws(&mut command, connection);
    let mut engine = Process::spawn("arroyo", command, log)?;
    wait(&mut engine, ARROYO_DEADLINE, "is not running the program", || runs(port)).await?;
    Ok(engine)
}

/// Whether Arroyo's one job runs.
fn runs(port: u16) -> bool {
    let jobs = http::get(port, "/api/v1/jobs").unwrap_or_default();
    let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap_or_default();
    jobs.pointer("/data/0/state").and_then(serde_json::Value::as_str) == Some("Running")
}

async fn wait(engine: &mut Process, limit: Duration, otherwise: &str, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !ready() {
        if let Some(status) = engine.exited() {
            bail!("the engine ended with {status}");
        }
        if Instant::now() > deadline {
            bail!("the engine {otherwise} after {} s", limit.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn aws(command: &mut Command, connection: &Connection) {
    command
        .env("AWS_ENDPOINT_URL", &connection.endpoint)
        .env("AWS_REGION", &connection.region)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
}

/// A port that nothing listens on at this moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port())
}
