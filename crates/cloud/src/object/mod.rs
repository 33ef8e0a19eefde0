//! Objects of an S3 bucket: what lies below a prefix, and the bytes of one.

mod listing;
mod request;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    time::Duration,
};

use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_types::byte_stream::ByteStream;
use weir_s3::Missing;

use crate::{Clients, CloudError, client::CONNECT_TIMEOUT};

/// Objects in one page of a listing (its limit).
const PAGE: usize = 1000;
/// Tries for one object, the first included: each begins at its first byte.
const DOWNLOAD_ATTEMPTS: u32 = 4;
/// A download that stands still for so long will not go on.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// An object, as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// One bucket.
#[derive(Debug)]
pub struct Bucket(weir_s3::Bucket);

impl Bucket {
    /// The bucket of that name. Nothing is sent yet.
    ///
    /// # Errors
    /// When it is no name of a bucket, or neither a region nor credentials are configured.
    pub fn new(clients: &Clients, name: &str) -> Result<Self, CloudError> {
        let wrong = |cause: &str| CloudError::of(format!("read bucket {name}"), cause);
        let valid = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
        if !(3..=63).contains(&name.len()) || !name.bytes().all(valid) {
            return Err(wrong("a bucket's name has 3 to 63 lower-case letters, digits, `.` and `-`"));
        }
        let config = &clients.config;
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let endpoint = config.endpoint_url().map(str::to_owned);
        let bucket = weir_s3::Bucket::new(config, name, endpoint, settings);
        // In the words that the hints know.
        Ok(Self(bucket.map_err(|missing| match missing {
            Missing::Region => wrong("region must be set"),
            Missing::Credentials => wrong("no providers in chain"),
        })?))
    }

    /// The object of a key, or every object below it as if it were a folder, in order of keys. All of the bucket for an empty
    /// key.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn find(&mut self, key: &str) -> Result<Vec<Object>, CloudError> {
        let folder = if key.is_empty() || key.ends_with('/') {
            key.to_owned()
        } else {
            // In the order of keys the key itself comes before all that it is the beginning of.
            let first = self.page(key, 1, None).await?.objects.into_iter().find(|object| object.key == key);
            if let Some(object) = first {
                return Ok(vec![object]);
            }
            format!("{key}/")
        };
        let mut objects = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(&folder, PAGE, token.as_deref()).await?;
            objects.extend(page.objects);
            token = page.next;
            if token.is_none() {
                return Ok(objects);
            }
        }
    }

    async fn page(&mut self, prefix: &str, most: usize, token: Option<&str>) -> Result<listing::Page, CloudError> {
        let action = format!("list bucket {}", self.0.name());
        let most = most.to_string();
        let mut query = vec![("list-type", "2"), ("max-keys", &most), ("prefix", prefix)];
        query.extend(token.map(|token| ("continuation-token", token)));
        let response = self.get(&action, "", &query).await?;
        let late = |_| CloudError::of(&*action, "the answer did not end in time");
        let body = tokio::time::timeout(STALL_TIMEOUT, ByteStream::new(response.into_body()).collect()).await;
        let body = body.map_err(late)?.map_err(|e| CloudError::from_chain(&*action, &e))?;
        let body = body.to_vec();
        listing::parse(&String::from_utf8_lossy(&body)).map_err(|cause| CloudError::of(action, cause))
    }

    /// Writes the object's bytes to a file, in place of what it holds, and leaves it at its first byte.
    ///
    /// # Errors
    /// When it cannot be read after all tries, or the file not be written.
    pub async fn download(&mut self, key: &str, to: &mut File) -> Result<(), CloudError> {
        let action = format!("read s3://{}/{key}", self.0.name());
        let mut last = String::new();
        for _ in 0..DOWNLOAD_ATTEMPTS {
            let written = |e: std::io::Error| CloudError::of(&*action, format!("a temporary file: {e}"));
            to.set_len(0).and_then(|()| to.rewind()).map_err(written)?;
            let mut body = ByteStream::new(self.get(&action, key, &[]).await?.into_body());
            last = loop {
                match tokio::time::timeout(STALL_TIMEOUT, body.try_next()).await {
                    Ok(Ok(Some(bytes))) => to.write_all(&bytes).map_err(written)?,
                    Ok(Ok(None)) => return to.rewind().map_err(written),
                    Ok(Err(error)) => break CloudError::from_chain("", &error).cause,
                    Err(_) => break format!("nothing came for {} s", STALL_TIMEOUT.as_secs()),
                }
            };
        }
        Err(CloudError::of(action, format!("it broke off {DOWNLOAD_ATTEMPTS} times: {last}")))
    }
}
