//! A loopback door to Arroyo that adds the API key: Arroyo 0.15 wants it for its pages too, and a browser cannot send it.
//!
//! One request a connection: the head is rewritten, everything after it is passed on as it is.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Bytes of a request's head; browsers and servers agree on less.
const HEAD_BYTES: usize = 64 * 1024;

/// Listens on a loopback port and passes on to another one of this machine.
#[derive(Debug)]
pub(crate) struct Proxy {
    listener: TcpListener,
    upstream: SocketAddr,
    key: Option<String>,
    port: u16,
}

impl Proxy {
    /// Opens the door; port 0 takes a free one.
    pub(crate) async fn open(port: u16, upstream: SocketAddr, key: Option<String>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("port {port} is in use\n  hint: another one with --port"))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, upstream, key, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(&self) -> Result<()> {
        loop {
            let (client, _) = self.listener.accept().await?;
            let (upstream, key, port) = (self.upstream, self.key.clone(), self.port);
            // A connection that breaks is the browser's to try again.
            tokio::spawn(async move { pass(client, upstream, key.as_deref(), port).await });
        }
    }
}

async fn pass(mut client: TcpStream, upstream: SocketAddr, key: Option<&str>, port: u16) -> Result<()> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if received.len() > HEAD_BYTES || client.read_buf(&mut received).await? == 0 {
            return refuse(&mut client, "400 Bad Request").await;
        }
    };
    let (head, body) = received.split_at(end);
    let Some(head) = rewrite(&String::from_utf8_lossy(head), key, port) else {
        return refuse(&mut client, "403 Forbidden").await;
    };
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return refuse(&mut client, "502 Bad Gateway").await;
    };
    server.write_all(head.as_bytes()).await?;
    server.write_all(body).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn refuse(client: &mut TcpStream, status: &str) -> Result<()> {
    client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    Ok(())
}

/// The head with the key, for one request. `None` when it comes from elsewhere than this machine's own address: another
/// site's page in the same browser must not speak with the key.
fn rewrite(head: &str, key: Option<&str>, port: u16) -> Option<String> {
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let mut lines = head.split("\r\n");
    let mut rewritten = format!("{}\r\n", lines.next()?);
    let mut host = false;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" if own.iter().any(|own| own == value) => host = true,
            "host" => return None,
            "origin" if !own.iter().any(|own| value == format!("http://{own}")) => return None,
            "sec-fetch-site" if !matches!(value, "same-origin" | "none") => return None,
            "authorization" | "connection" | "keep-alive" | "proxy-connection" => continue,
            _ => {}
        }
        rewritten.push_str(line);
        rewritten.push_str("\r\n");
    }
    if !host {
        return None;
    }
    if let Some(key) = key {
        rewritten.push_str(&format!("Authorization: Bearer {key}\r\n"));
    }
    rewritten.push_str("Connection: close\r\n");
    // The blank line that ends the head was left in front of the body.
    Some(rewritten.trim_end_matches("\r\n").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_added_and_the_connection_carries_one_request() {
        let head =
            "GET /api/v1/ping HTTP/1.1\r\nHost: localhost:8115\r\nConnection: keep-alive\r\nAuthorization: Bearer no";
        assert_eq!(
            rewrite(head, Some("k1"), 8115).unwrap(),
            "GET /api/v1/ping HTTP/1.1\r\nHost: localhost:8115\r\nAuthorization: Bearer k1\r\nConnection: close"
        );
    }

    #[test]
    fn another_sites_page_gets_nothing() {
        for head in [
            "GET / HTTP/1.1\r\nHost: evil.example:8115",
            "GET / HTTP/1.1",
            "POST /api/v1/pipelines HTTP/1.1\r\nHost: 127.0.0.1:8115\r\nOrigin: https://evil.example",
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:8115\r\nSec-Fetch-Site: cross-site",
        ] {
            assert_eq!(rewrite(head, Some("k1"), 8115), None, "{head}");
        }
        let own = "POST / HTTP/1.1\r\nHost: 127.0.0.1:8115\r\nOrigin: http://127.0.0.1:8115";
        assert!(rewrite(own, Some("k1"), 8115).is_some());
    }

    #[tokio::test]
    async fn a_request_goes_through_and_its_answer_comes_back() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = server.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut received = Vec::new();
            while !received.ends_with(b"\r\n\r\nbody") {
                assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nanswer").await.unwrap();
            String::from_utf8(received).unwrap()
        });
        let proxy = Proxy::open(0, upstream, Some("k1".to_owned())).await.unwrap();
        let port = proxy.port;
        let serving = tokio::spawn(async move { proxy.serve().await });
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 4\r\n\r\nbody");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK\r\n\r\nanswer");
        assert!(answering.await.unwrap().contains("Authorization: Bearer k1\r\nConnection: close\r\n\r\nbody"));
        serving.abort();
    }
}
