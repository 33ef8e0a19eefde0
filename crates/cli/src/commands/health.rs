//! `weir health`: whether a run on this machine answers, for what looks after tasks.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Says whether a `weir run` on this machine answers: exit code 0 when it does, 1 when not
///
/// It asks for the counters that `weir run --metrics-port PORT` serves. A container without a shell has nothing else to ask with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir run pack.sql --metrics-port 9464 & weir health --metrics-port 9464")]
pub(crate) struct HealthCommand {
    /// The port of the run's counters
    #[arg(long, default_value_t = 9464, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    metrics_port: u16,
}

/// A run that is well answers within milliseconds. ECS and Docker wait at least this long for a health check.
const PATIENCE: Duration = Duration::from_secs(2);
/// The beginning of an answer that says yes.
const WELL: &[u8] = b"HTTP/1.1 200";

pub(crate) fn run(command: &HealthCommand) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, command.metrics_port));
    let what =
        || format!("no run answers at http://{address}/metrics\n  hint: weir run --metrics-port {}", address.port());
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(what)?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .with_context(what)?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(what)?;
    let mut begin = [0; WELL.len()];
    stream.read_exact(&mut begin).with_context(what)?;
    if begin != WELL {
        bail!("what answers at http://{address}/metrics is no run that is well: {}", String::from_utf8_lossy(&begin));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn asked(answer: &'static str) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let metrics_port = listener.local_addr().unwrap().port();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            // All of it: what is left unread would reset the connection.
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        let answered = run(&HealthCommand { metrics_port });
        assert!(served.join().unwrap().starts_with(b"GET /metrics HTTP/1.1\r\n"));
        answered
    }

    #[test]
    fn only_a_run_that_answers_is_well() {
        asked("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert!(asked("HTTP/1.1 500 Oh\r\n\r\n").unwrap_err().to_string().contains("no run that is well"));
        assert!(asked("").is_err());
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let none = run(&HealthCommand { metrics_port: free }).unwrap_err();
        assert!(none.to_string().contains("hint: weir run --metrics-port"), "{none}");
    }
}
