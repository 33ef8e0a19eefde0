//! What both Lambdas share: environment, AWS configuration, log line and time.

pub mod env;
pub mod line;
mod sdk;

pub use env::{ConfigError, Env};
pub use sdk::{ATTEMPT_TIMEOUT, sdk_config};

use weir_anomaly::Timestamp;

/// The time on the wall.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_nanos(chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default())
}
