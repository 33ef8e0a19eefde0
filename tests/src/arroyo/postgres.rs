//! A PostgreSQL for Arroyo's catalogue, as RDS hands one over: a database, and a user who owns it and nothing else.

use std::{
    env, fs, io,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Where Debian keeps the programs of a server, one folder a version.
const DEBIAN: &str = "/usr/lib/postgresql";
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    process: Child,
    /// The server's files, which root cannot own.
    _files: tempfile::TempDir,
    /// The loopback port.
    pub port: u16,
}

/// The folder with `initdb`, `postgres` and `psql`.
#[must_use]
pub fn postgres_programs() -> Option<PathBuf> {
    let whole = |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file());
    let debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    debian.chain(env::split_paths(&path)).find(whole)
}

impl Postgres {
    /// Starts one with a database of this name, owned by this user.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(programs: &Path, database: &str, user: &str, password: &str) -> io::Result<Self> {
        // Sockets have short paths.
        let files = tempfile::Builder::new().prefix("pg").tempdir()?;
        fs::set_permissions(files.path(), fs::Permissions::from_mode(0o700))?;
        let account = unprivileged(fs::metadata(files.path())?.uid())?;
        if let Some((uid, gid)) = account {
            chown(files.path(), Some(uid), Some(gid))?;
        }
        let [port] = crate::free_ports()?;
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(files.path()).stdin(Stdio::null()).stdout(Stdio::null());
            if let Some((uid, gid)) = account {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = files.path().join("data");
        // Who comes by the socket is let in, who comes by the network needs his password.
        let made = program("initdb")
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username=postgres", "--no-sync", "-D"])
            .arg(&data)
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let process = program("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(files.path())
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { process, _files: files, port };
        let socket = server._files.path().display().to_string();
        let sql = format!("CREATE USER {user} PASSWORD '{password}'");
        let own = format!("CREATE DATABASE {database} OWNER {user}");
        let begun = Instant::now();
        loop {
            let asked = Command::new(programs.join("psql"))
                .args(["-qX", "-h", &socket, "-p", &port.to_string(), "-U", "postgres", "-d", "postgres"])
                .args(["-v", "ON_ERROR_STOP=1", "-c", &sql, "-c", &own])
                .output()?;
            if asked.status.success() {
                return Ok(server);
            }
            if begun.elapsed() > START_TIMEOUT || server.process.try_wait()?.is_some() {
                return Err(io::Error::other(String::from_utf8_lossy(&asked.stderr).into_owned()));
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // `immediate`, in PostgreSQL's words: its own processes end with it.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
        let _ = self.process.wait();
    }
}

/// PostgreSQL refuses to run as root: then the account that its package made. `None` for everybody else.
fn unprivileged(own: u32) -> io::Result<Option<(u32, u32)>> {
    if own != 0 {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    let account = accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, uid, gid) = (*fields.first()?, fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (name == "postgres").then_some((uid, gid))
    });
    account.map(Some).ok_or_else(|| io::Error::other("there is no account `postgres` to run PostgreSQL with"))
}
