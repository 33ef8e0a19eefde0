//! Signed requests to one S3 bucket: its address, its credentials, the signature. When to try again, and what an answer
//! means, is for the caller to say.
//!
//! Signed by AWS's own crate. Not the SDK of S3: it is the largest there is, and its features compile DataFusion's own
//! dependencies anew.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

mod address;
mod refusal;

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use tokio::sync::Mutex;

pub use refusal::Refusal;

/// Names the region of a bucket that was asked for in another one.
pub const REGION_HEADER: &str = "x-amz-bucket-region";

/// Credentials are asked for anew when less than this is left of them.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(60);

/// One bucket.
pub struct Bucket {
    name: String,
    region: String,
    /// In place of AWS's own.
    endpoint: Option<String>,
    connector: Connector,
    provider: SharedCredentialsProvider,
    /// What the provider gave, for as long as it is valid.
    credentials: Mutex<Option<Credentials>>,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'static str,
    /// The object's key as it is, not encoded; the bucket itself for an empty one.
    pub key: &'a str,
    /// Names and values of the query, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// A condition, such as `if-match`.
    pub condition: Option<(&'static str, String)>,
    /// The content.
    pub body: Bytes,
}

impl<'a> Request<'a> {
    /// Reads an object.
    #[must_use]
    pub fn get(key: &'a str) -> Self {
        Self { method: "GET", key, query: &[], condition: None, body: Bytes::new() }
    }
}

/// What a bucket cannot be spoken to without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A region.
    #[error("no aws region is set")]
    Region,
    /// Anything that gives credentials.
    #[error("no aws credentials were found")]
    Credentials,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No credentials were given.
    #[error(transparent)]
    Credentials(CredentialsError),
    /// No request can be made of what was asked for.
    #[error("the request cannot be made: {0}")]
    Request(String),
    /// The request, or the beginning of its answer, was lost.
    #[error(transparent)]
    Transport(ConnectorError),
}

impl Bucket {
    /// The bucket of that name, in the region and with the credentials of the configuration, at `endpoint` in place of
    /// AWS's own. Nothing is sent yet.
    ///
    /// # Errors
    /// The configuration has no region, or nothing that gives credentials.
    pub fn new(
        config: &SdkConfig,
        name: &str,
        endpoint: Option<String>,
        settings: HttpConnectorSettings,
    ) -> Result<Self, Missing> {
        let connector = Connector::builder().connector_settings(settings).tls_provider(TLS).build();
        Ok(Self {
            name: name.to_owned(),
            region: config.region().ok_or(Missing::Region)?.to_string(),
            endpoint: endpoint.map(|url| url.trim_end_matches('/').to_owned()),
            connector,
            provider: config.credentials_provider().ok_or(Missing::Credentials)?,
            credentials: Mutex::new(None),
        })
    }

    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Asks in another region from now on.
    pub fn set_region(&mut self, region: &str) {
        region.clone_into(&mut self.region);
    }

    /// Sends a request, once. The answer may be a refusal ([`Refusal`]), and its body has yet to be read.
    ///
    /// # Errors
    /// Nothing was answered.
    pub async fn send(&self, request: Request<'_>) -> Result<HttpResponse, SendError> {
        let signed = self.signed(request).await?;
        self.connector.call(signed).await.map_err(SendError::Transport)
    }

    async fn signed(&self, request: Request<'_>) -> Result<HttpRequest, SendError> {
        let Request { method, key, query, condition, body } = request;
        let identity = self.credentials().await.map_err(SendError::Credentials)?.into();
        let address = address::of(&self.name, &self.region, self.endpoint.as_deref(), key, query);
        let mut settings = SigningSettings::default();
        // S3's own rules: keys are encoded once, the path is signed as it is sent, the content's digest travels as a header.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(invalid)?
            .into();
        let headers = condition.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(method, &address, headers, SignableBody::Bytes(&body)).map_err(invalid)?;
        let (instructions, _) = sign(signable, &params).map_err(invalid)?.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(invalid)?;
        request.set_uri(address).map_err(invalid)?;
        for (name, value) in condition.iter().map(|(name, value)| (*name, value.as_str())).chain(instructions.headers())
        {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned()).map_err(invalid)?;
        }
        Ok(request)
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut known = self.credentials.lock().await;
        let soon = SystemTime::now() + CREDENTIALS_MARGIN;
        if let Some(valid) = known.as_ref().filter(|known| known.expiry().is_none_or(|end| end > soon)) {
            return Ok(valid.clone());
        }
        let given = self.provider.provide_credentials().await?;
        *known = Some(given.clone());
        Ok(given)
    }
}

/// TLS without a system library.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

fn invalid(error: impl fmt::Display) -> SendError {
    SendError::Request(error.to_string())
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).field("region", &self.region).finish_non_exhaustive()
    }
}
