//! A way to the emulator that can be closed, or be slow, for S3 alone.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// How S3 answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3 {
    Well = 0,
    /// `503 Slow Down`, as AWS throttles.
    Refuses = 1,
    /// After three seconds.
    Slow = 2,
}

const SLOW: Duration = Duration::from_secs(3);

/// Listens until the process ends.
pub(crate) struct Gateway {
    pub(crate) address: String,
    mode: Arc<AtomicU8>,
    refused: Arc<AtomicU32>,
}

impl Gateway {
    pub(crate) fn open(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let (mode, refused) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicU32::new(0)));
        let (told, counted) = (Arc::clone(&mode), Arc::clone(&refused));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, told, counted) = (upstream.clone(), Arc::clone(&told), Arc::clone(&counted));
                // A connection that breaks off is the client's to notice.
                thread::spawn(move || pass(client, &upstream, &told, &counted));
            }
        });
        Self { address, mode, refused }
    }

    pub(crate) fn set(&self, mode: S3) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Requests of S3 that were refused so far.
    pub(crate) fn refused(&self) -> u32 {
        self.refused.load(Ordering::SeqCst)
    }
}

/// One request: the connection ends with its answer, so that each is judged by itself.
fn pass(mut client: TcpStream, upstream: &str, mode: &AtomicU8, refused: &AtomicU32) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    // The other services name their operation in a header.
    let is_s3 = !text.to_ascii_lowercase().contains("\r\nx-amz-target:");
    match mode.load(Ordering::SeqCst) {
        mode if is_s3 && mode == S3::Refuses as u8 => {
            refused.fetch_add(1, Ordering::SeqCst);
            client.write_all(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
            return client.shutdown(Shutdown::Write);
        }
        mode if is_s3 && mode == S3::Slow as u8 => thread::sleep(SLOW),
        _ => {}
    }
    let lines = text.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head = lines.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.as_bytes())?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let body = thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)?;
    let _ = body.join();
    Ok(())
}
