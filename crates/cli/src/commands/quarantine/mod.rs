//! `weir quarantine`: records that were no events or no anomalies, to be read, and sent again once they are understood.

mod contents;
mod look;

use std::io::{self, Write as _};

use anyhow::{Context, Result, anyhow, bail};
use weir_cloud::{
    Clients,
    queue::{self, Message},
    stream::{self, PutRecord},
};
use weir_terminal::Interrupt;

use crate::target::DeployedTarget;
use contents::{Contents, Parts, bytes};
use look::Look;

/// Prints what is in quarantine, one record a line; the records stay there unless they are sent again
///
/// Looking hides nothing: the next look, and `--send-again`, find the same. A message of the queue that is no record of
/// Weir's is printed with the reason `stray` and always stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir quarantine --stack local | jq .reason")]
pub(crate) struct QuarantineCommand {
    #[command(flatten)]
    target: DeployedTarget,
    /// The queue, when it is not the stack's own
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// Puts every whole record back on the stream that it came from and takes it out of quarantine
    #[arg(long)]
    send_again: bool,
    /// Prints records as JSON, one a line: what it does without, too
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: QuarantineCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    let foreign = names.as_ref().map(|names| names.foreign_streams.clone()).unwrap_or_default();
    let url = command.queue_url.or(names.map(|c| c.quarantine_url));
    let url = url.context("which quarantine?\n  hint: --env NAME, --stack NAME, or --queue-url URL")?;
    let mut interrupt = Interrupt::listen();
    let mut look = Look::take(&clients, &url, &mut interrupt).await?;
    let mut stayed = Vec::new();
    if command.send_again {
        stayed = send_all_again((&clients, &url), &foreign, &mut look.contents, &mut interrupt).await;
    }
    // Before anything is printed: a reader of the lines may stop reading, which ends this command.
    look::release(&clients, &url, &look.contents).await;
    print(&look.contents)?;

    let (count, strays) = (look.contents.records.len(), look.contents.strays.len());
    for line in &stayed {
        eprintln!("{line}");
    }
    if command.send_again {
        eprintln!("{} of {count} records in quarantine were sent again", count - stayed.len());
    } else {
        eprintln!("{count} records in quarantine");
    }
    if strays > 0 {
        eprintln!(
            "{strays} messages of the queue are no records of Weir's: they have the reason `stray` and stay there"
        );
    }
    look.say_what_is_missing(&url);
    if interrupt.came() {
        bail!("interrupted");
    }
    if !stayed.is_empty() {
        bail!("{} records were not sent again\n  hint: the lines above say why; all others were", stayed.len());
    }
    Ok(())
}

/// What is in a quarantine; it stays there.
pub(crate) async fn contents_of(clients: &Clients, url: &str) -> Result<Vec<serde_json::Value>> {
    let mut interrupt = Interrupt::listen();
    let look = Look::take(clients, url, &mut interrupt).await?;
    look::release(clients, url, &look.contents).await;
    Ok(look.contents.lines().collect())
}

/// Sends one record again; gives what is left.
pub(crate) async fn send_one_again(
    (clients, url): (&Clients, &str),
    foreign: &[String],
    record_id: &str,
    stream: &str,
) -> Result<Vec<serde_json::Value>> {
    let mut interrupt = Interrupt::listen();
    let mut look = Look::take(clients, url, &mut interrupt).await?;
    let of = (record_id.to_owned(), stream.to_owned());
    let sent = match look.contents.records.get(&of) {
        Some(parts) => send_again(clients, url, foreign, parts).await,
        None => Err(anyhow!("record {record_id} is not in quarantine any more")),
    };
    if let Ok(messages) = &sent {
        look.contents.records.remove(&of);
        messages.iter().for_each(|message| look.contents.forget(&message.id));
    }
    look::release(clients, url, &look.contents).await;
    sent?;
    Ok(look.contents.lines().collect())
}

/// Prints the lines, as far as somebody reads them.
fn print(contents: &Contents) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = contents.lines().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("standard output"),
        _ => Ok(()),
    }
}

/// Sends every whole record again and forgets its messages. Says of each that stays why it does.
async fn send_all_again(
    (clients, url): (&Clients, &str),
    foreign: &[String],
    contents: &mut Contents,
    interrupt: &mut Interrupt,
) -> Vec<String> {
    let mut stayed = Vec::new();
    let mut done = Vec::new();
    for ((id, _), parts) in &contents.records {
        if interrupt.came() {
            stayed.push(format!("record {id} stays in quarantine: interrupted"));
            continue;
        }
        // A record that is on its stream again is taken out of quarantine, also after an interrupt.
        match interrupt.after(send_again(clients, url, foreign, parts)).await {
            Ok(messages) => done.extend(messages.into_iter().map(|message| message.id)),
            Err(error) => stayed.push(format!("record {id} stays in quarantine: {error:#}")),
        }
    }
    for id in done {
        contents.forget(&id);
    }
    stayed
}

/// Puts a record back on its stream, then takes it out of quarantine: in this order nothing is lost.
async fn send_again(clients: &Clients, url: &str, foreign: &[String], parts: &Parts) -> Result<Vec<Message>> {
    let (first, _) = parts.values().next().context("it has no parts")?;
    refuse_foreign(&first.stream, foreign)?;
    let raw = bytes(parts).with_context(|| format!("{} of its {} parts are here", parts.len(), first.parts))?;
    stream::put(clients, &first.stream, &[PutRecord::new(raw, first.record_id.clone())]).await?;
    let messages: Vec<Message> = parts.values().flat_map(|(_, messages)| messages.clone()).collect();
    queue::delete(clients, url, &messages).await?;
    Ok(messages)
}

/// Weir never writes to a stream that it only reads.
fn refuse_foreign(stream: &str, foreign: &[String]) -> Result<()> {
    if foreign.iter().any(|name| name == stream) {
        bail!("`{stream}` is not Weir's stream, and Weir never writes to it: its producer sends the record again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_put_on_a_stream_that_is_only_read() {
        let foreign = ["iot-climate".to_owned()];
        assert!(refuse_foreign("weir-events", &foreign).is_ok());
        let said = refuse_foreign("iot-climate", &foreign).unwrap_err().to_string();
        assert!(said.starts_with("`iot-climate` is not Weir's stream"), "{said}");
    }
}
