//! The object on S3, or on what `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names: what its answers mean.

use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::display::DisplayErrorContext;
use bytes::Bytes;
use weir_s3::{Bucket, Missing, REGION_HEADER, Refusal, Request, SendError};

use super::{Fault, Known, ObjectApi};
use crate::aws::{CONNECT_TIMEOUT, aws_config, set_endpoint};
use crate::state::StateError;

/// The largest state (2 GiB by default) travels within a region at some 100 MB/s; what takes longer has broken.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// One object.
#[derive(Debug)]
pub(super) struct Client {
    bucket: Bucket,
    key: String,
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
        let config = aws_config(None).await;
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(ATTEMPT_TIMEOUT).build();
        let connected = Bucket::new(&config, bucket, set_endpoint(&config, "S3"), settings).map_err(|missing| {
            let hint = match missing {
                Missing::Region => "set AWS_REGION",
                Missing::Credentials => CREDENTIALS_HINT,
            };
            StateError::Refused { place: format!("s3://{bucket}/{key}"), reason: missing.to_string(), hint }
        });
        Ok(Self { bucket: connected?, key: key.to_owned() })
    }

    async fn call(&self, request: Request<'_>) -> Result<Answer, Fault> {
        let answered = async {
            let answer = self.bucket.send(request).await.map_err(fault)?;
            let header = |name: &str| answer.headers().get(name).map(str::to_owned);
            let (version, bucket_region) = (header("etag"), header(REGION_HEADER));
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

/// Sorts what was not answered by what can be done about it.
fn fault(error: SendError) -> Fault {
    match error {
        SendError::Credentials(CredentialsError::CredentialsNotLoaded(_)) => {
            Fault::Refused { reason: Missing::Credentials.to_string(), hint: CREDENTIALS_HINT }
        }
        SendError::Credentials(error) => Fault::Passing(format!("no credentials: {}", DisplayErrorContext(&error))),
        SendError::Request(reason) => Fault::Refused {
            reason: format!("the request cannot be made: {reason}"),
            hint: "check AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL",
        },
        SendError::Transport(error) => Fault::Passing(reason(&error)),
    }
}

#[async_trait]
impl ObjectApi for Client {
    async fn get(&self) -> Result<Option<(Bytes, Option<String>)>, Fault> {
        let answer = self.call(Request::get(&self.key)).await?;
        match answer.status {
            200 => Ok(Some((answer.body, answer.version))),
            404 if answer.refusal().code != "NoSuchBucket" => Ok(None),
            _ => Err(answer.fault()),
        }
    }

    async fn put(&self, content: Bytes, known: &Known) -> Result<Option<String>, Fault> {
        let condition = match known {
            Known::Nothing => None,
            Known::Absent => Some(("if-none-match", "*".to_owned())),
            Known::Version(version) => Some(("if-match", version.clone())),
        };
        let answer = self.call(Request { method: "PUT", condition, body: content, ..Request::get(&self.key) }).await?;
        match answer.status {
            200 => Ok(answer.version),
            // 404: it was known, and is no longer there.
            412 => Err(Fault::Changed),
            404 if answer.refusal().code == "NoSuchKey" => Err(Fault::Changed),
            _ => Err(answer.fault()),
        }
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.key)
    }
}

const CREDENTIALS_HINT: &str =
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached";

impl Answer {
    /// What S3 says; nothing where it is not S3 that says it.
    fn refusal(&self) -> Refusal {
        Refusal::read(&self.body).unwrap_or_default()
    }

    /// Sorts a refusal by what can be done about it (S3 API reference, "Error responses").
    fn fault(&self) -> Fault {
        let Refusal { code, message } = self.refusal();
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
}
