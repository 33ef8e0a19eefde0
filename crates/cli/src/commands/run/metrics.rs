//! The counters of a run on a loopback port, for Prometheus.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use weir_engine::RunReport;

use super::prometheus;

/// Connections at a time: a scraper uses one; more wait.
const CONNECTIONS: usize = 16;
/// Prometheus gives up after 10 s by default; a connection that says nothing for as long is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failure to accept (no file handles left), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is open, and not served yet.
#[derive(Debug)]
pub(crate) struct Metrics {
    listener: TcpListener,
    port: u16,
}

impl Metrics {
    /// Opens a port of this machine alone; 0 takes a free one.
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("port {port} is in use\n  hint: another one with --metrics-port"))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.port)
    }

    /// Serves until it is dropped. Where there is nothing to report, what asks is told that the run is not well.
    pub(crate) async fn serve(&self, report: impl Fn() -> Option<RunReport> + Send + Sync + 'static) {
        let report = Arc::new(report);
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let report = Arc::clone(&report);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, report());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A scraper that went away is nothing to a run.
                let _ = connection.await;
                drop(permit);
            });
        }
    }
}

fn answer(request: &Request<Incoming>, report: Option<RunReport>) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => report.map_or_else(
            || (StatusCode::SERVICE_UNAVAILABLE, "the run is not well\n".to_owned()),
            |report| (StatusCode::OK, prometheus::text(&report)),
        ),
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "see /metrics\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
