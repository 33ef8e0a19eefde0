//! The AWS configuration, from what Lambda puts into the environment and nothing else: the credential chain of `aws-config`
//! reads files and asks other services, which costs start time and binary for answers that Lambda has already given.

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Builder,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_types::SdkConfig;

use crate::{ConfigError, Env};

/// One attempt of one call, at most. The services answer within tens of milliseconds; what takes longer is lost.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection inside a region stands within milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes the AWS configuration.
///
/// # Errors
/// When a variable that Lambda always sets is missing.
pub fn sdk_config<F: Fn(&str) -> Option<String>>(env: &Env<F>, retry: RetryConfig) -> Result<SdkConfig, ConfigError> {
    const HINT: &str = "Lambda sets it; set it by hand to run the function elsewhere";
    let credentials = Credentials::new(
        env.need("AWS_ACCESS_KEY_ID", HINT)?,
        env.need("AWS_SECRET_ACCESS_KEY", HINT)?,
        env.get("AWS_SESSION_TOKEN"),
        None,
        "lambda-environment",
    );
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(env.need("AWS_REGION", HINT)?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https())
        .retry_config(retry)
        // The credentials are at hand: a cache in front of them is work for each call.
        .identity_cache(IdentityCache::no_cache())
        // Answers are small, and an attempt has its time-out: watching the pace of each stream is work for each call.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()));
    Ok(match env.get("AWS_ENDPOINT_URL") {
        Some(url) => config.endpoint_url(url).build(),
        None => config.build(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_lambda_sets_is_needed() {
        let error = sdk_config(&Env(|_: &str| None), RetryConfig::disabled()).unwrap_err();
        assert_eq!(error.name, "AWS_ACCESS_KEY_ID");
    }
}
