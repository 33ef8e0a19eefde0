//! What can go wrong between here and a running pipeline.

use std::fmt;

/// Something that could not be done, what it was, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ArroyoError {
    /// What kind of fault, which decides what may be tried again.
    pub kind: Fault,
    /// What was being done.
    pub action: String,
    /// Why it could not be done.
    pub cause: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No answer, or one that says "not now": the same call may succeed later.
    Retryable,
    /// Arroyo understood and said no (4xx): the same call is refused again.
    Refused,
    /// There is no such pipeline or job (404).
    Absent,
    /// The address or the API key is wrong, or what answers is no Arroyo.
    Configuration,
    /// A pipeline does not run, or did not come up in time.
    Unhealthy,
}

impl ArroyoError {
    pub(crate) fn new(kind: Fault, action: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { kind, action: action.into(), cause: cause.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ArroyoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.cause)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
