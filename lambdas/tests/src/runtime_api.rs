//! Lambda's runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) in front of a real binary.
//!
//! `GET /runtime/invocation/next` waits for an event; `POST …/{id}/response` and `POST …/{id}/error` answer it. The service
//! ends the process when an invocation passes its deadline, and starts another for the next one.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot},
};

use super::http::Connection;

/// A line is written before the answer: it is there at once, unless the machine is very busy.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// A function: a binary, its environment and, while it lives, its process.
pub struct Function {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    timeout: Duration,
    sandbox: Option<Sandbox>,
    invocations: u64,
    log: Option<Arc<Mutex<Vec<String>>>>,
    /// Processes that were started.
    pub starts: u32,
    /// From the start of the newest process to its first call for work: what Lambda bills as init.
    pub init: Option<Duration>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Invoked {
    /// The function answered.
    Response(Value),
    /// The function, or the runtime on its behalf, reported an error.
    Error(Value),
    /// The process ended before it answered.
    Died,
    /// The deadline passed; the process was ended.
    TimedOut,
}

/// What a process used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time, user and system.
    pub cpu: Duration,
    /// Peak of resident memory, bytes.
    pub peak_memory: u64,
}

struct Sandbox {
    process: Child,
    work: mpsc::Sender<Work>,
    ready: Option<oneshot::Receiver<Instant>>,
    started: Instant,
}

struct Work {
    id: String,
    deadline_millis: u128,
    payload: Vec<u8>,
    answer: oneshot::Sender<Invoked>,
}

impl Function {
    /// A function of this binary. Nothing runs before the first invocation.
    #[must_use]
    pub fn new(binary: &Path, environment: &[(&str, &str)], timeout: Duration) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            binary: binary.to_owned(),
            environment: environment.iter().map(owned).collect(),
            timeout,
            sandbox: None,
            invocations: 0,
            log: None,
            starts: 0,
            init: None,
        }
    }

    /// Keeps what the process writes to its standard output, from its next start on.
    #[must_use]
    pub fn with_log(mut self) -> Self {
        self.log = Some(Arc::default());
        self
    }

    /// The last invocation's line of the log.
    ///
    /// # Errors
    /// When the log is not kept, or holds no line of JSON with the invocation's id within seconds.
    pub async fn last_line(&self) -> io::Result<Value> {
        let log = self.log.as_ref().ok_or_else(|| io::Error::other("the log is not kept"))?;
        let id = request_id(self.invocations);
        let begun = Instant::now();
        loop {
            {
                let lines = log.lock().unwrap_or_else(PoisonError::into_inner);
                let mut parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                if let Some(line) = parsed.find(|line| line["request_id"] == id.as_str()) {
                    return Ok(line);
                }
                if begun.elapsed() > LOG_TIMEOUT {
                    return Err(io::Error::other(format!("no line of {id} in {lines:?}")));
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Invokes the function once, starting a process when there is none.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub async fn invoke(&mut self, payload: &Value) -> io::Result<Invoked> {
        self.invoke_within(serde_json::to_vec(payload).map_err(io::Error::other)?, self.timeout).await
    }

    /// Invokes the function once with a timeout of its own.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub async fn invoke_within(&mut self, payload: Vec<u8>, timeout: Duration) -> io::Result<Invoked> {
        let mut sandbox = match self.sandbox.take() {
            Some(sandbox) => sandbox,
            None => self.start().await?,
        };
        self.invocations += 1;
        if let Some(ready) = sandbox.ready.take() {
            // Lambda's init has ten seconds.
            match tokio::time::timeout(Duration::from_secs(10), ready).await {
                Ok(Ok(at)) => self.init = Some(at - sandbox.started),
                _ => return Ok(Invoked::Died),
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let (answer, answered) = oneshot::channel();
        let work =
            Work { id: request_id(self.invocations), deadline_millis: (now + timeout).as_millis(), payload, answer };
        if sandbox.work.send(work).await.is_err() {
            return Ok(Invoked::Died);
        }
        tokio::select! {
            answer = answered => match answer {
                Ok(answer) => {
                    self.sandbox = Some(sandbox);
                    Ok(answer)
                }
                Err(_) => Ok(Invoked::Died),
            },
            _ = sandbox.process.wait() => Ok(Invoked::Died),
            () = tokio::time::sleep(timeout) => {
                sandbox.process.kill().await?;
                Ok(Invoked::TimedOut)
            }
        }
    }

    /// Ends the process, as Lambda does with one that is idle for long.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn stop(&mut self) -> io::Result<()> {
        match self.sandbox.take() {
            Some(mut sandbox) => sandbox.process.kill().await,
            None => Ok(()),
        }
    }

    /// What the process used so far; `None` when none runs.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let pid = self.sandbox.as_ref()?.process.id()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Fields 14 and 15 of proc(5), counted after the name in brackets, in ticks of 10 ms.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(Usage { cpu: Duration::from_millis(ticks * 10), peak_memory: kilobytes * 1024 })
    }

    async fn start(&mut self) -> io::Result<Sandbox> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (work, queue) = mpsc::channel(1);
        let (first_call, ready) = oneshot::channel();
        tokio::spawn(serve(listener, queue, first_call));
        self.starts += 1;
        self.init = None;
        let started = Instant::now();
        let mut process = Command::new(&self.binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "weir-test")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/weir-test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .envs(self.environment.iter().cloned())
            .stdout(if self.log.is_some() { Stdio::piped() } else { Stdio::null() })
            .kill_on_drop(true)
            .spawn()?;
        if let (Some(log), Some(output)) = (&self.log, process.stdout.take()) {
            tokio::spawn(keep(output, Arc::clone(log)));
        }
        Ok(Sandbox { process, work, ready: Some(ready), started })
    }
}

fn request_id(invocation: u64) -> String {
    format!("00000000-0000-4000-8000-{invocation:012}")
}

/// Takes a log line by line until the process ends.
async fn keep(output: impl AsyncRead + Unpin, log: Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Serves one process until its queue of work ends.
async fn serve(listener: TcpListener, mut queue: mpsc::Receiver<Work>, first_call: oneshot::Sender<Instant>) {
    let mut first_call = Some(first_call);
    let mut current: Option<Work> = None;
    while let Ok((stream, _)) = listener.accept().await {
        let mut connection = Connection::new(stream);
        while let Ok(Some(request)) = connection.request().await {
            let done = if request.method == "GET" && request.path.ends_with("/invocation/next") {
                if let Some(first) = first_call.take() {
                    let _ = first.send(Instant::now());
                }
                let Some(work) = queue.recv().await else { return };
                let deadline = work.deadline_millis.to_string();
                let headers = [
                    ("Lambda-Runtime-Aws-Request-Id", work.id.as_str()),
                    ("Lambda-Runtime-Deadline-Ms", deadline.as_str()),
                    ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:weir-test"),
                    ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"),
                ];
                let sent = connection.respond(200, &headers, &work.payload).await;
                current = Some(work);
                sent
            } else {
                let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                let answer =
                    if request.path.ends_with("/response") { Invoked::Response(body) } else { Invoked::Error(body) };
                if let Some(work) = current.take() {
                    let _ = work.answer.send(answer);
                }
                connection.respond(202, &[], b"{\"status\":\"OK\"}").await
            };
            if done.is_err() {
                break;
            }
        }
    }
}
