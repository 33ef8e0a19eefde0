//! The object on S3, or on what `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names: what its answers mean.

use std::{error::Error as _, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use weir_s3::{
    Limits, OpenError,
    object_store::{Error, ObjectStore, PutMode, PutOptions, UpdateVersion, aws::AmazonS3, path::Path},
    open,
};

use super::{Fault, Known, ObjectApi};
use crate::aws::{CONNECT_TIMEOUT, aws_config, set_endpoint};
use crate::state::StateError;

/// The largest state (2 GiB by default) travels within a region at some 100 MB/s; what takes longer has broken.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// One object.
#[derive(Debug)]
pub(super) struct Client {
    bucket: AmazonS3,
    bucket_name: String,
    key: Path,
}

impl Client {
    pub(super) async fn connect(bucket: &str, key: &str) -> Result<Self, StateError> {
        let place = || format!("s3://{bucket}/{key}");
        let config = aws_config(None).await;
        // The caller tries again: it has to remember what was sent and not answered.
        let limits = Limits { connect_timeout: CONNECT_TIMEOUT, attempt_timeout: ATTEMPT_TIMEOUT, retries: 0 };
        let opened = open(&config, bucket, set_endpoint(&config, "S3").as_deref(), limits).map_err(|error| {
            let (reason, hint) = match &error {
                OpenError::NoRegion => (error.to_string(), "set AWS_REGION"),
                OpenError::NoCredentials => (error.to_string(), CREDENTIALS_HINT),
                OpenError::Address(source) => {
                    (format!("{error}: {source}"), "check AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL")
                }
            };
            StateError::Refused { place: place(), reason, hint }
        });
        let key = Path::parse(key).map_err(|error| StateError::Location { given: place(), reason: error.to_string() });
        Ok(Self { bucket: opened?, bucket_name: bucket.to_owned(), key: key? })
    }

    /// Whether the bucket is there. Asked only where S3 says that the object is not: it says so to those alone who may list
    /// the bucket (API reference, GetObject: "If you don't have the `s3:ListBucket` permission … 403").
    async fn bucket_is_there(&self) -> Result<(), Fault> {
        match self.bucket.list(Some(&self.key)).next().await {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(Fault::Refused { reason: reason(&error), hint: BUCKET_HINT }),
        }
    }
}

#[async_trait]
impl ObjectApi for Client {
    async fn get(&self) -> Result<Option<(Bytes, Option<String>)>, Fault> {
        let found = match self.bucket.get(&self.key).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return self.bucket_is_there().await.map(|()| None),
            Err(error) => return Err(fault(&error)),
        };
        let version = found.meta.e_tag.clone();
        let content = found.bytes().await.map_err(|error| fault(&error))?;
        Ok(Some((content, version)))
    }

    async fn put(&self, content: Bytes, known: &Known) -> Result<Option<String>, Fault> {
        let mode = match known {
            Known::Nothing => PutMode::Overwrite,
            Known::Absent => PutMode::Create,
            Known::Version(version) => PutMode::Update(UpdateVersion { e_tag: Some(version.clone()), version: None }),
        };
        match self.bucket.put_opts(&self.key, content.into(), PutOptions::from(mode)).await {
            Ok(stored) => Ok(stored.e_tag),
            // The first two: it was not as known. `AlreadyExists` is also the answer while a write of another run is under way.
            Err(Error::Precondition { .. } | Error::NotModified { .. } | Error::AlreadyExists { .. }) => {
                Err(Fault::Changed)
            }
            Err(error) => Err(fault(&error)),
        }
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket_name, self.key)
    }
}

const CREDENTIALS_HINT: &str =
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached";
const BUCKET_HINT: &str = "make the bucket first, or check its name and AWS_REGION";

/// Sorts an error by what can be done about it.
fn fault(error: &Error) -> Fault {
    let reason = reason(error);
    match error {
        Error::NotFound { .. } => Fault::Refused { reason, hint: BUCKET_HINT },
        Error::Unauthenticated { .. } => Fault::Refused { reason, hint: CREDENTIALS_HINT },
        Error::PermissionDenied { .. } => Fault::Refused {
            reason,
            hint: "state needs s3:GetObject, s3:PutObject and s3:ListBucket on the bucket, and the use of its key",
        },
        // Server errors, throttles, lost connections; also a bucket of another region, whose answer is in the reason.
        _ => Fault::Passing(reason),
    }
}

/// An error and its innermost cause.
fn reason(error: &Error) -> String {
    let outer = error.to_string();
    let mut innermost = error.source();
    while let Some(source) = innermost.and_then(std::error::Error::source) {
        innermost = Some(source);
    }
    match innermost.map(ToString::to_string) {
        Some(inner) if !outer.contains(&inner) => format!("{outer}: {inner}"),
        _ => outer,
    }
}
