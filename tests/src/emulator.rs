//! The local AWS emulator, without the rest of a local stack.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// It answers within a second on an idle machine; a busy one gets a minute.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Time to end its functions.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// A running emulator; dropping it ends it and the functions that it runs.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    port: u16,
}

impl Emulator {
    /// Starts one on a free port. Its files go to the folder.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let script = super::repo().join("scripts/local-aws.sh");
        let installed = Command::new(&script).arg("install").status()?;
        if !installed.success() {
            return Err(io::Error::other(format!("local-aws.sh install: {installed}")));
        }
        fs::create_dir_all(folder)?;
        let [port] = super::free_ports()?;
        let log = fs::File::create(folder.join("emulator.log"))?;
        let process = Command::new(script)
            .arg("run")
            .env("GATEWAY_PORT", port.to_string())
            .env("WEIR_EMULATOR_DIR", folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its functions are processes of its group.
            .process_group(0)
            .spawn()?;
        let mut emulator = Self { process, port };
        let begun = Instant::now();
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            let ended = emulator.process.try_wait()?;
            if ended.is_some() || begun.elapsed() > START_TIMEOUT {
                return Err(io::Error::other(format!("the emulator does not answer (it ended: {ended:?})")));
            }
            std::thread::sleep(POLL);
        }
        Ok(emulator)
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a process needs to take it for AWS.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let Ok(group) = i32::try_from(self.process.id()).map(Pid::from_raw) else { return };
        let _ = killpg(group, Signal::SIGTERM);
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < GRACE {
            std::thread::sleep(POLL);
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.process.wait();
    }
}
