//! The local AWS emulator, without the rest of a local stack.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;

/// It answers within a second on an idle machine; a busy one gets a minute.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Time to end its functions.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// A running emulator; dropping it ends it and the functions that it runs, and fails the test when a request broke its service's model.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    port: u16,
    /// Where it lists requests that break the services' published models.
    violations: PathBuf,
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
            .env("WEIR_EMULATOR_CHECKS_REQUESTS", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its functions are processes of its group.
            .process_group(0)
            .spawn()?;
        let mut emulator = Self { process, port, violations: folder.join("violations") };
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

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One call of DynamoDB's own API (`CreateTable`, `PutItem`, …), and its answer.
    ///
    /// # Errors
    /// When it is refused, with what is said.
    pub fn dynamodb(&self, operation: &str, body: &Value) -> io::Result<Value> {
        self.call("dynamodb", "DynamoDB_20120810", operation, body)
    }

    /// One call of Kinesis' own API (`CreateStream`, `SplitShard`, …), and its answer.
    ///
    /// # Errors
    /// When it is refused, with what is said.
    pub fn kinesis(&self, operation: &str, body: &Value) -> io::Result<Value> {
        self.call("kinesis", "Kinesis_20131202", operation, body)
    }

    /// One call of SQS' own API (`CreateQueue`, `SendMessage`, …), and its answer.
    ///
    /// # Errors
    /// When it is refused, with what is said.
    pub fn sqs(&self, operation: &str, body: &Value) -> io::Result<Value> {
        self.call("sqs", "AmazonSQS", operation, body)
    }

    fn call(&self, service: &str, api: &str, operation: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        // It looks at no more of a signature than the service's name.
        let request = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: {api}.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP answer"))?;
        if head.split(' ').nth(1) != Some("200") {
            return Err(io::Error::other(format!("{operation}: {answer}")));
        }
        if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(body)?) }
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
        // A lenient emulator hides nothing: what AWS's published models refuse fails the test.
        if let Ok(found) = fs::read_to_string(&self.violations)
            && !std::thread::panicking()
        {
            assert!(found.is_empty(), "requests broke the published models of their services:\n{found}");
        }
    }
}
