//! The SDK's credentials, as `object_store` asks for them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use object_store::{CredentialProvider, aws::AwsCredential};
use tokio::sync::Mutex;

/// Credentials are asked for anew when less than this is left of them.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// Keeps what the provider gave for as long as it is valid.
#[derive(Debug)]
pub(crate) struct SdkCredentials {
    provider: SharedCredentialsProvider,
    valid: Mutex<Option<(Credentials, Arc<AwsCredential>)>>,
}

impl SdkCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, valid: Mutex::new(None) }
    }
}

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    /// No credentials at all are [`object_store::Error::Unauthenticated`]; a provider that failed is
    /// [`object_store::Error::Generic`] and may succeed later.
    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut valid = self.valid.lock().await;
        let soon = SystemTime::now() + EXPIRY_MARGIN;
        if let Some((credentials, converted)) = valid.as_ref()
            && credentials.expiry().is_none_or(|end| end > soon)
        {
            return Ok(Arc::clone(converted));
        }
        let given = self.provider.provide_credentials().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => {
                object_store::Error::Unauthenticated { path: String::new(), source: Box::new(error) }
            }
            _ => object_store::Error::Generic { store: "S3", source: Box::new(error) },
        })?;
        let converted = Arc::new(AwsCredential {
            key_id: given.access_key_id().to_owned(),
            secret_key: given.secret_access_key().to_owned(),
            token: given.session_token().map(str::to_owned),
        });
        *valid = Some((given, Arc::clone(&converted)));
        Ok(converted)
    }
}
