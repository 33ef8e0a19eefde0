//! What AWS refused, in words that say what to do.

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that did not succeed after its retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {cause}{}", hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}")))]
pub struct CloudError {
    /// What was being done.
    pub action: String,
    /// What AWS, or the way to it, answered.
    pub cause: String,
    /// What to do.
    pub hint: Option<&'static str>,
}

impl CloudError {
    pub(crate) fn new(action: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { action: action.into(), cause: cause.into(), hint: None }
    }

    /// With the hint that its cause has.
    pub(crate) fn of(action: impl Into<String>, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let hint = hint(&cause);
        Self { action: action.into(), cause, hint }
    }

    /// From an error and its causes.
    pub(crate) fn from_chain(action: impl Into<String>, error: &dyn std::error::Error) -> Self {
        Self::of(action, chain(error))
    }

    /// From an SDK's error.
    pub(crate) fn from_sdk<E>(action: impl Into<String>, error: E) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error,
    {
        let cause = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            // Nothing was answered: the chain of causes says why (connection refused, no credentials, time-out).
            _ => chain(&error),
        };
        Self::of(action, cause)
    }
}

/// An error and its causes in one line. The SDK's own form adds the whole response as Rust prints it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}

fn hint(cause: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if has(&["CredentialsNotLoaded", "no providers in chain", "loading credentials"]) {
        Some("no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    } else if has(&["MissingRegion", "region must be set", "Invalid Configuration: Missing Region"]) {
        Some("no AWS region was found: set AWS_REGION")
    } else if has(&["Connection refused", "dispatch failure", "dns error"]) {
        Some("nothing answers there: is the local stack up (`make up`), and does AWS_ENDPOINT_URL point to it?")
    } else if has(&["ResourceNotFound", "NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket"]) {
        Some("no such resource in this account and region: check AWS_REGION and the name (`terraform output`)")
    } else if has(&[
        "AccessDenied",
        "UnrecognizedClient",
        "InvalidSignature",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "ExpiredToken",
    ]) {
        Some("these credentials may not do this: check AWS_PROFILE and the role's policy")
    } else {
        None
    }
}
