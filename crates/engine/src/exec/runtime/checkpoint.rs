//! Writes checkpoints while the run goes on.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::edge::BarrierAck;
use crate::exec::error::RunError;
use crate::exec::stats::Stats;
use crate::state::{Checkpoint, SourceState, Store};

/// Waits for a checkpoint that is being written; for ever when there is none.
pub(crate) async fn finished(
    writing: &mut Option<JoinHandle<Result<bool, RunError>>>,
) -> Result<Result<bool, RunError>, JoinError> {
    match writing {
        Some(task) => task.await,
        None => pending().await,
    }
}

/// Gathers the acknowledgements of a barrier and writes them down. Sinks answer when they have flushed: what the
/// positions have passed is durable. Whether all have answered; without, nothing is written.
pub(crate) async fn write_checkpoint(
    store: Store,
    sources: Vec<SourceState>,
    mut acks: mpsc::UnboundedReceiver<BarrierAck>,
    wanted: usize,
    stats: Arc<Stats>,
) -> Result<bool, RunError> {
    let (mut operators, mut count) = (Vec::new(), 0);
    while let Some(answer) = acks.recv().await {
        count += 1;
        if let BarrierAck::State(state) = answer {
            operators.push(state);
        }
    }
    if count < wanted {
        return Ok(false);
    }
    operators.sort_by_key(|o| o.operator);
    let checkpoint = Checkpoint { sources, operators };
    let bytes = store.save(checkpoint).await?;
    stats.checkpoints.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(bytes, "checkpoint written");
    Ok(true)
}
