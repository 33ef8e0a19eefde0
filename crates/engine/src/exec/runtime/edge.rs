//! How batches pass between the operators of a run, each of which is a task of its own.
//!
//! An operator takes one turn of each of its inputs at a time and gives one turn for it. What it sees, and in which order,
//! is then the same however many threads there are and whichever task is quicker; several operators work at the same time
//! on different turns.

use tokio::sync::mpsc;

use crate::exec::rows::batch::Chunk;
use crate::state::OperatorState;

/// Turns that may wait between two operators: enough to keep both at work, few enough to keep memory small.
const WAITING: usize = 1;

/// What passes along an edge.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Turn(Turn),
    /// A checkpoint is cut here: what came before is in it, what comes after is not.
    Barrier(Answers),
}

/// What an operator gives for one batch of a source, or a part of it.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) chunks: Vec<Chunk>,
    /// After these rows.
    pub(crate) watermark: i64,
    /// Whether the operator has no more to give for that batch.
    pub(crate) last: bool,
}

/// Where operators and sinks answer a barrier.
pub(crate) type Answers = mpsc::UnboundedSender<Answer>;

/// The answer to a barrier.
#[derive(Debug)]
pub(crate) enum Answer {
    State(OperatorState),
    /// A sink has made everything durable that came before the barrier.
    Flushed,
}

/// The edges to those who read an operator.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Vec<mpsc::Sender<Message>>);

impl Outputs {
    /// A new edge.
    pub(crate) fn connect(&mut self) -> mpsc::Receiver<Message> {
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
    pub(crate) async fn send(&self, message: Message) -> bool {
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
pub(crate) struct Inputs(Vec<Input>);

#[derive(Debug)]
struct Input {
    edge: mpsc::Receiver<Message>,
    next: Option<Message>,
    watermark: i64,
    /// It has given its last turn, and another input has not.
    over: bool,
}

/// What all inputs give together.
#[derive(Debug)]
pub(crate) enum Received {
    Turn {
        /// By input.
        chunks: Vec<Vec<Chunk>>,
        /// The lowest of all inputs.
        watermark: i64,
        last: bool,
    },
    Barrier(Answers),
}

impl Inputs {
    pub(crate) fn push(&mut self, edge: mpsc::Receiver<Message>) {
        self.0.push(Input { edge, next: None, watermark: i64::MIN, over: false });
    }

    /// Waits for the next turn of every input; `None` when one has gone. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        for input in &mut self.0 {
            if !input.over && input.next.is_none() {
                input.next = Some(input.edge.recv().await?);
            }
        }
        let mut chunks = Vec::with_capacity(self.0.len());
        let mut barrier = None;
        for input in &mut self.0 {
            match input.next.take() {
                Some(Message::Turn(turn)) => {
                    input.watermark = turn.watermark;
                    input.over = turn.last;
                    chunks.push(turn.chunks);
                }
                Some(Message::Barrier(answers)) => barrier = Some(answers),
                None => chunks.push(Vec::new()),
            }
        }
        if let Some(answers) = barrier {
            return Some(Received::Barrier(answers));
        }
        let last = self.0.iter().all(|i| i.over);
        if last {
            self.0.iter_mut().for_each(|i| i.over = false);
        }
        let watermark = self.0.iter().map(|i| i.watermark).min().unwrap_or(i64::MIN);
        Some(Received::Turn { chunks, watermark, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(watermark: i64, last: bool) -> Message {
        Message::Turn(Turn { chunks: Vec::new(), watermark, last })
    }

    #[tokio::test]
    async fn an_input_that_is_done_waits_for_the_others() {
        let (mut left, mut right, mut inputs) = (Outputs::default(), Outputs::default(), Inputs::default());
        inputs.push(left.connect());
        inputs.push(right.connect());
        let (answers, _) = mpsc::unbounded_channel();
        let send = async {
            for message in [turn(5, true), turn(9, true), Message::Barrier(answers.clone())] {
                assert!(left.send(message).await);
            }
        };
        let also = async {
            for message in [turn(1, false), turn(3, true), turn(7, true), Message::Barrier(answers.clone())] {
                assert!(right.send(message).await);
            }
        };
        let take = async {
            let mut seen = Vec::new();
            while let Some(Received::Turn { watermark, last, .. }) = inputs.next().await {
                seen.push((watermark, last));
            }
            seen
        };
        let ((), (), seen) = tokio::join!(send, also, take);
        assert_eq!(seen, [(1, false), (3, true), (7, true)]);
        drop(left);
        assert!(inputs.next().await.is_none(), "an input has gone");
        drop(inputs);
        assert!(!right.send(turn(0, true)).await, "nobody reads it");
    }
}
