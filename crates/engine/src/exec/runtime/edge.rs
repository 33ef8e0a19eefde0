//! How batches pass between the operators of a run. Each operator is a task of its own.
//!
//! An operator takes one batch of each of its inputs at a time and gives one batch for it. What it sees, and in which order,
//! is then the same however many threads there are and whichever task is quicker; several operators work at the same time
//! on different batches.

use tokio::sync::mpsc;

use crate::exec::rows::batch::TracedBatch;
use crate::state::OperatorState;

/// Batches that may wait between two operators: enough to keep both at work, few enough to keep memory small.
const WAITING: usize = 1;

/// What passes along an edge.
#[derive(Debug, Clone)]
pub(crate) enum EdgeMessage {
    Batch(InputBatch),
    /// A checkpoint is cut here: what came before is in it, what comes after is not.
    Barrier(BarrierAckSender),
}

/// What an operator gives for one batch of a source, or a part of it.
#[derive(Debug, Clone)]
pub(crate) struct InputBatch {
    pub(crate) batches: Vec<TracedBatch>,
    /// After these rows.
    pub(crate) watermark: i64,
    /// Whether the operator has no more to give for that batch.
    pub(crate) last: bool,
}

/// Where operators and sinks answer a barrier.
pub(crate) type BarrierAckSender = mpsc::UnboundedSender<BarrierAck>;

/// The answer to a barrier.
#[derive(Debug)]
pub(crate) enum BarrierAck {
    State(OperatorState),
    /// A sink has made everything durable that came before the barrier.
    Flushed,
}

/// The edges to those who read an operator.
#[derive(Debug, Default)]
pub(crate) struct OutputEdges(Vec<mpsc::Sender<EdgeMessage>>);

impl OutputEdges {
    /// A new edge.
    pub(crate) fn connect(&mut self) -> mpsc::Receiver<EdgeMessage> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.0.push(sender);
        receiver
    }

    /// Waits until every reader has taken what was sent; whether all are still there.
    pub(crate) async fn taken(&self) -> bool {
        for edge in &self.0 {
            // There is room for one.
            if edge.reserve().await.is_err() {
                return false;
            }
        }
        true
    }

    /// Sends to every reader; whether all are still there.
    pub(crate) async fn send(&self, message: EdgeMessage) -> bool {
        let Some((last, others)) = self.0.split_last() else { return true };
        for edge in others {
            if edge.send(message.clone()).await.is_err() {
                return false;
            }
        }
        last.send(message).await.is_ok()
    }
}

/// The edges from those that an operator reads, in its own order.
#[derive(Debug, Default)]
pub(crate) struct InputEdges(Vec<InputEdge>);

#[derive(Debug)]
struct InputEdge {
    edge: mpsc::Receiver<EdgeMessage>,
    next: Option<EdgeMessage>,
    watermark: i64,
    /// It has given its last batch, and another input has not.
    over: bool,
}

/// What all inputs give together.
#[derive(Debug)]
pub(crate) enum Received {
    Batch {
        /// By input.
        batches: Vec<Vec<TracedBatch>>,
        /// The lowest of all inputs.
        watermark: i64,
        last: bool,
    },
    Barrier(BarrierAckSender),
}

impl InputEdges {
    pub(crate) fn push(&mut self, edge: mpsc::Receiver<EdgeMessage>) {
        self.0.push(InputEdge { edge, next: None, watermark: i64::MIN, over: false });
    }

    /// Waits for the next batch of every input; `None` when one has gone. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        for input in &mut self.0 {
            if !input.over && input.next.is_none() {
                input.next = Some(input.edge.recv().await?);
            }
        }
        let mut batches = Vec::with_capacity(self.0.len());
        let mut barrier = None;
        for input in &mut self.0 {
            match input.next.take() {
                Some(EdgeMessage::Batch(input_batch)) => {
                    input.watermark = input_batch.watermark;
                    input.over = input_batch.last;
                    batches.push(input_batch.batches);
                }
                Some(EdgeMessage::Barrier(acks)) => barrier = Some(acks),
                None => batches.push(Vec::new()),
            }
        }
        if let Some(acks) = barrier {
            return Some(Received::Barrier(acks));
        }
        let last = self.0.iter().all(|i| i.over);
        if last {
            self.0.iter_mut().for_each(|i| i.over = false);
        }
        let watermark = self.0.iter().map(|i| i.watermark).min().unwrap_or(i64::MIN);
        Some(Received::Batch { batches, watermark, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input_batch(watermark: i64, last: bool) -> EdgeMessage {
        EdgeMessage::Batch(InputBatch { batches: Vec::new(), watermark, last })
    }

    #[tokio::test]
    async fn an_input_that_is_done_waits_for_the_others() {
        let (mut left, mut right, mut inputs) = (OutputEdges::default(), OutputEdges::default(), InputEdges::default());
        inputs.push(left.connect());
        inputs.push(right.connect());
        let (acks, _) = mpsc::unbounded_channel();
        let send = async {
            for message in [input_batch(5, true), input_batch(9, true), EdgeMessage::Barrier(acks.clone())] {
                assert!(left.send(message).await);
            }
        };
        let also = async {
            for message in
                [input_batch(1, false), input_batch(3, true), input_batch(7, true), EdgeMessage::Barrier(acks.clone())]
            {
                assert!(right.send(message).await);
            }
        };
        let take = async {
            let mut seen = Vec::new();
            while let Some(Received::Batch { watermark, last, .. }) = inputs.next().await {
                seen.push((watermark, last));
            }
            seen
        };
        let ((), (), seen) = tokio::join!(send, also, take);
        assert_eq!(seen, [(1, false), (3, true), (7, true)]);
        drop(left);
        assert!(inputs.next().await.is_none(), "an input has gone");
        drop(inputs);
        assert!(!right.send(input_batch(0, true)).await, "nobody reads it");
    }
}
