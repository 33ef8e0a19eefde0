//! The local AWS emulator, started by `scripts/local-aws.sh`.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::process::Command;
use weir_project::Distribution;

use super::{http, process::Process};

/// The emulator answers within a second on an idle machine; a busy one gets a minute.
const READY_DEADLINE: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(100);

/// Refuses a port that something else listens on, before anything is started.
pub(crate) fn check_port(port: u16) -> Result<()> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        bail!(
            "port {port} is in use\n  hint: stop what listens there (`weir down` ends a stack of ours), or choose another: --port 4570"
        );
    }
    Ok(())
}

/// What the emulator's script is told: where to keep its virtual environment, and what Python compiles of our patches.
fn script(distribution: &Distribution, working_folder: &Path) -> Command {
    let mut command = Command::new(distribution.script("local-aws.sh"));
    command.env("WEIR_EMULATOR_VENV", working_folder.join("venv"));
    if !distribution.is_checkout() {
        command.env("PYTHONPYCACHEPREFIX", working_folder.join("pycache"));
    }
    command
}

/// Installs the emulator into a virtual environment of the distribution, once.
pub(crate) async fn install(distribution: &Distribution, working_folder: &Path, log: &Path) -> Result<()> {
    let mut command = script(distribution, working_folder);
    command.arg("install");
    Process::spawn("emulator installation", command, log)?.finish().await
}

/// Starts the emulator and returns when it answers.
pub(crate) async fn start(
    distribution: &Distribution,
    working_folder: &Path,
    folder: &Path,
    port: u16,
    log: &Path,
) -> Result<Process> {
    let mut command = script(distribution, working_folder);
    command.arg("run").env("GATEWAY_PORT", port.to_string()).env("WEIR_EMULATOR_DIR", folder.join("emulator"));
    let mut process = Process::spawn("emulator", command, log)?;
    let deadline = Instant::now() + READY_DEADLINE;
    while http::get(port, "/_ministack/ready").is_err() {
        if let Some(status) = process.exited() {
            bail!("the emulator ended with {status}");
        }
        if Instant::now() > deadline {
            bail!("the emulator did not answer on port {port} within {} s", READY_DEADLINE.as_secs());
        }
        tokio::time::sleep(READY_POLL).await;
    }
    Ok(process)
}
