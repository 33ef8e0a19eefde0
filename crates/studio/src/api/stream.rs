//! Answers that go on: Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), one a [`Progress`].

use std::{convert::Infallible, future::Future, time::Duration};

use axum::{body::Body, http::header, response::Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    api::contract::{Fault, Progress},
    fault::told,
};

/// Events that may wait for the browser; older progress is worth nothing.
const WAITING_MOST: usize = 16;

/// After so long a silence a comment is sent: who listens knows that somebody is there, and a browser that is gone is noticed.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a page waits before it asks again where a stream broke off, milliseconds.
const ASK_AGAIN: u32 = 2000;

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
pub(crate) fn events<T, W>(superseded: Option<watch::Receiver<()>>, work: impl FnOnce(Tell<T>) -> W) -> Response
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
    let said = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|event| (event, receiver)) });
    // The work has no event of its own: it is polled with the events and dropped with them.
    let worked = stream::once(guarded).filter_map(async |()| None);
    respond(stream::select(said, worked))
}

/// What a tab hears of an evaluation that its next one has ended.
pub(crate) const SUPERSEDED: &str = "superseded";

fn respond<T: Serialize + Send + 'static>(events: impl Stream<Item = Progress<T>> + Send + 'static) -> Response {
    let begin = stream::once(async { Bytes::from(format!("retry: {ASK_AGAIN}\n\n")) });
    let said = stream::unfold(Box::pin(events), |mut events| async {
        let bytes = tokio::select! {
            event = events.next() => written(&event?),
            () = sleep(SILENCE) => Bytes::from_static(b":\n\n"),
        };
        Some((bytes, events))
    });
    let mut response = Response::new(Body::from_stream(begin.chain(said).map(Ok::<_, Infallible>)));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    response
}

/// An event: its name is the state, its data one line of JSON.
fn written<T: Serialize>(progress: &Progress<T>) -> Bytes {
    let name = match progress {
        Progress::Running { .. } => "running",
        Progress::Done { .. } => "done",
        Progress::Failed(_) => "failed",
    };
    let data = serde_json::to_string(progress);
    // What cannot be written is told, and not left out.
    let (name, data) = match data {
        Ok(data) => (name, data),
        Err(error) => {
            let fault = Fault { message: format!("the answer cannot be written: {error}"), hint: None };
            ("failed", serde_json::to_string(&Progress::<()>::Failed(fault)).unwrap_or_default())
        }
    };
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_those_of_the_standard_and_silence_is_broken() {
        let response = events(None, |tell: Tell<String>| async move {
            tell.running(Some(0.5), "reading");
            sleep(SILENCE + Duration::from_secs(1)).await;
            tell.result("a\nb".to_owned()).await;
            anyhow::bail!("no\n  hint: yes")
        });
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let expected = "retry: 2000\n\nevent: running\ndata: {\"state\":\"running\",\"share\":0.5,\"doing\":\"reading\"}\n\n:\n\n\
            event: done\ndata: {\"state\":\"done\",\"result\":\"a\\nb\"}\n\n\
            event: failed\ndata: {\"state\":\"failed\",\"message\":\"no\",\"hint\":\"yes\"}\n\n";
        assert_eq!(body(response).await, expected);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_ends_its_work() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let response = events(None, |_: Tell<()>| async move {
            let _alive = alive;
            std::future::pending().await
        });
        let mut body = response.into_body().into_data_stream();
        assert!(body.next().await.is_some());
        drop(body);
        assert!(ended.await.is_err(), "the work is dropped");
    }
}
