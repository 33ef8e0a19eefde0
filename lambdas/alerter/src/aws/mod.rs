//! The adapters to AWS.

mod dynamodb;
mod partiql;
mod sns;

use aws_types::SdkConfig;

pub use dynamodb::DynamoStore;
pub use sns::SnsNotifier;
pub(crate) use weir_lambda::fault::{CONCURRENCY, class, fault};
pub use weir_lambda::sqs::SqsQuarantine;

use crate::config::Config;

/// The three adapters.
#[must_use]
pub fn adapters(sdk: &SdkConfig, config: &Config) -> (DynamoStore, SnsNotifier, SqsQuarantine) {
    (
        DynamoStore::new(sdk, &config.table),
        SnsNotifier::new(sdk, &config.topic),
        SqsQuarantine::new(sdk, &config.quarantine),
    )
}
