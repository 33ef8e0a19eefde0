//! A proxy between the real binary and the emulator that makes calls fail as AWS's calls fail.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::http::{Connection, Request};

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes through.
    Passes,
    /// It is throttled and has no effect.
    Throttled,
    /// The caller has no permission.
    Denied,
    /// What it asks for is not valid.
    Refused,
    /// It takes effect and the answer is lost.
    AnswerLost,
    /// It never comes to an end.
    Hangs,
}

/// One call, as far as it tells what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `DynamoDB_20120810.BatchExecuteStatement`, `AmazonSQS.SendMessageBatch`, `sns.PublishBatch`…
    pub action: String,
    /// Which call it is, from 0.
    pub number: usize,
    /// What it sends; only while its fate is decided.
    pub body: String,
}

type Decide = dyn FnMut(&Call) -> Fate + Send;

/// The proxy.
pub struct Proxy {
    /// Its address, to be given to the binary as `AWS_ENDPOINT_URL`.
    pub url: String,
    decide: Arc<Mutex<Box<Decide>>>,
    /// Every call that came.
    pub calls: Arc<Mutex<Vec<Call>>>,
}

impl Proxy {
    /// A proxy in front of the emulator at `upstream` (`127.0.0.1:port`). Everything passes.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let decide: Arc<Mutex<Box<Decide>>> = Arc::new(Mutex::new(Box::new(|_| Fate::Passes)));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (upstream, deciding, noting) = (upstream.to_owned(), Arc::clone(&decide), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, upstream.clone(), Arc::clone(&deciding), Arc::clone(&noting)));
            }
        });
        Ok(Self { url, decide, calls })
    }

    /// Lets `decide` say what becomes of each call from now on, counted from 0 again.
    pub fn decide(&self, decide: impl FnMut(&Call) -> Fate + Send + 'static) {
        if let (Ok(mut slot), Ok(mut calls)) = (self.decide.lock(), self.calls.lock()) {
            *slot = Box::new(decide);
            calls.clear();
        }
    }
}

async fn serve(stream: TcpStream, upstream: String, decide: Arc<Mutex<Box<Decide>>>, calls: Arc<Mutex<Vec<Call>>>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.request().await {
        let fate = match (decide.lock(), calls.lock()) {
            (Ok(mut decide), Ok(mut calls)) => {
                let (action, number) = (action(&request), calls.len());
                calls.push(Call { action: action.clone(), number, body: String::new() });
                decide(&Call { action, number, body: String::from_utf8_lossy(&request.body).into_owned() })
            }
            _ => return,
        };
        match fate {
            Fate::Passes => match forward(&upstream, &request).await {
                Ok((code, kind, body)) => {
                    if connection.respond(code, &[("content-type", &kind)], &body).await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            },
            Fate::Throttled | Fate::Denied | Fate::Refused => {
                let code = match fate {
                    Fate::Denied => "AccessDeniedException",
                    Fate::Refused => "ValidationException",
                    _ => "ThrottlingException",
                };
                // SNS speaks XML, the others JSON.
                let body = if action(&request).starts_with("sns.") {
                    format!(
                        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>-</Message></Error></ErrorResponse>"
                    )
                } else {
                    format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"-"}}"#)
                };
                if connection.respond(400, &[], body.as_bytes()).await.is_err() {
                    return;
                }
            }
            Fate::AnswerLost => {
                let _ = forward(&upstream, &request).await;
                return;
            }
            Fate::Hangs => std::future::pending().await,
        }
    }
}

fn action(request: &Request) -> String {
    let target = request.headers.iter().find(|(name, _)| name == "x-amz-target").map(|(_, value)| value.clone());
    target.unwrap_or_else(|| {
        let body = String::from_utf8_lossy(&request.body);
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        format!("sns.{}", action.unwrap_or("unknown"))
    })
}

/// Sends the request on, over a connection of its own, and reads the answer.
async fn forward(upstream: &str, request: &Request) -> io::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(upstream).await?;
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding" | "expect") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", request.body.len()));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&request.body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(|| io::Error::other("no answer"))?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let code =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| io::Error::other("no status"))?;
    let kind = head
        .lines()
        .find_map(|line| line.strip_prefix("content-type:"))
        .unwrap_or("application/json")
        .trim()
        .to_owned();
    let body = if head.contains("transfer-encoding: chunked") { unchunk(body)? } else { body.to_vec() };
    Ok((code, kind, body))
}

fn unchunk(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|bytes| bytes == b"\r\n").ok_or_else(|| io::Error::other("broken chunk"))?;
        let (size, after) = rest.split_at(end);
        let size = usize::from_str_radix(&String::from_utf8_lossy(size), 16).map_err(io::Error::other)?;
        let chunk = after.get(2..2 + size).ok_or_else(|| io::Error::other("short chunk"))?;
        body.extend_from_slice(chunk);
        rest = after.get(2 + size + 2..).unwrap_or_default();
        if size == 0 {
            return Ok(body);
        }
    }
}
