//! Objects of an S3 bucket: what lies below a prefix, and the bytes of one.

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    time::Duration,
};

use futures::TryStreamExt as _;
use weir_s3::{
    Limits, OpenError,
    object_store::{Error, ObjectStore as _, aws::AmazonS3, path::Path},
};

use crate::{
    Clients, CloudError,
    client::{ATTEMPTS, CONNECT_TIMEOUT},
    error::Hint,
};

/// A request, or a part of a download, that takes longer has broken.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);

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
pub struct Bucket {
    name: String,
    store: AmazonS3,
}

impl Bucket {
    /// The bucket of that name, in the region where it is. On AWS the bucket is asked for its region.
    ///
    /// # Errors
    /// When it is no name of a bucket, or neither a region nor credentials are configured.
    pub async fn open(clients: &Clients, name: &str) -> Result<Self, CloudError> {
        let action = format!("read bucket {name}");
        let valid = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
        if !(3..=63).contains(&name.len()) || !name.bytes().all(valid) {
            let cause = "a bucket's name has 3 to 63 lower-case letters, digits, `.` and `-`";
            return Err(CloudError::new(action, cause));
        }
        let limits = Limits {
            connect_timeout: CONNECT_TIMEOUT,
            attempt_timeout: ATTEMPT_TIMEOUT,
            retries: ATTEMPTS.saturating_sub(1) as usize,
        };
        let config = &clients.config;
        let store = weir_s3::open_in_its_region(config, name, config.endpoint_url(), limits).await.map_err(|error| {
            let hint = match &error {
                OpenError::NoRegion => Some(Hint::Region),
                OpenError::NoCredentials => Some(Hint::Credentials),
                OpenError::Address(_) => None,
            };
            CloudError::with_hint(action, &error, hint)
        });
        Ok(Self { name: name.to_owned(), store: store? })
    }

    /// The object of a key, or every object below it as if it were a folder, in order of keys. All of the bucket for an empty
    /// key.
    ///
    /// # Errors
    /// When the bucket cannot be listed, or a key below has empty or dotted parts (`a//b`, `../a`).
    pub async fn find(&self, key: &str) -> Result<Vec<Object>, CloudError> {
        let action = || format!("list bucket {}", self.name);
        let prefix = Path::parse(key).map_err(|error| CloudError::new(action(), error.to_string()))?;
        if !key.is_empty() && !key.ends_with('/') {
            match self.store.head(&prefix).await {
                Ok(meta) => return Ok(vec![Object { key: meta.location.into(), size: meta.size }]),
                // A role that may list and not read sees 403 here, and the listing says more.
                Err(Error::NotFound { .. } | Error::PermissionDenied { .. }) => {}
                Err(error) => return Err(refused(action(), &error)),
            }
        }
        let listed = self.store.list(Some(&prefix)).try_collect::<Vec<_>>().await;
        let mut objects: Vec<_> = listed
            .map_err(|error| refused(action(), &error))?
            .into_iter()
            .map(|meta| Object { key: meta.location.into(), size: meta.size })
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// The bytes of a small object; `None` where there is none, or no bucket.
    ///
    /// # Errors
    /// When it cannot be read after all attempts.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        let action = || format!("read s3://{}/{key}", self.name);
        let path = Path::parse(key).map_err(|error| CloudError::new(action(), error.to_string()))?;
        let found = match self.store.get(&path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(refused(action(), &error)),
        };
        found.bytes().await.map(|bytes| Some(bytes.to_vec())).map_err(|error| refused(action(), &error))
    }

    /// Writes a small object, in place of what is there.
    ///
    /// # Errors
    /// When it cannot be written after all attempts.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), CloudError> {
        let action = || format!("write s3://{}/{key}", self.name);
        let path = Path::parse(key).map_err(|error| CloudError::new(action(), error.to_string()))?;
        self.store.put(&path, content.into()).await.map(|_| ()).map_err(|error| refused(action(), &error))
    }

    /// Writes the object's bytes to a file, in place of what it holds, and leaves it at its first byte.
    ///
    /// # Errors
    /// When it cannot be read after all attempts, or the file not be written.
    pub async fn download(&self, key: &str, to: &mut File) -> Result<(), CloudError> {
        let action = || format!("read s3://{}/{key}", self.name);
        let written = |e: std::io::Error| CloudError::new(action(), format!("a temporary file: {e}"));
        let path = Path::parse(key).map_err(|error| CloudError::new(action(), error.to_string()))?;
        to.set_len(0).and_then(|()| to.rewind()).map_err(written)?;
        let found = self.store.get(&path).await.map_err(|error| refused(action(), &error))?;
        let size = found.meta.size;
        let mut content = found.into_stream();
        let mut length = 0_u64;
        while let Some(bytes) = content.try_next().await.map_err(|error| refused(action(), &error))? {
            length = length.saturating_add(bytes.len() as u64);
            to.write_all(&bytes).map_err(written)?;
        }
        if length != size {
            return Err(CloudError::new(action(), format!("it broke off after {length} of {size} bytes")));
        }
        to.rewind().map_err(written)
    }
}

/// What S3 refused, with what to do about it.
fn refused(action: String, error: &Error) -> CloudError {
    let hint = match error {
        Error::NotFound { .. } => Some(Hint::NoSuchResource),
        Error::PermissionDenied { .. } => Some(Hint::Denied),
        Error::Unauthenticated { .. } => Some(Hint::Credentials),
        _ => None,
    };
    CloudError::with_hint(action, error, hint)
}
