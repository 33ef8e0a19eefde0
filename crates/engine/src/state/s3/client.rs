//! The two calls to S3: signed by AWS's own crate, over the HTTP client that Kinesis is read with.
//!
//! Not the SDK of S3: it is the largest there is, and its features compile DataFusion's own dependencies anew.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Fault, Known, ObjectApi};
use crate::aws::{CONNECT_TIMEOUT, TLS, aws_config, set_endpoint};
use crate::state::StateError;

/// The largest state (2 GiB by default) travels within a region at some 100 MB/s; what takes longer has broken.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// Credentials are fetched anew when less than this is left of them.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(60);

/// An object on S3, or on what `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names.
pub(super) struct Client {
    connector: Connector,
    credentials: SharedCredentialsProvider,
    cached: Mutex<Option<Credentials>>,
    region: String,
    url: String,
    place: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

/// An answer: its status, its headers of interest and its body.
struct Answer {
    status: u16,
    version: Option<String>,
    bucket_region: Option<String>,
    body: Bytes,
}

impl Client {
    pub(super) async fn connect(bucket: &str, key: &str) -> Result<Self, StateError> {
        let place = format!("s3://{bucket}/{key}");
        let refused =
            |reason: &str, hint| StateError::Refused { place: place.clone(), reason: reason.to_owned(), hint };
        let config = aws_config(None).await;
        let Some(region) = config.region() else {
            return Err(refused("no aws region is set", "set AWS_REGION"));
        };
        let Some(credentials) = config.credentials_provider() else {
            return Err(refused("no aws credentials were found", CREDENTIALS_HINT));
        };
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(ATTEMPT_TIMEOUT).build();
        let connector = Connector::builder().connector_settings(settings).tls_provider(TLS).build();
        let region = region.to_string();
        let url = url(&config, bucket, key, &region);
        Ok(Self { connector, credentials, cached: Mutex::new(None), region, url, place })
    }

    async fn credentials(&self) -> Result<Credentials, Fault> {
        let mut cached = self.cached.lock().await;
        let fresh = |c: &Credentials| c.expiry().is_none_or(|at| at > SystemTime::now() + CREDENTIALS_MARGIN);
        if let Some(credentials) = cached.as_ref().filter(|c| fresh(c)) {
            return Ok(credentials.clone());
        }
        let credentials = self.credentials.provide_credentials().await.map_err(|error| {
            let text = aws_smithy_types::error::display::DisplayErrorContext(&error).to_string();
            match error {
                aws_credential_types::provider::error::CredentialsError::CredentialsNotLoaded(_) => {
                    Fault::Refused { reason: "no aws credentials were found".to_owned(), hint: CREDENTIALS_HINT }
                }
                _ => Fault::Passing(format!("no credentials: {text}")),
            }
        })?;
        *cached = Some(credentials.clone());
        Ok(credentials)
    }

    async fn call(
        &self,
        method: &str,
        condition: Option<(&'static str, String)>,
        body: Bytes,
    ) -> Result<Answer, Fault> {
        let invalid = |error: &dyn fmt::Display| Fault::Refused {
            reason: format!("the request cannot be made: {error}"),
            hint: "check AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL",
        };
        let identity = self.credentials().await?.into();
        let mut settings = SigningSettings::default();
        // S3's own rules: the path is signed as it is sent, and the content's digest travels as a header.
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
            .map_err(|e| invalid(&e))?
            .into();
        let headers = condition.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(method, self.url.as_str(), headers, SignableBody::Bytes(&body))
            .map_err(|e| invalid(&e))?;
        let (instructions, _) = sign(signable, &params).map_err(|e| invalid(&e))?.into_parts();
        let (signature, _) = instructions.into_parts();
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(|e| invalid(&e))?;
        request.set_uri(self.url.as_str()).map_err(|e| invalid(&e))?;
        if let Some((name, value)) = condition {
            request.headers_mut().insert(name, value);
        }
        for header in signature {
            request.headers_mut().insert(header.name(), header.value().to_owned());
        }
        let answered = async {
            let answer = self.connector.call(request).await.map_err(|e| Fault::Passing(reason(&e)))?;
            let header = |name: &str| answer.headers().get(name).map(str::to_owned);
            let (version, bucket_region) = (header("etag"), header("x-amz-bucket-region"));
            let status = answer.status().as_u16();
            let body = ByteStream::new(answer.into_body()).collect().await;
            let body = body.map_err(|e| Fault::Passing(format!("the answer broke off: {}", reason(&e))))?.into_bytes();
            Ok(Answer { status, version, bucket_region, body })
        };
        match tokio::time::timeout(ATTEMPT_TIMEOUT, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::Passing(format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()))),
        }
    }
}

