//! One set of clients for a command.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use std::time::Duration;

/// Tries for one call, the first included. The SDK's standard mode backs off up to 20 s between them.
pub(crate) const ATTEMPTS: u32 = 6;
/// A connection that takes longer will not come.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One try of one call. SQS long polls for at most 20 s.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Where the local emulator makes its resources.
const EMULATOR_REGION: &str = "us-east-1";

/// Clients that share one configuration and one HTTP connector. Region, credentials and `AWS_ENDPOINT_URL` come from the
/// environment, as for every AWS tool.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) kinesis: aws_sdk_kinesis::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// For what has no client of its own.
    pub(crate) config: SdkConfig,
}

impl Clients {
    /// From the process's environment.
    pub async fn from_env() -> Self {
        Self::connect(None, None).await
    }

    /// From the process's environment, in a region that a stack's outputs name.
    pub async fn in_region(region: &str) -> Self {
        Self::connect(None, Some(region)).await
    }

    /// At an emulator's endpoint, with the credentials that it takes.
    pub async fn at(endpoint: &str) -> Self {
        Self::connect(Some(endpoint), None).await
    }

    async fn connect(endpoint: Option<&str>, region: Option<&str>) -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            );
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(url) = endpoint {
            let test = aws_sdk_kinesis::config::Credentials::new("test", "test", None, None, "local stack");
            loader = loader.endpoint_url(url).credentials_provider(test).region(Region::new(EMULATOR_REGION));
        }
        let config = loader.load().await;
        Self {
            kinesis: aws_sdk_kinesis::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            config,
        }
    }
}
