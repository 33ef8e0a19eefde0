//! As much HTTP/1.1 as a client needs, one request a connection, and the ways in which it goes wrong.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{Trouble, World, api::Answer};

pub(crate) async fn serve(listener: TcpListener, world: Arc<Mutex<World>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            // A client that went away is nothing to a server.
            let _ = answer(stream, &world).await;
        });
    }
}

async fn answer(mut stream: TcpStream, world: &Mutex<World>) -> io::Result<()> {
    let request = read(&mut stream).await?;
    let (trouble, answer) = {
        let mut world = world.lock().unwrap();
        let call = world.calls.len();
        let path = request.target.split('?').next().unwrap_or_default().replace("/api/v1", "");
        world.calls.push(format!("{} {path}", request.method));
        let trouble = world.troubles.get(&call).copied();
        world.tick();
        let answer = match trouble {
            Some(Trouble::Lost) => return Ok(()),
            Some(Trouble::Unavailable) => {
                Answer { status: 503, body: r#"{"error":"controller-service not available"}"#.to_owned() }
            }
            _ => world.answer(&request.method, &request.target, request.key.as_deref(), &request.body),
        };
        (trouble, answer)
    };
    match trouble {
        Some(Trouble::LostAfter) => Ok(()),
        Some(Trouble::ErrorAfter) => write(&mut stream, 500, r#"{"error":"Something went wrong"}"#, usize::MAX).await,
        Some(Trouble::Broken) => write(&mut stream, answer.status, &answer.body, answer.body.len() / 2).await,
        Some(Trouble::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            write(&mut stream, answer.status, &answer.body, usize::MAX).await
        }
        _ => write(&mut stream, answer.status, &answer.body, usize::MAX).await,
    }
}

struct Request {
    method: String,
    target: String,
    key: Option<String>,
    body: Vec<u8>,
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
