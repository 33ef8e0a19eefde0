//! `weir put`: records onto the events stream.

use std::{
    fs::File,
    io::{BufRead, BufReader, stdin},
    path::PathBuf,
};

use anyhow::{Context, Result};
use weir_cloud::stream::{self, PUT_RECORDS, PutRecord};
use weir_decode::partition_key;

use crate::target::DeployedTarget;

/// Puts records on the events stream, one a line, as they are
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"timestamp\":\"2026-01-01T00:00:00Z\",\"value\":99,\"source\":\"pump-1\",\"metric\":\"temperature\"}' | weir put --stack local"
)]
pub(crate) struct PutCommand {
    /// The file to read; standard input without it
    file: Option<PathBuf>,
    #[command(flatten)]
    target: DeployedTarget,
    /// The stream, when it is not the stack's own
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
}

/// What editors put before UTF-8; no part of the first record.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(crate) async fn run(command: PutCommand) -> Result<()> {
    let (clients, names) = command.target.connect().await?;
    command.target.warn_if_unread()?;
    let stream = command.stream.or(names.map(|c| c.events_stream)).unwrap_or_else(|| "weir-events".to_owned());
    let input: Box<dyn BufRead> = match &command.file {
        Some(file) => {
            Box::new(BufReader::new(File::open(file).with_context(|| format!("{} cannot be read", file.display()))?))
        }
        None => Box::new(BufReader::new(stdin().lock())),
    };
    let mut batch = Vec::with_capacity(PUT_RECORDS);
    let mut count = 0_u64;
    let mut first = true;
    for line in input.split(b'\n') {
        let mut line = line.context("the input cannot be read")?;
        if std::mem::take(&mut first) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            continue;
        }
        count += 1;
        let key = partition_key(&line).unwrap_or_else(|| count.to_string());
        batch.push(PutRecord::new(line, key));
        if batch.len() == PUT_RECORDS {
            stream::put(&clients, &stream, &batch).await?;
            batch.clear();
        }
    }
    stream::put(&clients, &stream, &batch).await?;
    eprintln!("{count} records put on {stream}");
    Ok(())
}
