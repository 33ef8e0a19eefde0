//! What the Lambdas that read a stream need of the outside, as traits: AWS in production, memory with a schedule of faults in
//! the tests.

use std::time::Duration;

use async_trait::async_trait;
use weir_anomaly::Timestamp;

/// The queue for records that are neither events nor anomalies.
#[async_trait]
pub trait Quarantine: Send + Sync {
    /// Sends each body. One answer a body, in order.
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), Fault>>;

    /// Whether the queue is there.
    async fn check(&self) -> Result<(), Fault>;
}

/// The time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Waits.
    async fn sleep(&self, duration: Duration);

    /// A number in [0, 1) for jitter.
    fn jitter(&self) -> f64;
}

/// Why a call did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Trying again may help: throttled, timed out, unreachable, the service's own fault.
    #[error("retryable: {0}")]
    Retryable(String),
    /// This item can never be taken; trying again cannot help.
    #[error("refused: {0}")]
    Poison(String),
    /// A permission is missing. Only the check of a deploy waits for it: a new role's permissions arrive within seconds.
    #[error("denied: {0}")]
    Denied(String),
    /// Nothing can be done until somebody changes the configuration.
    #[error("configuration: {0}")]
    Configuration(String),
}

impl Fault {
    /// Whether trying again may help within this invocation.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable(_))
    }
}

/// Wall clock and real pauses.
pub struct System;

#[async_trait]
impl Clock for System {
    fn now(&self) -> Timestamp {
        crate::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Low bits of the clock: no two invocations share them, and jitter needs no more.
    fn jitter(&self) -> f64 {
        f64::from(u32::try_from(self.now().nanos().rem_euclid(1_000_003)).unwrap_or_default()) / 1_000_003.0
    }
}
