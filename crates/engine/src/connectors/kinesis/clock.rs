//! Time as the connector sees it. Its tests run hours of retries in no time at all, on a clock of their own.

use std::time::{Duration, Instant};

/// A clock that only runs forward; its moments are durations since it was made.
#[derive(Debug, Clone)]
pub(super) struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Real(Instant),
    #[cfg(test)]
    Virtual(std::sync::Arc<virtual_time::VirtualTime>),
}

impl Clock {
    pub(super) fn real() -> Self {
        Self(Kind::Real(Instant::now()))
    }

    pub(super) fn now(&self) -> Duration {
        match &self.0 {
            Kind::Real(start) => start.elapsed(),
            #[cfg(test)]
            Kind::Virtual(time) => time.now(),
        }
    }

    /// Returns at `moment`, at once when it has passed.
    pub(super) async fn until(&self, moment: Duration) {
        match &self.0 {
            Kind::Real(start) => match start.checked_add(moment) {
                Some(moment) => tokio::time::sleep_until(moment.into()).await,
                None => std::future::pending().await,
            },
            #[cfg(test)]
            Kind::Virtual(time) => virtual_time::Until::new(time.clone(), moment).await,
        }
    }

    pub(super) async fn sleep(&self, wait: Duration) {
        self.until(self.now().saturating_add(wait)).await;
    }

    /// What `future` gives, or `None` when it gives nothing until `moment`.
    pub(super) async fn before<F: Future>(&self, moment: Duration, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.until(moment) => None,
        }
    }
}

/// Runs a test on a clock that jumps to the next awaited moment whenever nothing else is left to do.
#[cfg(test)]
pub(super) fn virtually<T>(test: impl AsyncFnOnce(Clock) -> T) -> T {
    let time = std::sync::Arc::new(virtual_time::VirtualTime::default());
    let idle = time.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().on_thread_park(move || idle.jump()).build().unwrap();
    runtime.block_on(test(Clock(Kind::Virtual(time))))
}

#[cfg(test)]
mod virtual_time {
    use std::collections::BTreeMap;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub(super) struct VirtualTime(Mutex<State>);

    #[derive(Debug, Default)]
    struct State {
        now: Duration,
        counter: u64,
        waiting: BTreeMap<(Duration, u64), Waker>,
    }

    impl VirtualTime {
        pub(super) fn now(&self) -> Duration {
            self.0.lock().unwrap().now
        }

        pub(super) fn jump(&self) {
            let woken: Vec<Waker> = {
                let mut state = self.0.lock().unwrap();
                let Some(((moment, _), _)) = state.waiting.first_key_value() else { return };
                state.now = state.now.max(*moment);
                let now = state.now;
                let later = state.waiting.split_off(&(now, u64::MAX));
                std::mem::replace(&mut state.waiting, later).into_values().collect()
            };
            woken.into_iter().for_each(Waker::wake);
        }
    }

    pub(super) struct Until {
        time: Arc<VirtualTime>,
        moment: Duration,
        number: Option<u64>,
    }

    impl Until {
        pub(super) fn new(time: Arc<VirtualTime>, moment: Duration) -> Self {
            Self { time, moment, number: None }
        }
    }

    impl Future for Until {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            let time = self.time.clone();
            let mut state = time.0.lock().unwrap();
            if state.now >= self.moment {
                return Poll::Ready(());
            }
            state.counter += 1;
            let number = *self.number.get_or_insert(state.counter);
            state.waiting.insert((self.moment, number), context.waker().clone());
            Poll::Pending
        }
    }

    impl Drop for Until {
        fn drop(&mut self) {
            if let Some(number) = self.number {
                self.time.0.lock().unwrap().waiting.remove(&(self.moment, number));
            }
        }
    }
}
