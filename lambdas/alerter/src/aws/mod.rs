//! The adapters to AWS.
//!
//! Clients are made from what Lambda puts into the environment and nothing else: the credential chain of `aws-config` reads
//! files and asks other services, which costs start time and binary for answers that Lambda has already given.

mod dynamodb;
mod partiql;
mod sns;
mod sqs;

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{
    Builder,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_types::SdkConfig;

pub use dynamodb::DynamoStore;
pub use sns::SnsNotifier;
pub use sqs::SqsQuarantine;

use crate::{config::Config, ports::Fault};

/// One attempt of one call, at most. DynamoDB, SNS and SQS answer within tens of milliseconds; what takes longer is lost.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection inside a region stands within milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls in flight at once, for each service. Enough to hide the network, few enough for one connection pool and 256 MB.
pub(crate) const CONCURRENCY: usize = 16;

/// Makes the AWS configuration from what Lambda puts into the environment.
///
/// # Errors
/// When a variable that Lambda always sets is missing.
pub fn sdk_config(lookup: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, Fault> {
    let need = |name: &str| lookup(name).ok_or_else(|| Fault::Configuration(format!("{name} is not set by Lambda")));
    let credentials = Credentials::new(
        need("AWS_ACCESS_KEY_ID")?,
        need("AWS_SECRET_ACCESS_KEY")?,
        lookup("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
        None,
        "lambda-environment",
    );
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(need("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        // `retry::Budget` tries again, item by item and inside the invocation's deadline.
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ));
    Ok(match lookup("AWS_ENDPOINT_URL").filter(|url| !url.is_empty()) {
        Some(url) => config.endpoint_url(url).build(),
        None => config.build(),
    })
}

/// The three adapters.
#[must_use]
pub fn adapters(sdk: &SdkConfig, config: &Config) -> (DynamoStore, SnsNotifier, SqsQuarantine) {
    (
        DynamoStore::new(sdk, &config.table),
        SnsNotifier::new(sdk, &config.topic),
        SqsQuarantine::new(sdk, &config.quarantine),
    )
}

/// The class of a failed call.
pub(crate) fn fault<E: ProvideErrorMetadata, R: std::fmt::Debug>(error: &SdkError<E, R>) -> Fault {
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
pub(crate) fn class(code: &str, message: &str) -> Fault {
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
        | "ResourceNotFoundException"
        | "ResourceNotFound"
        | "NotFound"
        | "NotFoundException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "QueueDoesNotExist"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSNotFound" => Fault::Configuration(text),
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
        assert!(matches!(class("AccessDenied", ""), Fault::Configuration(_)));
    }

    #[test]
    fn a_variable_that_lambda_sets_is_needed() {
        assert!(matches!(sdk_config(|_| None), Err(Fault::Configuration(_))));
    }
}
