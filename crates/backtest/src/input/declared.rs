//! Raw records of a declared stream, wherever they are kept.

use std::time::Instant;

use anyhow::Result;
use weir_anomaly::Timestamp;
use weir_cloud::Clients;
use weir_records::{Next, Shape};

use super::{Progress, notes};
use crate::history::{Builder, History, declared::Reader};

/// Reads every input, up to a time.
pub(crate) async fn read(
    inputs: &[String],
    mut reader: Reader,
    connect: &impl AsyncFn() -> Result<Clients>,
    to: Option<Timestamp>,
) -> Result<History> {
    let begun = Instant::now();
    let mut history = Builder::new(to);
    let mut progress = Progress { begun, said: begun, count: None };
    let shape = Shape::of(reader.stream());
    let mut said = Vec::new();
    for input in inputs {
        let report = weir_records::read(input, shape, connect, &mut |raw| {
            history.take_raw(&raw.place, raw.bytes, raw.arrival, &mut reader)?;
            progress.look(&history);
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
    said.iter().for_each(|note| eprintln!("{note}"));
    Ok(history)
}
