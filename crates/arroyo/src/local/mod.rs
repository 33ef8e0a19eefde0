//! An Arroyo of one's own on this machine, for tests: one process on loopback ports, and programs whose streams are files.

mod files;

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
};

pub use files::{Arrival, Input, on_files, sink_file};

/// What a cluster writes to.
const LOG: &str = "arroyo.log";
/// The last lines of the log that are shown to a person.
const LOG_LINES: usize = 20;

/// The `arroyo` that `ARROYO_BIN` names, or the first on `PATH`.
#[must_use]
pub fn binary() -> Option<PathBuf> {
    if let Some(named) = env::var_os("ARROYO_BIN").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join("arroyo")).find(|file| file.is_file())
}

/// The loopback ports of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Its API.
    pub api: u16,
    /// Where nodes and workers register.
    pub controller: u16,
    /// What says whether it lives.
    pub admin: u16,
}

/// What starts an `arroyo cluster`: API, controller, compiler and workers in one process on loopback ports, with catalogue,
/// checkpoints and log in a folder. `environment` is added to its own: AWS endpoint and credentials, batch sizes.
///
/// # Errors
/// When the folder cannot be written.
pub fn command(binary: &Path, folder: &Path, environment: &[(&str, String)]) -> io::Result<(Command, Ports)> {
    fs::create_dir_all(folder)?;
    let [api, controller, compiler, admin] = free_ports()?;
    let output = fs::File::create(folder.join(LOG))?;
    let mut command = Command::new(binary);
    command.arg("cluster").current_dir(folder).stdout(output.try_clone()?).stderr(output);
    for (service, port) in
        [("API__HTTP", api), ("CONTROLLER__RPC", controller), ("COMPILER__RPC", compiler), ("ADMIN__HTTP", admin)]
    {
        command.env(format!("ARROYO__{service}_PORT"), port.to_string());
    }
    for service in ["API", "CONTROLLER", "COMPILER", "ADMIN", "WORKER"] {
        command.env(format!("ARROYO__{service}__BIND_ADDRESS"), "127.0.0.1");
    }
    let place = |name: &str| folder.join(name).display().to_string();
    command
        // Workers are told this name, and listen on it.
        .env("ARROYO__HOSTNAME", "127.0.0.1")
        .env("ARROYO__DATABASE__SQLITE__PATH", place("catalogue.sqlite"))
        .env("ARROYO__CHECKPOINT_URL", place("checkpoints"))
        .env("ARROYO__COMPILER__ARTIFACT_URL", place("artifacts"))
        .env("ARROYO__COMPILER__BUILD_DIR", place("build"))
        // Workers inside the process: tests run dozens of programs.
        .env("ARROYO__CONTROLLER__SCHEDULER", "embedded")
        // A program that fails shall say so at once.
        .env("ARROYO__PIPELINE__ALLOWED_RESTARTS", "0")
        .env("ARROYO__DISABLE_TELEMETRY", "true")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // It may have another name elsewhere: here it listens on a port of this machine.
        .env("ARROYO__CONTROLLER_ENDPOINT", format!("http://127.0.0.1:{controller}"));
    Ok((command, Ports { api, controller, admin }))
}

/// The end of what the cluster of a folder logged.
#[must_use]
pub fn log(folder: &Path) -> String {
    let log = fs::read(folder.join(LOG)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}

/// A cluster that ends with this value.
#[derive(Debug)]
pub struct LocalCluster {
    process: Child,
    folder: PathBuf,
    ports: Ports,
}

impl LocalCluster {
    /// Starts what [`command`] makes. It answers a moment later.
    ///
    /// # Errors
    /// When the folder cannot be written or the binary not be started.
    pub fn spawn(binary: &Path, folder: &Path, environment: &[(&str, String)]) -> io::Result<Self> {
        let (mut command, ports) = command(binary, folder, environment)?;
        Ok(Self { process: command.spawn()?, folder: folder.to_owned(), ports })
    }

    /// The address of its API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.api)
    }

    /// Its status, when it has ended.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log(&self) -> String {
        log(&self.folder)
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that nothing listens on now. They are taken together, so that they differ.
fn free_ports() -> io::Result<[u16; 4]> {
    let taken: Vec<TcpListener> =
        (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<_>>()?;
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&taken) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
