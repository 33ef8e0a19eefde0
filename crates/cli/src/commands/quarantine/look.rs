//! Looks at a queue and leaves it as it was: SQS hides what it gives, so everything that was only looked at is made visible
//! again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use weir_cloud::{Clients, CloudError, queue};
use weir_terminal::Interrupt;

use super::contents::Contents;

/// How long a receive waits for a message. More than zero: SQS then asks all its servers, so that no answer means that
/// nothing is visible.
const WAIT_SECONDS: i32 = 1;
/// What a look holds a message for longer than [`queue::VISIBILITY`], for each message of the queue: the first is not to come
/// again while the last is still on its way. A receive brings ten and takes some 50 ms.
const HOLD_PER_MESSAGE: Duration = Duration::from_millis(10);
/// Receives in a row that brought nothing but what came before, after which the queue is taken to hold no more: a network so
/// slow that the first are visible again is not to end a look early.
const REPEATS_MOST: u32 = 10;
/// Messages that one look holds. SQS hides at most 120,000 of a queue at once, for all readers together.
const HELD_MOST: usize = 50_000;
/// Bytes of messages that one look keeps: a message is at most 256 KiB.
const BYTES_MOST: usize = 256 * 1024 * 1024;
/// How much longer than another look's hold this one waits for what it holds: a look that was killed holds it to the end.
const OTHERS_WAIT: Duration = Duration::from_secs(5);
/// Between two looks at whether others hold messages. Two that wait for each other are to fall out of step, so a part of it
/// goes by the process.
const OTHERS_POLL: Duration = Duration::from_millis(500);

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) contents: Contents,
    /// Messages that another reader held to the end.
    held_by_others: usize,
    /// Messages were left because they are too many for one look.
    left: bool,
    receives_most: Option<u32>,
}

impl Look {
    /// Takes everything that the queue holds; it is held until [`release`].
    ///
    /// # Errors
    /// When the queue cannot be read or the person interrupts; nothing is held then.
    pub(super) async fn take(clients: &Clients, url: &str, interrupt: &mut Interrupt) -> Result<Self> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let look = Self::pass(clients, url, interrupt).await?;
            let all = look.contents.messages().saturating_add(look.held_by_others);
            let wait = hold(all).saturating_add(OTHERS_WAIT);
            if look.held_by_others == 0 || look.left || begun.elapsed() > wait {
                return Ok(look);
            }
            if !told {
                eprintln!(
                    "another reader holds {} messages of the queue; waiting for them, at most {} s …",
                    look.held_by_others,
                    wait.as_secs()
                );
                told = true;
            }
            // The other reader may wait for what is held here.
            release(clients, url, &look.contents).await;
            while others(clients, url, interrupt).await? > 0 && begun.elapsed() < wait {}
        }
    }

    /// Receives until nothing new comes.
    async fn pass(clients: &Clients, url: &str, interrupt: &mut Interrupt) -> Result<Self> {
        let mut look = Self::default();
        let outcome = look.receive(clients, url, interrupt).await;
        if outcome.is_err() || interrupt.came() {
            release(clients, url, &look.contents).await;
        }
        outcome?;
        if interrupt.came() {
            bail!("interrupted");
        }
        Ok(look)
    }

    async fn receive(
        &mut self,
        clients: &Clients,
        url: &str,
        interrupt: &mut Interrupt,
    ) -> std::result::Result<(), CloudError> {
        let before = queue::counts(clients, url).await?;
        self.receives_most = before.receives_most;
        let hold = hold(before.visible);
        let mut repeats = 0;
        while !interrupt.came() && repeats < REPEATS_MOST {
            // The answer is awaited even if the person interrupts: it says what SQS has hidden.
            let received = interrupt.after(queue::receive(clients, url, WAIT_SECONDS, hold)).await?;
            if received.is_empty() {
                break;
            }
            repeats = if self.contents.take(received) { 0 } else { repeats + 1 };
            if self.contents.messages() >= HELD_MOST || self.contents.bytes() >= BYTES_MOST {
                self.left = true;
                break;
            }
        }
        let after = queue::counts(clients, url).await?;
        self.held_by_others = after.held.saturating_sub(self.contents.messages());
        Ok(())
    }

    /// Says what is in the queue and was not shown.
    pub(super) fn say_what_is_missing(&self, url: &str) {
        if self.left {
            eprintln!(
                "there are more: one look takes {HELD_MOST} messages, or {} MiB\n  hint: send these again, or look at the others in the SQS console",
                BYTES_MOST / 1024 / 1024
            );
        }
        if self.held_by_others > 0 {
            eprintln!(
                "another reader still holds {} messages: they are not shown\n  hint: look again when it is done",
                self.held_by_others
            );
        }
        if url.ends_with(".fifo") {
            eprintln!(
                "this is a FIFO queue: SQS gives no more of a message group while its first messages are held, so groups may hold more"
            );
        }
        if let Some(most) = self.receives_most {
            eprintln!(
                "this queue moves a message to its dead-letter queue after {most} receives, and each look is one"
            );
        }
    }
}

/// How long a look at a queue of so many messages holds what it receives.
fn hold(messages: usize) -> Duration {
    let messages = u32::try_from(messages.min(HELD_MOST)).unwrap_or(u32::MAX);
    queue::VISIBILITY.saturating_add(HOLD_PER_MESSAGE.saturating_mul(messages))
}

/// Waits a little, then counts what others hold while nothing is held here.
async fn others(clients: &Clients, url: &str, interrupt: &mut Interrupt) -> Result<usize> {
    let own = Duration::from_millis(u64::from(std::process::id() % 10) * 100);
    interrupt.sleep(OTHERS_POLL + own).await;
    if interrupt.came() {
        bail!("interrupted");
    }
    Ok(queue::counts(clients, url).await?.held)
}

/// Makes visible again what was looked at and not taken out.
pub(super) async fn release(clients: &Clients, url: &str, contents: &Contents) {
    if let Err(error) = queue::release(clients, url, &contents.receipts()).await {
        eprintln!(
            "what was shown stays hidden from the next look for a while, at least {} s: {error}",
            queue::VISIBILITY.as_secs()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_long_queue_holds_the_first_message_until_the_last_has_come() {
        assert_eq!(hold(0), Duration::from_secs(30));
        assert_eq!(hold(10_000), Duration::from_secs(130));
        assert_eq!(hold(usize::MAX), hold(HELD_MOST), "what one look takes, not what the queue holds");
        assert!(hold(usize::MAX) < Duration::from_secs(12 * 60 * 60), "SQS hides for at most 12 hours");
    }
}