#[async_trait]
impl ObjectApi for Client {
    async fn get(&self) -> Result<Option<(Bytes, Option<String>)>, Fault> {
        let answer = self.call("GET", None, Bytes::new()).await?;
        match answer.status {
            200 => Ok(Some((answer.body, answer.version))),
            404 if element(&answer.body, "Code").as_deref() != Some("NoSuchBucket") => Ok(None),
            _ => Err(answer.fault()),
        }
    }

    async fn put(&self, content: Bytes, known: &Known) -> Result<Option<String>, Fault> {
        let condition = match known {
            Known::Nothing => None,
            Known::Absent => Some(("if-none-match", "*".to_owned())),
            Known::Version(version) => Some(("if-match", version.clone())),
        };
        let answer = self.call("PUT", condition, content).await?;
        match answer.status {
            200 => Ok(answer.version),
            // 404: it was known, and is no longer there.
            412 => Err(Fault::Changed),
            404 if element(&answer.body, "Code").as_deref() == Some("NoSuchKey") => Err(Fault::Changed),
            _ => Err(answer.fault()),
        }
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

const CREDENTIALS_HINT: &str =
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached";

impl Answer {
    /// Sorts a refusal by what can be done about it (S3 API reference, "Error responses").
    fn fault(&self) -> Fault {
        let code = element(&self.body, "Code").unwrap_or_default();
        let message = element(&self.body, "Message").unwrap_or_default();
        let reason = [format!("http {}", self.status), code.clone(), message]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ");
        // 409: a write of another run is under way; 400 RequestTimeout: the body did not arrive in time.
        let passing = matches!(self.status, 408 | 409 | 425 | 429 | 500..=599)
            || matches!(code.as_str(), "RequestTimeout" | "XAmzContentSHA256Mismatch" | "ExpiredToken" | "SlowDown");
        if passing {
            return Fault::Passing(reason);
        }
        match (self.status, &self.bucket_region) {
            (301 | 307 | 400, Some(region)) => Fault::Refused {
                reason: format!("{reason}; the bucket is in {region}"),
                hint: "set AWS_REGION to the bucket's region",
            },
            (404, _) => Fault::Refused { reason, hint: "make the bucket first, or check its name" },
            (401 | 403, _) => Fault::Refused {
                reason,
                hint: "state needs s3:GetObject, s3:PutObject and s3:ListBucket on the bucket, and the use of its key",
            },
            _ => Fault::Refused { reason, hint: "this is not expected; the endpoint may not be S3" },
        }
    }
}

/// Where the object is: by AWS's rules for a bucket's own host, or under the endpoint that was set.
fn url(config: &SdkConfig, bucket: &str, key: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    match set_endpoint(config, "S3") {
        Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
        // A dot in the name does not match the certificate of the bucket's own host.
        None if bucket.contains('.') => format!("https://s3.{region}.{suffix}/{bucket}/{key}"),
        None => format!("https://{bucket}.s3.{region}.{suffix}/{key}"),
    }
}

/// The text of an element of an error's XML, which has no attributes and no nesting.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
}

/// The innermost reason of a transport fault.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let (outer, inner) = (error.to_string(), innermost.to_string());
    if inner.is_empty() || inner == outer { outer } else { format!("{outer}: {inner}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, version: None, bucket_region: None, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn faults_are_sorted_by_what_can_be_done() {
        let slow = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>";
        let Fault::Passing(reason) = answer(503, slow).fault() else { panic!("a throttle passes") };
        assert_eq!(reason, "http 503: SlowDown: Reduce your rate.");
        let denied = answer(403, "<Error><Code>AccessDenied</Code></Error>").fault();
        assert!(matches!(denied, Fault::Refused { hint, .. } if hint.contains("s3:PutObject")), "{denied:?}");
        let moved = Answer { bucket_region: Some("eu-west-1".into()), ..answer(301, "") }.fault();
        assert!(matches!(&moved, Fault::Refused { reason, .. } if reason.contains("eu-west-1")), "{moved:?}");
        assert!(matches!(answer(409, "").fault(), Fault::Passing(_)));
    }

    #[test]
    fn a_bucket_has_its_own_host() {
        let config = SdkConfig::builder().build();
        let of = |bucket, region| url(&config, bucket, "weir/checkpoint", region);
        if std::env::var_os("AWS_ENDPOINT_URL_S3").is_none() {
            assert_eq!(of("b", "eu-west-1"), "https://b.s3.eu-west-1.amazonaws.com/weir/checkpoint");
            assert_eq!(of("b.c", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/b.c/weir/checkpoint");
            assert_eq!(of("b", "cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn/weir/checkpoint");
        }
    }
}
