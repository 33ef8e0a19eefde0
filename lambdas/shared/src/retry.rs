//! Trying again: only what failed, only when it may help, with growing random pauses, inside the time that Lambda leaves.

use std::time::Duration;

use weir_anomaly::Timestamp;

use crate::{
    PERMISSION_PAUSE, RESERVE,
    ports::{Clock, Fault},
};

/// First pause; doubled each time. DynamoDB's throttling ends within tens of milliseconds when it is a hot second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause: a partition that splits under load answers again within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so many attempts the record goes back to the stream, which tries again by itself.
const MAX_ATTEMPTS: u32 = 8;

/// The time that this invocation may use.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    clock: &'a dyn Clock,
    deadline: Timestamp,
}

impl<'a> Budget<'a> {
    /// Up to Lambda's deadline, without the reserve.
    #[must_use]
    pub fn until(deadline: Timestamp, clock: &'a dyn Clock) -> Self {
        Self { clock, deadline }
    }

    /// When Lambda ends the invocation: a holder of a lease up to here is dead afterwards.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// What is left for work.
    #[must_use]
    pub fn left(&self) -> Duration {
        let nanos = self.deadline.nanos().saturating_sub(self.clock.now().nanos());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).saturating_sub(RESERVE)
    }

    /// Makes one call for many items and repeats it for those that failed and may succeed. One answer an item, in order.
    pub async fn each<T: Clone, R>(
        &self,
        items: Vec<T>,
        call: impl AsyncFn(&[T]) -> Vec<Result<R, Fault>>,
    ) -> Vec<Result<R, Fault>> {
        let mut answers: Vec<Option<Result<R, Fault>>> = items.iter().map(|_| None).collect();
        let mut open: Vec<(usize, T)> = items.into_iter().enumerate().collect();
        for attempt in 0..MAX_ATTEMPTS {
            if open.is_empty() || (attempt > 0 && !self.pause(attempt).await) {
                break;
            }
            let batch: Vec<T> = open.iter().map(|(_, item)| item.clone()).collect();
            let mut results = call(&batch).await.into_iter();
            open.retain(|(at, _)| {
                let result = results.next().unwrap_or_else(|| Err(Fault::Retryable("no answer".to_owned())));
                let again = result.as_ref().is_err_and(Fault::is_retryable);
                if let Some(answer) = answers.get_mut(*at) {
                    *answer = Some(result);
                }
                again
            });
        }
        let none = || Err(Fault::Retryable("no time left".to_owned()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect()
    }

    /// Makes one call and repeats it while it fails and may succeed.
    ///
    /// # Errors
    /// The last fault.
    pub async fn one<R>(&self, call: impl AsyncFn() -> Result<R, Fault>) -> Result<R, Fault> {
        let mut answers = self.each(vec![()], async |_: &[()]| vec![call().await]).await;
        answers.pop().unwrap_or_else(|| Err(Fault::Retryable("no answer".to_owned())))
    }

    /// Makes one call, repeats it like [`Budget::one`], and also while it is denied, up to `until`: on AWS a new role's
    /// permissions reach each service some seconds after the role.
    ///
    /// # Errors
    /// The last fault.
    pub async fn once_allowed<R>(
        &self,
        until: Timestamp,
        call: impl AsyncFn() -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        loop {
            let answer = self.one(&call).await;
            let denied = matches!(answer, Err(Fault::Denied(_)));
            if !denied || self.clock.now() >= until || self.left() <= PERMISSION_PAUSE {
                return answer;
            }
            self.clock.sleep(PERMISSION_PAUSE).await;
        }
    }

    /// Waits before the next attempt; `false` when there is no time for one.
    async fn pause(&self, attempt: u32) -> bool {
        let longest = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE);
        // "Full jitter": callers that failed together must not come back together.
        let pause = longest.mul_f64(self.clock.jitter());
        if pause >= self.left() {
            return false;
        }
        self.clock.sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use super::*;

    /// Sleeping moves it.
    struct Hand(AtomicI64);

    #[async_trait::async_trait]
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
        }
        async fn sleep(&self, duration: Duration) {
            self.0.fetch_add(i64::try_from(duration.as_nanos()).unwrap(), Ordering::SeqCst);
        }
        fn jitter(&self) -> f64 {
            0.5
        }
    }

    fn seconds(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 1_000_000_000)
    }

    #[tokio::test]
    async fn repeats_only_what_may_succeed() {
        let clock = Hand(AtomicI64::new(0));
        let budget = Budget::until(seconds(60), &clock);
        let calls = AtomicU32::new(0);
        let answers = budget
            .each(vec![1, 2, 3], async |items: &[i32]| {
                let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
                items
                    .iter()
                    .map(|item| match item {
                        1 => Ok(*item),
                        2 => Err(Fault::Poison("never".to_owned())),
                        _ if first => Err(Fault::Retryable("busy".to_owned())),
                        _ => {
                            assert_eq!(items, [3]);
                            Ok(*item)
                        }
                    })
                    .collect()
            })
            .await;
        assert_eq!(answers, [Ok(1), Err(Fault::Poison("never".to_owned())), Ok(3)]);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    /// Denied so often, then allowed.
    async fn asked_until_allowed(denials: u32, deadline: i64, until: i64) -> (Result<u32, Fault>, i64) {
        let clock = Hand(AtomicI64::new(0));
        let calls = AtomicU32::new(0);
        let answer = Budget::until(seconds(deadline), &clock)
            .once_allowed(seconds(until), async || match calls.fetch_add(1, Ordering::SeqCst) {
                n if n < denials => Err(Fault::Denied(format!("no. {n}"))),
                n => Ok(n),
            })
            .await;
        (answer, clock.now().nanos() / 1_000_000_000)
    }

    #[tokio::test]
    async fn a_permission_is_waited_for_and_not_for_ever() {
        assert_eq!(asked_until_allowed(4, 60, 30).await, (Ok(4), 4));
        assert_eq!(asked_until_allowed(99, 60, 30).await, (Err(Fault::Denied("no. 30".to_owned())), 30));
        let (answer, asked_for) = asked_until_allowed(99, 10, 30).await;
        assert!(answer.is_err() && (5..=9).contains(&asked_for), "the deadline comes first: {asked_for}");
    }

    #[tokio::test]
    async fn what_is_no_permission_is_not_waited_for() {
        let clock = Hand(AtomicI64::new(0));
        let wrong: Result<(), Fault> = Budget::until(seconds(60), &clock)
            .once_allowed(seconds(30), async || Err(Fault::Configuration("no such table".to_owned())))
            .await;
        assert!(wrong.is_err());
        assert_eq!(clock.now(), seconds(0));
    }

    #[tokio::test]
    async fn stops_when_the_deadline_is_near() {
        let clock = Hand(AtomicI64::new(0));
        let budget = Budget::until(seconds(2), &clock);
        let calls = AtomicU32::new(0);
        let answer: Result<(), Fault> = budget
            .one(async || {
                calls.fetch_add(1, Ordering::SeqCst);
                Err(Fault::Retryable("busy".to_owned()))
            })
            .await;
        assert!(answer.is_err());
        assert!(budget.left() > Duration::ZERO, "the reserve is untouched");
        assert!((2..MAX_ATTEMPTS).contains(&calls.load(Ordering::SeqCst)));
    }
}
