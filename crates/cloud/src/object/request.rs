//! One signed GET: its address, its signature, its tries, and the bucket's region where that is another one.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::HttpConnector as _,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};

use super::{Bucket, listing};
use crate::{
    CloudError,
    client::{ATTEMPT_TIMEOUT, ATTEMPTS},
};

/// The first pause after a failed try; doubled each time, so that all tries take about 6 s.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Credentials that end sooner are asked for anew.
const EXPIRES_SOON: Duration = Duration::from_secs(300);
/// Names the region of a bucket that was asked for in another one.
const REGION_HEADER: &str = "x-amz-bucket-region";

impl Bucket {
    /// GETs an object (with an empty key: the bucket), again where the fault may pass.
    pub(super) async fn get(
        &mut self,
        action: &str,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<HttpResponse, CloudError> {
        let mut pause = FIRST_PAUSE;
        let mut moved = false;
        let mut last = None;
        for attempt in 1..=ATTEMPTS {
            let request = self.signed(action, key, query).await?;
            let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, self.connector.call(request)).await;
            let response = match answer {
                Ok(Ok(response)) if response.status().is_success() => return Ok(response),
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    last = Some(CloudError::from_chain(action, &error));
                    wait(attempt, &mut pause).await;
                    continue;
                }
                Err(_) => {
                    let cause = format!("nothing was answered within {} s", ATTEMPT_TIMEOUT.as_secs());
                    last = Some(CloudError::of(action, cause));
                    wait(attempt, &mut pause).await;
                    continue;
                }
            };
            let elsewhere = response.headers().get(REGION_HEADER).filter(|region| *region != self.region);
            if let Some(region) = elsewhere.filter(|_| !moved) {
                (self.region, moved) = (region.to_owned(), true);
                continue;
            }
            let status = response.status().as_u16();
            let refused = refusal(action, status, response).await;
            if !matches!(status, 408 | 429 | 500..) {
                return Err(refused);
            }
            last = Some(refused);
            wait(attempt, &mut pause).await;
        }
        Err(last.unwrap_or_else(|| CloudError::of(action, "it was never tried")))
    }

    async fn signed(&mut self, action: &str, key: &str, query: &[(&str, &str)]) -> Result<HttpRequest, CloudError> {
        let wrong = |error: &dyn std::error::Error| CloudError::from_chain(action, error);
        let identity = self.credentials(action).await?.into();
        let address = self.address(key, query);
        let mut settings = SigningSettings::default();
        // As S3 alone wants it: keys are encoded once, paths are taken as they are, and the body's hash is a header.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|e| wrong(&e))?
            .into();
        let signable = SignableRequest::new("GET", &address, std::iter::empty(), SignableBody::Bytes(&[]));
        let (instructions, _) = sign(signable.map_err(|e| wrong(&e))?, &params).map_err(|e| wrong(&e))?.into_parts();
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(address).map_err(|e| wrong(&e))?;
        for (name, value) in instructions.headers() {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned()).map_err(|e| wrong(&e))?;
        }
        Ok(request)
    }

    async fn credentials(&mut self, action: &str) -> Result<Credentials, CloudError> {
        let soon = SystemTime::now() + EXPIRES_SOON;
        if let Some(valid) = self.credentials.as_ref().filter(|known| known.expiry().is_none_or(|end| end > soon)) {
            return Ok(valid.clone());
        }
        let given = self.provider.provide_credentials().await.map_err(|e| CloudError::from_chain(action, &e))?;
        self.credentials = Some(given.clone());
        Ok(given)
    }

    /// The bucket as a host name on AWS, where its certificate allows it; as the path's first part elsewhere.
    pub(super) fn address(&self, key: &str, query: &[(&str, &str)]) -> String {
        let (name, region) = (&self.name, &self.region);
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let mut address = match &self.endpoint {
            Some(endpoint) => format!("{endpoint}/{name}/"),
            None if name.contains('.') => format!("https://s3.{region}.{domain}/{name}/"),
            None => format!("https://{name}.s3.{region}.{domain}/"),
        };
        encode(&mut address, key, b"/");
        for (index, (name, value)) in query.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            let _ = write!(address, "{name}=");
            encode(&mut address, value, b"");
        }
        address
    }
}

async fn wait(attempt: u32, pause: &mut Duration) {
    if attempt < ATTEMPTS {
        tokio::time::sleep(*pause).await;
        *pause *= 2;
    }
}

/// What the answer says of the fault.
async fn refusal(action: &str, status: u16, response: HttpResponse) -> CloudError {
    let body = tokio::time::timeout(ATTEMPT_TIMEOUT, ByteStream::new(response.into_body()).collect()).await;
    let body = body.ok().and_then(Result::ok).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let said = listing::error(&String::from_utf8_lossy(&body));
    CloudError::of(action, said.unwrap_or_else(|| format!("HTTP status {status}")))
}

/// Percent-encodes all but RFC 3986's unreserved characters, and what is kept besides.
fn encode(to: &mut String, text: &str, kept: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.contains(&byte) {
            to.push(char::from(byte));
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}
