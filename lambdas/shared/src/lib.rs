//! What the Lambdas share: environment, AWS configuration, log line and time; and what those that read a stream share: its
//! records, retries, and the quarantine.

mod chunks;
pub mod env;
pub mod fault;
pub mod kinesis;
pub mod line;
pub mod ports;
pub mod quarantine;
pub mod retry;
mod sdk;
pub mod shards;
pub mod sqs;

pub use chunks::{buffered, chunks};
pub use env::{ConfigError, Env};
pub use sdk::{ATTEMPT_TIMEOUT, sdk_config};

use std::{fmt::Display, process::ExitCode, time::Duration};

use weir_anomaly::Timestamp;

/// How long a deploy's check waits for a call to be allowed: a new role's permissions reach every service within seconds,
/// now and then within half a minute.
pub const PERMISSIONS_WITHIN: Duration = Duration::from_secs(30);
/// Between two questions whether a call is allowed by now.
pub const PERMISSION_PAUSE: Duration = Duration::from_secs(1);
/// Kept free of an invocation's time for the answer and the log line. One call more is at most [`ATTEMPT_TIMEOUT`].
pub const RESERVE: Duration = Duration::from_millis(1500);

/// The function's name, as Lambda tells it: `<name_prefix>-alerter`. Empty elsewhere.
#[must_use]
pub fn function_name() -> String {
    std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

/// Ends the process, with a line that says why where it could not start.
pub fn ended(result: Result<(), impl Display>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let line = serde_json::json!({"level": "error", "function": function_name(), "error": error.to_string()});
    line::write(&line.to_string());
    ExitCode::FAILURE
}

/// The time on the wall.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_nanos(chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default())
}
