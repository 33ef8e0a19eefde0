//! Requests to stop: Ctrl-C, and what a system sends before it ends a process.

use std::{
    future::Future,
    pin::{Pin, pin},
    time::Duration,
};

use anyhow::anyhow;
use tokio::signal::unix::{SignalKind, signal};

/// Returns when the person, or the system, asks the command to stop.
pub async fn interrupted() -> anyhow::Error {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the default action ends the process; there is nothing to wait for.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    anyhow!("interrupted")
}

/// Listens for the person's, or the system's, request to stop while work goes on that must not be cut short.
pub struct Interrupt {
    stop: Pin<Box<dyn Future<Output = anyhow::Error> + Send>>,
    came: bool,
}

impl Interrupt {
    /// Begins to listen. A request is kept until the work at hand is done.
    pub fn listen() -> Self {
        Self { stop: Box::pin(interrupted()), came: false }
    }

    /// Whether a request has come.
    pub fn came(&self) -> bool {
        self.came
    }

    /// Does all of the work, and notes a request that comes meanwhile.
    pub async fn after<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        while !self.came {
            tokio::select! {
                done = &mut work => return done,
                _ = &mut self.stop => self.came = true,
            }
        }
        work.await
    }

    /// Waits for so long, or for a request.
    pub async fn sleep(&mut self, time: Duration) {
        if self.came {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = &mut self.stop => self.came = true,
        }
    }
}
