//! Answers of several lines.

use std::future::Future;

use axum::{body::Body, http::header, response::Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::{
    api::contract::{Fault, Progress},
    fault::told,
};

/// Lines that may wait for the browser; older progress is worth nothing.
const WAITING_MOST: usize = 16;

/// Says how far the work is.
#[derive(Debug, Clone)]
pub(crate) struct Tell<T>(mpsc::Sender<Progress<T>>);

impl<T> Tell<T> {
    pub(crate) fn running(&self, share: Option<f64>, doing: &str) {
        let _ = self.0.try_send(Progress::Running { share, doing: doing.to_owned() });
    }

    pub(crate) async fn result(&self, result: T) {
        let _ = self.0.send(Progress::Done { result }).await;
    }
}

/// An answer that tells of its progress. The work is dropped with the answer, which ends with the connection, and when `superseded`
/// has lost its sender.
pub(crate) fn lines<T, W>(superseded: Option<watch::Receiver<()>>, work: impl FnOnce(Tell<T>) -> W) -> Response
where
    T: Serialize + Send + 'static,
    W: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING_MOST);
    let working = work(Tell(sender.clone()));
    let guarded = async move {
        let ended = async {
            match superseded {
                Some(mut newer) => while newer.changed().await.is_ok() {},
                None => std::future::pending().await,
            }
        };
        let failed = tokio::select! {
            done = working => done.err().map(|error| told(&error)),
            () = ended => Some(Fault { message: SUPERSEDED.to_owned(), hint: None }),
        };
        if let Some(fault) = failed {
            let _ = sender.send(Progress::Failed(fault)).await;
        }
    };
    let said = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|line| (line, receiver)) });
    // The work has no line of its own: it is polled with the lines and dropped with them.
    let worked = stream::once(guarded).filter_map(async |()| None);
    respond(stream::select(said, worked))
}

/// What a tab hears of an evaluation that its next one has ended.
pub(crate) const SUPERSEDED: &str = "superseded";

fn respond<T: Serialize>(lines: impl Stream<Item = Progress<T>> + Send + 'static) -> Response {
    let bytes = lines.map(|line| {
        let mut text = serde_json::to_vec(&line).map_err(std::io::Error::other)?;
        text.push(b'\n');
        Ok::<_, std::io::Error>(Bytes::from(text))
    });
    let mut response = Response::new(Body::from_stream(bytes));
    let kind = axum::http::HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
