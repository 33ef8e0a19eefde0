//! As much HTTP/1.1 as the runtime API needs, on one connection.

use std::io;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// One connection of a client.
pub(super) struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// One request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer }
    }

    /// The next request; `None` when the client is gone.
    pub(super) async fn request(&mut self) -> io::Result<Option<Request>> {
        let Some(first) = self.line().await? else {
            return Ok(None);
        };
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        while let Some(header) = self.line().await?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = header.split_once(':') {
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
        }
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let body = if header("transfer-encoding") == Some("chunked") {
            self.chunks().await?
        } else {
            let length = header("content-length").unwrap_or("0").parse().map_err(io::Error::other)?;
            self.bytes(length).await?
        };
        Ok(Some(Request { method, path, headers, body }))
    }

    pub(super) async fn respond(&mut self, code: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        let mut head =
            format!("HTTP/1.1 {code} -\r\ncontent-length: {}\r\ncontent-type: application/json\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.writer.write_all(head.as_bytes()).await?;
        self.writer.write_all(body).await?;
        self.writer.flush().await
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?.unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            body.extend(self.bytes(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}
