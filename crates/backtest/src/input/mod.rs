//! Where history comes from: files, folders, what lies in S3, and what a stream keeps.

pub(super) mod declared;
mod notes;
mod objects;

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Instant};

use anyhow::{Result, bail};
use weir_anomaly::Timestamp;
use weir_cloud::{Clients, stream};
use weir_records::listing::{self, Listing};

use super::{
    history::{Builder, History},
    replay::{PROGRESS_INTERVAL, grouped},
};
use crate::{
    data::read::{self, Columns, Found, Maker, Outcome},
    workbench::Watched,
};
use notes::Files;

/// Names a stream in place of a file.
const KINESIS: &str = "kinesis://";
/// Names an object, or a prefix of objects.
const S3: &str = "s3://";
/// Bytes that may take more than a moment to fetch.
const LARGE_OBJECT: u64 = 32 << 20;
/// How many events are read between two looks at the clock.
const LOOK_EACH: usize = 8192;

/// Reads every input, up to a time, and tells a person on standard error what must be known of it.
pub(super) async fn read(
    inputs: &[String],
    columns: &Columns,
    connect: &impl AsyncFn() -> Result<Clients>,
    to: Option<Timestamp>,
) -> Result<History> {
    let (history, notes) = read_noted(inputs, columns, connect, to, None).await?;
    notes.iter().for_each(|note| eprintln!("{note}"));
    Ok(history)
}

/// Reads every input, up to a time; gives what a person must know of it beside it. `watched` follows the reading.
pub(super) async fn read_noted(
    inputs: &[String],
    columns: &Columns,
    connect: &impl AsyncFn() -> Result<Clients>,
    to: Option<Timestamp>,
    watched: Option<Arc<Watched>>,
) -> Result<(History, Vec<String>)> {
    let begun = Instant::now();
    let mut reading = Reading {
        history: Builder::new(to),
        files: Files::default(),
        progress: Progress { begun, said: begun, watched },
        columns,
    };
    for input in inputs {
        if let Some(stream) = input.strip_prefix(KINESIS) {
            reading.stream(stream, connect).await?;
        } else if let Some(place) = input.strip_prefix(S3) {
            objects::read(place, connect, &mut reading).await?;
        } else if input.contains("://") {
            bail!("{input} cannot be read\n  hint: a file, a folder, s3://BUCKET/PREFIX, or kinesis://STREAM");
        } else {
            reading.path(Path::new(input))?;
        }
    }
    let Reading { history, files, .. } = reading;
    let mut notes = files.notes();
    let history = match history.finish() {
        Ok(history) => history,
        Err(error) => {
            // What was skipped is likely the reason.
            notes.iter().for_each(|note| eprintln!("{note}"));
            return Err(error);
        }
    };
    notes.extend(notes::of(&history));
    Ok((history, notes))
}

/// Inputs being read.
struct Reading<'a> {
    history: Builder,
    files: Files,
    progress: Progress,
    columns: &'a Columns,
}

impl Reading<'_> {
    /// A file, or every file below a folder.
    fn path(&mut self, path: &Path) -> Result<()> {
        let listing = listing::of(path)?;
        let is_file = listing.is_file;
        let Listing { files, skipped, .. } = listing;
        for (name, why) in skipped {
            self.files.skipped(name, why);
        }
        let mut read = 0;
        for file in &files {
            let name = file.display().to_string();
            match self.file(file, &name)? {
                Outcome::Read => read += 1,
                // Where a file was asked for by name, somebody expects it to be read.
                Outcome::Skipped(why) if is_file => return Err(read::unknown(file, &why)),
                Outcome::Skipped(why) => self.files.skipped(name, why),
            }
        }
        if read == 0 {
            self.files.notes().iter().for_each(|note| eprintln!("{note}"));
            bail!(
                "{}: there are no events below this folder\n  hint: JSON, CSV with a header line and Parquet are read, under any file name",
                path.display()
            );
        }
        Ok(())
    }

    /// Takes every record of a file; `name` is what a person knows it by.
    fn file(&mut self, file: &Path, name: &str) -> Result<Outcome> {
        let Self { history, progress, files, columns } = self;
        let before = history.events();
        let outcome = read::each(file, columns, &mut |found| {
            history.take(name, &found)?;
            progress.look(history)
        })?;
        if outcome == Outcome::Read {
            files.read(name, history.events() - before);
        }
        Ok(outcome)
    }

    /// What the stream keeps, from its oldest record to its tip.
    async fn stream(&mut self, stream: &str, connect: &impl AsyncFn() -> Result<Clients>) -> Result<()> {
        let clients = connect().await?;
        let Self { history, progress, columns, .. } = self;
        let maker = (!columns.are_usual()).then(|| Maker::new(columns, stream));
        let mut made = Vec::new();
        let mut line = 0;
        stream::retained(&clients, stream, &mut |record| {
            line += 1;
            for data in records_in(record.data) {
                let record = match &maker {
                    Some(maker) => {
                        maker.write_json(data, &mut made);
                        made.as_slice()
                    }
                    None => data,
                };
                history.take(stream, &Found { line, record, read: read::of_stream(record) })?;
                progress.look(history)?;
            }
            Ok::<_, anyhow::Error>(ControlFlow::Continue(()))
        })
        .await
    }
}

/// The records in one record: several where a producer aggregates them.
fn records_in(record: &[u8]) -> Vec<&[u8]> {
    match weir_anomaly::kpl::deaggregate(record) {
        Some(inner) => inner.into_iter().map(|user| user.data).collect(),
        None => vec![record],
    }
}

struct Progress {
    begun: Instant,
    said: Instant,
    /// Who else wants to know; then nothing is printed.
    watched: Option<Arc<Watched>>,
}

impl Progress {
    fn look(&mut self, history: &Builder) -> Result<()> {
        let events = history.events();
        if let Some(watched) = &self.watched {
            return watched.look(events);
        }
        if events.is_multiple_of(LOOK_EACH) && self.said.elapsed() >= PROGRESS_INTERVAL {
            self.said = Instant::now();
            eprintln!("  reading: {} events in {:.0} s", grouped(events), self.begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Before an object is fetched: where that is the last thing that happens for a while, a person knows what is waited for.
    fn object(&mut self, name: &str, size: u64, (index, of): (usize, usize)) {
        if self.said.elapsed() >= PROGRESS_INTERVAL || size >= LARGE_OBJECT {
            self.said = Instant::now();
            eprintln!("  fetching: {name} ({index} of {of}, {} MB)", size.div_ceil(1_000_000));
        }
    }
}
