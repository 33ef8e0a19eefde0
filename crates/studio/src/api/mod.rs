//! The JSON API: one module a subject, and [`contract`] with every type that crosses the wire.
//!
//! Answers that take time are Server-Sent Events ([`contract::Progress`] in each), one as often as there is something to say and the
//! result as the last. When the browser goes away, or its tab asks for something newer, the work ends.

pub mod contract;
mod evaluation;
mod history;
mod project;
mod stack;
mod stream;
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{delete, get, post},
};

use crate::{assets, fault::ApiError, state::Studio};

/// Bytes of a request: a rule and its tests are text that people write.
const BODY_MOST: usize = 4 << 20;

pub(crate) fn router(studio: Arc<Studio>) -> Router {
    let api = Router::new()
        .route("/project", get(project::project))
        .route("/file", get(project::file).put(project::save))
        .route("/version", get(project::version))
        .route("/check", post(project::check))
        .route("/words", get(project::words))
        .route("/history", post(history::open))
        .route("/labels", get(history::labels).post(history::add_label).delete(history::remove_label))
        .route("/evaluate", post(evaluation::evaluate))
        .route("/sweep", post(evaluation::sweep))
        .route("/chart", post(evaluation::chart))
        .route("/anomalies", post(evaluation::anomalies))
        .route("/tests", post(tests::run))
        .route("/case", post(tests::make_case))
        .route("/running", get(stack::status))
        .route("/tail", get(stack::tail))
        .route("/stored", get(stack::list))
        .route("/stored/{id}", get(stack::explain).post(stack::again))
        .route("/alerts", get(stack::alerts))
        .route("/silences", get(stack::silences).post(stack::silence))
        .route("/silences/{id}", delete(stack::end_silence))
        .route("/quarantine", get(stack::quarantine).post(stack::send_again))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "there is no such question"));
    Router::new()
        .route("/", get(assets::page))
        .route("/app/{name}", get(assets::file))
        .nest("/api", api)
        .layer(DefaultBodyLimit::max(BODY_MOST))
        .with_state(studio)
}
