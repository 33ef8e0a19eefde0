//! What AWS refused, with what to do about it.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

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
    /// An error without a hint.
    pub(crate) fn new(action: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { action: action.into(), cause: cause.into(), hint: None }
    }

    /// From an error and its causes.
    pub(crate) fn with_hint(
        action: impl Into<String>,
        error: &(dyn std::error::Error + 'static),
        hint: Option<Hint>,
    ) -> Self {
        Self { action: action.into(), cause: chain(error), hint: hint.map(Hint::text) }
    }

    /// From an SDK's error.
    pub(crate) fn from_sdk<E>(action: impl Into<String>, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let hint = Hint::of(&error);
        let cause = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            // Nothing was answered: the chain of causes says why (connection refused, no credentials, time-out).
            _ => chain(&error),
        };
        Self { action: action.into(), cause, hint: hint.map(Hint::text) }
    }
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// No credentials were found.
    Credentials,
    /// No region was found, or the endpoint is no URL.
    Region,
    /// Nothing answers at the endpoint.
    Unreachable,
    /// The resource is not there.
    NoSuchResource,
    /// The credentials are not valid, or not allowed to do this.
    Denied,
}

impl Hint {
    fn of<E>(error: &SdkError<E>) -> Option<Self>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(code) = error.code() {
            return Self::of_code(code);
        }
        let is_missing = |e: &CredentialsError| matches!(e, CredentialsError::CredentialsNotLoaded(_));
        if causes(error).filter_map(|e| e.downcast_ref::<CredentialsError>()).any(is_missing) {
            return Some(Self::Credentials);
        }
        match error {
            SdkError::ConstructionFailure(_) => Some(Self::Region),
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// By the codes of the services' API references ("Common errors", and each call's own).
    fn of_code(code: &str) -> Option<Self> {
        match code {
            "ResourceNotFoundException"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue"
            | "NonExistentQueue" => Some(Self::NoSuchResource),
            "AccessDenied"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "ExpiredToken"
            | "ExpiredTokenException" => Some(Self::Denied),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Credentials => {
                "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::Region => "set AWS_REGION, and check AWS_ENDPOINT_URL where it is set",
            Self::Unreachable => {
                "nothing answers there: is the local stack up (`make up`), and does AWS_ENDPOINT_URL point to it?"
            }
            Self::NoSuchResource => {
                "no such resource in this account and region: check AWS_REGION and the name (`terraform output`)"
            }
            Self::Denied => "these credentials may not do this: check AWS_PROFILE and the role's policy",
        }
    }
}

/// An error and its causes, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// An error and its causes in one line. The SDK's own form adds the whole response as Rust prints it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).fold(String::new(), |said, text| match said.as_str() {
        "" => text,
        before if before.ends_with(&text) => said,
        _ => format!("{said}: {text}"),
    })
}
