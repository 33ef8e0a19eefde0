//! Threads for the partitions of a window operator. A partition always works on the same one: what it holds was
//! allocated there, and allocators make threads that free each other's memory wait for each other.

use std::sync::mpsc;
use std::thread::Builder;

use datafusion::common::{Result, exec_datafusion_err};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that end when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Workers(Vec<mpsc::Sender<Job>>);

impl Workers {
    /// # Errors
    /// The system gives no more threads.
    pub(crate) fn start(count: usize) -> Result<Self> {
        let start = |nth| {
            let (sender, jobs) = mpsc::channel::<Job>();
            let thread = Builder::new().name(format!("weir-partition-{nth}"));
            // It is not waited for: it holds nothing but the job at hand.
            thread
                .spawn(move || jobs.iter().for_each(|job| job()))
                .map_err(|e| exec_datafusion_err!("a partition of a window: {e}"))?;
            Ok(sender)
        };
        (0..count).map(start).collect::<Result<_>>().map(Self)
    }

    /// Lets a thread work; the receiver fails where the work panics.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        nth: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        if let Some(worker) = self.0.get(nth) {
            // Nobody listens any more where the run has ended.
            let _ = worker.send(Box::new(move || drop(sender.send(work()))));
        }
        receiver
    }
}
