//! Listens on loopback and serves one connection a task; hyper drops what it works on when the browser goes away.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result};
use axum::{Router, body::Body, http::Request, response::IntoResponse as _, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::{
    StudioOptions, api,
    guard::{self, Guard},
    state::Studio,
};

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
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("port {port} is in use\n  hint: another one with --port"))?;
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

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When no more connections can be taken.
    pub async fn serve(self) -> Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await.context("the page's port")?;
            let (guard, router) = (Arc::clone(&self.guard), self.router.clone());
            let answer = service_fn(move |request| answer(request, Arc::clone(&guard), router.clone()));
            // A connection that breaks is the browser's to make again.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    }
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
