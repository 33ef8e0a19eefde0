//! Opens S3 buckets through [`object_store`], with the credentials, the region and the endpoint that AWS's own rules give
//! (environment, profile, metadata of the machine).

mod credentials;

use std::time::Duration;

use aws_config::SdkConfig;
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, resolve_bucket_region},
};

pub use object_store;

use credentials::SdkCredentials;

/// How long and how often a bucket is asked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A connection that takes longer will not come.
    pub connect_timeout: Duration,
    /// The longest that one attempt of one request may take.
    pub attempt_timeout: Duration,
    /// Attempts after the first one. Server errors, throttles and lost connections are tried again.
    pub retries: usize,
}

/// Why a bucket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration has no region.
    #[error("no AWS region is set")]
    NoRegion,
    /// The configuration has nothing that gives credentials.
    #[error("no AWS credentials were found")]
    NoCredentials,
    /// The address or the name cannot be used.
    #[error("the bucket cannot be addressed")]
    Address(#[source] object_store::Error),
}

/// Opens a bucket in the region of the configuration, at `endpoint` in place of AWS's own. Nothing is sent yet.
///
/// # Errors
/// When the configuration has no region or no credentials, or the endpoint is no URL.
pub fn open(config: &SdkConfig, bucket: &str, endpoint: Option<&str>, limits: Limits) -> Result<AmazonS3, OpenError> {
    let region = config.region().ok_or(OpenError::NoRegion)?.to_string();
    build(config, &region, bucket, endpoint, limits)
}

/// Opens a bucket in the region where it is, not in the configuration's own. AWS is asked for it (HeadBucket); the
/// configuration's region serves where AWS does not answer, and at an `endpoint`.
///
/// # Errors
/// As [`open`].
pub async fn open_in_its_region(
    config: &SdkConfig,
    bucket: &str,
    endpoint: Option<&str>,
    limits: Limits,
) -> Result<AmazonS3, OpenError> {
    let region = config.region().ok_or(OpenError::NoRegion)?.to_string();
    // Without credentials nothing is asked of anybody.
    config.credentials_provider().ok_or(OpenError::NoCredentials)?;
    let client = ClientOptions::new().with_connect_timeout(limits.connect_timeout).with_timeout(REGION_TIMEOUT);
    let found = match endpoint {
        None => resolve_bucket_region(bucket, &client).await.ok(),
        Some(_) => None,
    };
    build(config, found.as_deref().unwrap_or(&region), bucket, endpoint, limits)
}

fn build(
    config: &SdkConfig,
    region: &str,
    bucket: &str,
    endpoint: Option<&str>,
    limits: Limits,
) -> Result<AmazonS3, OpenError> {
    let provider = config.credentials_provider().ok_or(OpenError::NoCredentials)?;
    let client = ClientOptions::new()
        .with_connect_timeout(limits.connect_timeout)
        .with_timeout(limits.attempt_timeout)
        .with_allow_http(endpoint.is_some_and(|url| url.starts_with("http://")));
    // The product of attempts and their timeout is the limit, not a time of its own.
    let attempts = u32::try_from(limits.retries).unwrap_or(u32::MAX).saturating_add(1);
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 },
        max_retries: limits.retries,
        retry_timeout: limits.attempt_timeout.saturating_mul(attempts),
    };
    let builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(std::sync::Arc::new(SdkCredentials::new(provider)))
        .with_client_options(client)
        .with_retry(retry);
    // A dot in the name does not match the certificate of the bucket's own host.
    let own_host = endpoint.is_none() && !bucket.contains('.');
    let builder = match (endpoint, region.starts_with("cn-"), own_host) {
        (Some(url), _, _) => builder.with_endpoint(url.trim_end_matches('/')),
        (None, true, true) => builder.with_endpoint(format!("https://{bucket}.s3.{region}.amazonaws.com.cn")),
        (None, true, false) => builder.with_endpoint(format!("https://s3.{region}.amazonaws.com.cn")),
        (None, false, _) => builder,
    };
    builder.with_virtual_hosted_style_request(own_host).build().map_err(OpenError::Address)
}

/// The first pause before another attempt; doubled each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long AWS may take to say in which region a bucket is.
const REGION_TIMEOUT: Duration = Duration::from_secs(10);
