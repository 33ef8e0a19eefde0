//! Listens on loopback and serves one connection a task; hyper drops what it works on when the browser goes away.

use std::{
    convert::Infallible,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use axum::{Router, body::Body, http::Request, response::IntoResponse as _, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};
use tower_service::Service as _;

use crate::{
    StudioOptions, api,
    guard::{self, Guard},
    state::Studio,
};

/// Connections at one time: a browser has six a tab. More wait until one of them ends.
const MAX_CONNECTIONS: usize = 256;
/// How long a request's head may take. A browser sends it in one piece, and makes a connection again that was closed while idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// After a connection that could not be taken: what is short (descriptors, memory) is short for a moment.
const TAKE_AGAIN: Duration = Duration::from_millis(100);

/// A page that can be opened.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    guard: Arc<Guard>,
    router: Router,
    fragment: String,
}

pub(crate) async fn open(options: StudioOptions) -> Result<Server> {
    let port = options.port;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| not_listening(port, error))?;
    let address = listener.local_addr()?;
    let guard = Arc::new(Guard::new(address.port())?);
    let fragment = options.open.as_ref().map_or_else(String::new, |id| format!("#view=history&anomaly={id}"));
    let router = api::router(Arc::new(Studio::new(options)));
    Ok(Server { listener, address, guard, router, fragment })
}

impl Server {
    /// The address to open, with its token.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", crate::address(self.address, self.guard.token()), self.fragment)
    }

    /// Serves until it is dropped. A connection that cannot be taken is the browser's to make again, and ends nothing.
    ///
    /// # Errors
    /// Never while it serves.
    pub async fn serve(self) -> Result<()> {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let place = Arc::clone(&room).acquire_owned().await?;
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(TAKE_AGAIN).await;
                continue;
            };
            let (guard, router) = (Arc::clone(&self.guard), self.router.clone());
            let answer = service_fn(move |request| answer(request, Arc::clone(&guard), router.clone()));
            let mut http = http1::Builder::new();
            let connection = http
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async move {
                // A connection that breaks is the browser's to make again.
                let _ = connection.await;
                drop(place);
            });
        }
    }
}

/// Why nobody can be served on a port.
fn not_listening(port: u16, error: std::io::Error) -> anyhow::Error {
    let what = match error.kind() {
        ErrorKind::AddrInUse => format!("port {port} is in use\n  hint: another one with --port, or 0 for a free one"),
        ErrorKind::PermissionDenied => {
            format!("port {port} is not yours to listen on\n  hint: one from 1024 on with --port, or 0 for a free one")
        }
        _ => format!("port {port} of this machine cannot be listened on"),
    };
    anyhow::Error::new(error).context(what)
}

async fn answer(request: Request<Incoming>, guard: Arc<Guard>, mut router: Router) -> Result<Response, Infallible> {
    let nonce = guard::secret().unwrap_or_default();
    let checked = guard.check(request.method(), request.uri().path(), request.headers());
    let mut response = match checked {
        Err(error) => error.into_response(),
        Ok(()) => {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Nonce(nonce.clone()));
            router.call(request).await?
        }
    };
    guard::harden(response.headers_mut(), &nonce);
    Ok(response)
}

/// What the styles of one page carry.
#[derive(Debug, Clone)]
pub(crate) struct Nonce(pub(crate) String);
