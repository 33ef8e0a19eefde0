//! `weir failures`: batches that the alerter gave up on, to be read, and sent again once the cause is mended.

mod message;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Write as _},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_cloud::{
    Clients,
    object::Bucket,
    queue::{self, Message},
    range,
    stream::{self, PutRecord},
};
use weir_terminal::Interrupt;

use crate::target::DeployedTarget;
use message::{Batch, Failure};

/// How long a message is held while it is looked at or sent again: reading and putting a batch takes seconds.
const HOLD: Duration = Duration::from_secs(300);
/// More than zero: SQS then asks all its servers, so that no answer means that nothing is visible.
const WAIT_SECONDS: i32 = 1;

/// Prints the batches that the alerter gave up on, one a line; they stay there unless they are sent again
///
/// Mend what made them fail first (docs/runbooks.md, Batches given up), or they fail again. A record that was stored already is known
/// by its id: sending again repeats nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir failures --env dev --send-again")]
pub(crate) struct FailuresCommand {
    #[command(flatten)]
    target: DeployedTarget,
    /// The queue, when it is not the stack's own
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// Puts every record of a batch back on the stream that it came from and takes the batch out of the queue
    #[arg(long)]
    send_again: bool,
}

pub(crate) async fn run(command: FailuresCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    let own = names.and_then(|names| of_stack(&names.quarantine_url));
    let url = command.queue_url.or(own);
    let url = url.context("which queue?\n  hint: --env NAME, --stack NAME, or --queue-url URL")?;
    let mut interrupt = Interrupt::listen();
    let mut held = BTreeMap::new();
    let received = receive_all(&clients, &url, &mut held, &mut interrupt).await;
    let lines: Vec<Value> = held.values().map(|message| line(message, &message::read(&message.body))).collect();
    let outcome = match received {
        Ok(()) if command.send_again => send_all_again(&clients, &url, &mut held, &mut interrupt).await,
        received => received.map(|()| eprintln!("{} messages of batches that were given up", lines.len())),
    };
    // Before anything is printed: a reader of the lines may stop reading, which ends this command.
    let receipts: Vec<&str> = held.values().map(|message| message.receipt.as_str()).collect();
    if let Err(error) = queue::release(&clients, &url, &receipts).await {
        eprintln!("what was shown stays hidden from the next look for {} s: {error}", HOLD.as_secs());
    }
    print(&lines)?;
    if interrupt.came() {
        bail!("interrupted");
    }
    outcome
}

/// Prints the lines, as far as somebody reads them.
fn print(lines: &[Value]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("standard output"),
        _ => Ok(()),
    }
}

/// The queues of a stack differ in the last part of their names (docs/contracts.md, "Names").
fn of_stack(quarantine_url: &str) -> Option<String> {
    Some(format!("{}-alerter-dlq", quarantine_url.strip_suffix("-quarantine")?))
}

/// Takes everything that the queue holds, by message id.
async fn receive_all(
    clients: &Clients,
    url: &str,
    held: &mut BTreeMap<String, Message>,
    interrupt: &mut Interrupt,
) -> Result<()> {
    while !interrupt.came() {
        let received = interrupt.after(queue::receive(clients, url, WAIT_SECONDS, HOLD)).await?;
        let before = held.len();
        held.extend(received.into_iter().map(|message| (message.id.clone(), message)));
        if held.len() == before {
            break;
        }
    }
    Ok(())
}

/// Sends again what the messages name; what is done leaves `held`.
async fn send_all_again(
    clients: &Clients,
    url: &str,
    held: &mut BTreeMap<String, Message>,
    interrupt: &mut Interrupt,
) -> Result<()> {
    let (mut sent, mut stayed) = (0_usize, 0_usize);
    let messages: Vec<Message> = held.values().cloned().collect();
    for message in &messages {
        let Ok(failure) = message::read(&message.body) else { continue };
        if interrupt.came() {
            stayed += 1;
            continue;
        }
        match interrupt.after(send_again(clients, &failure)).await {
            Ok(records) => {
                interrupt.after(queue::delete(clients, url, std::slice::from_ref(message))).await?;
                held.remove(&message.id);
                sent += records;
            }
            Err(error) => {
                eprintln!("message {} stays: {error:#}", message.id);
                stayed += 1;
            }
        }
    }
    eprintln!("{sent} records were sent again");
    if stayed > 0 {
        bail!("{stayed} messages stay in the queue\n  hint: the lines above say why");
    }
    Ok(())
}

/// Puts the records on their stream; says how many.
async fn send_again(clients: &Clients, failure: &Failure) -> Result<usize> {
    match failure {
        Failure::Test => Ok(0),
        Failure::Batch(batch) => {
            let place = &batch.place;
            let (first, last) = (&place.start_sequence_number, &place.end_sequence_number);
            let records = range::read(clients, &batch.stream, &place.shard_id, first, last).await?;
            put(clients, batch, &records).await
        }
        Failure::Objects(objects) => {
            let mut sent = 0;
            for (bucket, key) in objects {
                let (batch, records) = object(clients, bucket, key).await?;
                sent += put(clients, &batch, &records).await?;
            }
            Ok(sent)
        }
    }
}

async fn object(clients: &Clients, bucket: &str, key: &str) -> Result<(Batch, Vec<PutRecord>)> {
    let mut file: File = tempfile::tempfile().context("a temporary file")?;
    Bucket::open(clients, bucket).await?.download(key, &mut file).await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("a temporary file")?;
    message::records(&bytes).map_err(|why| anyhow::anyhow!("s3://{bucket}/{key} is no failed batch: {why}"))
}

/// Puts what is left of a batch. The message stays where some of it is gone: a person is to know.
async fn put(clients: &Clients, batch: &Batch, records: &[PutRecord]) -> Result<usize> {
    stream::put(clients, &batch.stream, records).await?;
    if records.len() < batch.place.batch_size {
        bail!(
            "{} of its {} records are still on {}; those were sent again, the others are gone\n  hint: keep_failed_records \
             keeps them for 90 days; delete the message in the SQS console once that is noted",
            records.len(),
            batch.place.batch_size,
            batch.stream
        );
    }
    Ok(records.len())
}

fn line(message: &Message, read: &Result<Failure, String>) -> Value {
    let id = &message.id;
    match read {
        Ok(Failure::Batch(batch)) => json!({
            "message_id": id, "condition": batch.condition, "timestamp": batch.timestamp, "stream": batch.stream,
            "shard_id": batch.place.shard_id, "first": batch.place.start_sequence_number,
            "last": batch.place.end_sequence_number, "records": batch.place.batch_size,
        }),
        Ok(Failure::Objects(objects)) => {
            let objects: Vec<String> = objects.iter().map(|(bucket, key)| format!("s3://{bucket}/{key}")).collect();
            json!({"message_id": id, "objects": objects})
        }
        Ok(Failure::Test) => json!({"message_id": id, "condition": "s3:TestEvent"}),
        Err(why) => json!({"message_id": id, "condition": "stray", "error": why, "text": message.body}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_the_stacks_own() {
        let quarantine = "https://sqs.eu-central-1.amazonaws.com/111122223333/weir-dev-quarantine";
        let expected = "https://sqs.eu-central-1.amazonaws.com/111122223333/weir-dev-alerter-dlq";
        assert_eq!(of_stack(quarantine).as_deref(), Some(expected));
        assert_eq!(of_stack("https://example.com/other"), None);
    }
}
