//! What both Lambdas share: environment, AWS configuration, log line and time.

pub mod env;
pub mod line;
mod sdk;

pub use env::{ConfigError, Env};
pub use sdk::{ATTEMPT_TIMEOUT, sdk_config};

use weir_anomaly::Timestamp;

/// The function's name, as Lambda tells it: `<name_prefix>-alerter`. Empty elsewhere.
#[must_use]
pub fn function_name() -> String {
    std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

/// The time on the wall.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_nanos(chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default())
}
