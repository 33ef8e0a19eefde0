//! The classes of AWS's errors.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::ports::Fault;

/// Calls in flight at once, for each service. Enough to hide the network, few enough for one connection pool and 256 MB.
pub const CONCURRENCY: usize = 16;

/// The class of a failed call.
pub fn fault<E: ProvideErrorMetadata, R: std::fmt::Debug>(error: &SdkError<E, R>) -> Fault {
    match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            class(meta.code().unwrap_or("unknown"), meta.message().unwrap_or_default())
        }
        SdkError::TimeoutError(_) => Fault::Retryable("timed out".to_owned()),
        SdkError::DispatchFailure(failure) => Fault::Retryable(format!("not reached: {failure:?}")),
        SdkError::ResponseError(_) => Fault::Retryable("unreadable answer".to_owned()),
        _ => Fault::Configuration("the request could not be built".to_owned()),
    }
}

/// The class of an error code. Unknown codes are retryable: the record then goes back to the stream and ends, at worst, in
/// the dead-letter queue, whereas a wrong "never" would lose it.
#[must_use]
pub fn class(code: &str, message: &str) -> Fault {
    let text = format!("{code}: {message}");
    match code {
        "ValidationException"
        | "ValidationError"
        | "ItemCollectionSizeLimitExceeded"
        | "InvalidMessageContents"
        | "InvalidParameter"
        | "InvalidParameterValue" => Fault::Poison(text),
        "AccessDeniedException"
        | "AccessDenied"
        | "AuthorizationError"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "KMSAccessDenied"
        | "KmsAccessDenied"
        | "KMSAccessDeniedException" => Fault::Denied(text),
        "ResourceNotFoundException"
        | "ResourceNotFound"
        | "NotFound"
        | "NotFoundException"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "QueueDoesNotExist"
        | "KMSDisabled"
        | "KmsDisabled"
        | "KMSNotFound"
        | "KmsNotFound" => Fault::Configuration(text),
        _ => Fault::Retryable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trying_again_can_help_is_retryable() {
        assert!(class("ThrottlingException", "").is_retryable());
        assert!(class("ProvisionedThroughputExceeded", "").is_retryable());
        assert!(class("SomethingNew", "").is_retryable());
        assert!(matches!(class("ValidationError", ""), Fault::Poison(_)));
        assert!(matches!(class("AccessDenied", ""), Fault::Denied(_)));
        assert!(matches!(class("ResourceNotFoundException", ""), Fault::Configuration(_)));
    }
}
