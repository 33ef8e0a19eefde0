//! Raw records of a declared stream, wherever they are kept.

use std::{sync::Arc, time::Instant};

use anyhow::Result;
use weir_anomaly::Timestamp;
use weir_cloud::Clients;
use weir_records::{Next, Shape};

use super::{Progress, notes};
use crate::{
    history::{Builder, History, declared::Reader},
    workbench::Watched,
};

/// Reads every input, up to a time, and says on standard error what a person should know of it.
pub(crate) async fn read(
    inputs: &[String],
    reader: Reader,
    connect: &impl AsyncFn() -> Result<Clients>,
    to: Option<Timestamp>,
) -> Result<History> {
    let (history, said) = read_noted(inputs, reader, connect, to, None).await?;
    said.iter().for_each(|note| eprintln!("{note}"));
    Ok(history)
}

/// Reads every input, up to a time; with what a person should know of it. `watched` follows the reading.
pub(crate) async fn read_noted(
    inputs: &[String],
    mut reader: Reader,
    connect: &impl AsyncFn() -> Result<Clients>,
    to: Option<Timestamp>,
    watched: Option<Arc<Watched>>,
) -> Result<(History, Vec<String>)> {
    let begun = Instant::now();
    let mut history = Builder::new(to);
    let mut progress = Progress { begun, said: begun, watched };
    let shape = Shape::of(reader.stream());
    let mut said = Vec::new();
    for input in inputs {
        let report = weir_records::read(input, shape, connect, &mut |raw| {
            history.take_raw(&raw.place, raw.bytes, raw.arrival, &mut reader)?;
            progress.look(&history)?;
            Ok(Next::Record)
        })
        .await?;
        said.extend(report.skipped.iter().map(|(why, names)| notes::skipped(why, names)));
    }
    let history = match history.finish() {
        Ok(history) => history,
        Err(error) => {
            // What was skipped is likely the reason.
            said.iter().for_each(|note| eprintln!("{note}"));
            return Err(error);
        }
    };
    said.extend(notes::of(&history));
    Ok((history, said))
}
