//! As much HTTP/1.1 as a client needs, one request a connection, and the ways in which it goes wrong.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::faults::{Faults, Trouble};

/// All of a body.
const WHOLE: usize = usize::MAX;

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The answer to it.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What does what is asked.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Before a request goes wrong or is done.
    fn arrives(&self) {}
    /// Does it.
    fn answer(&self, request: &Request) -> impl Future<Output = Answer> + Send;
}

pub(crate) async fn serve(listener: TcpListener, backend: Arc<impl Backend>, faults: Arc<Mutex<Faults>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (backend, faults) = (Arc::clone(&backend), Arc::clone(&faults));
        tokio::spawn(async move {
            // A client that went away is nothing to a server.
            let _ = answer(stream, &*backend, &faults).await;
        });
    }
}

async fn answer(mut stream: TcpStream, backend: &impl Backend, faults: &Mutex<Faults>) -> io::Result<()> {
    let request = read(&mut stream).await?;
    let path = request.target.split('?').next().unwrap_or_default().replace("/api/v1", "");
    let trouble = faults.lock().unwrap().note(&request.method, &path);
    backend.arrives();
    match trouble {
        Some(Trouble::Lost) => return Ok(()),
        Some(Trouble::Unavailable) => {
            return write(&mut stream, 503, r#"{"error":"controller-service not available"}"#, WHOLE).await;
        }
        _ => {}
    }
    let answer = backend.answer(&request).await;
    match trouble {
        Some(Trouble::LostAfter) => Ok(()),
        Some(Trouble::ErrorAfter) => write(&mut stream, 500, r#"{"error":"Something went wrong"}"#, WHOLE).await,
        Some(Trouble::Broken) => write(&mut stream, answer.status, &answer.body, answer.body.len() / 2).await,
        Some(Trouble::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            write(&mut stream, answer.status, &answer.body, WHOLE).await
        }
        _ => write(&mut stream, answer.status, &answer.body, WHOLE).await,
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut key, mut length) = (None, 0);
    loop {
        line.clear();
        reader.read_line(&mut line).await?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "authorization" => key = value.trim().strip_prefix("Bearer ").map(str::to_owned),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(Request { method, target, key, body })
}

/// Writes an answer, of its body at most so many bytes.
async fn write(stream: &mut TcpStream, status: u16, body: &str, most: usize) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes().get(..most.min(body.len())).unwrap_or_default()).await?;
    stream.flush().await
}
