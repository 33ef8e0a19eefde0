//! What went wrong, as the page hears it: one line, and a hint where there is one.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::api::contract::Fault;

/// An answer that is none.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    fault: Fault,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, fault: Fault { message: message.into(), hint: None } }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.fault.hint = Some(hint.into());
        self
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, fault: told(&error) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.fault)).into_response()
    }
}

/// The error and its causes in one line, and their hints, which stand on lines of their own.
pub(crate) fn told(error: &anyhow::Error) -> Fault {
    let mut said = Vec::new();
    let mut hints = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        match text.split_once("\n  hint: ") {
            // Several faults in one message keep their hints beside them.
            Some((message, hint)) if !hint.contains('\n') => {
                said.push(message.to_owned());
                hints.push(hint.to_owned());
            }
            _ => said.push(text),
        }
    }
    Fault { message: said.join(": "), hint: (!hints.is_empty()).then(|| hints.join("; ")) }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn hints_stand_beside_what_is_wrong() {
        let error = anyhow!("no such file\n  hint: name another").context("the history");
        let fault = told(&error);
        assert_eq!(
            (fault.message.as_str(), fault.hint.as_deref()),
            ("the history: no such file", Some("name another"))
        );
        let several = anyhow!("a\n  hint: b\nc\n  hint: d");
        assert_eq!(told(&several).hint, None, "each keeps its own");
        assert!(Err::<(), _>(anyhow!("x")).context("y").is_err_and(|e| told(&e).message == "y: x"));
    }
}
