//! How the engine connects to AWS: credentials and region by AWS's own rules, TLS without a system library, named timeouts.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A connection within the region takes a few milliseconds; beyond this the address is dead (the SDK's own default).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);
/// A page of GetRecords is at most 10 MB; on a slow line from a laptop that still arrives within this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// TLS without a system library.
pub(crate) const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// The configuration that every client of the engine is made from. It reads AWS's environment variables (also
/// `AWS_ENDPOINT_URL` and its form for one service), the profile and the metadata of the machine.
///
/// The SDK does not retry: the connector does, for as long as it takes and visibly.
pub(crate) async fn aws_config(region: Option<&str>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(TLS).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // The attempt timeout covers it, and a long page over a slow line is no stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}

/// The endpoint that was set for a service, in place of AWS's own: `AWS_ENDPOINT_URL_KINESIS` before `AWS_ENDPOINT_URL`.
pub(crate) fn set_endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let own = std::env::var(format!("AWS_ENDPOINT_URL_{service}")).ok().filter(|value| !value.is_empty());
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}
