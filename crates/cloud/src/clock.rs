//! The clock of what this command writes to AWS.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, milliseconds since 1970; 0 where the clock stands before that.
#[must_use]
pub fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
