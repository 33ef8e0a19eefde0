//! Where history comes from: files, folders, what lies in S3, and what a stream keeps.

mod objects;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use weir_anomaly::Timestamp;
use weir_cloud::stream;

use super::{
    history::{Builder, History},
    replay::{PROGRESS_INTERVAL, grouped},
};
use crate::{
    data::read::{self, BadLine, Columns},
    target::Target,
};

/// Names a stream in place of a file.
const KINESIS: &str = "kinesis://";
/// Names an object, or a prefix of objects.
const S3: &str = "s3://";
/// Bytes that may take more than a moment to fetch.
const LARGE_OBJECT: u64 = 32 << 20;
/// How many events are read between two looks at the clock.
const LOOK_EACH: usize = 8192;

/// Reads every input, up to a time.
pub(super) async fn read(
    inputs: &[String],
    columns: &Columns,
    target: &Target,
    to: Option<Timestamp>,
) -> Result<History> {
    let begun = Instant::now();
    let mut progress = Progress { begun, said: begun };
    let mut history = Builder::new(to);
    for input in inputs {
        if let Some(stream) = input.strip_prefix(KINESIS) {
            read_stream(stream, target, &mut history, &mut progress).await?;
        } else if let Some(place) = input.strip_prefix(S3) {
            objects::read(place, columns, target, &mut history, &mut progress).await?;
        } else if input.contains("://") {
            bail!("{input} cannot be read\n  hint: a file, a folder, s3://BUCKET/PREFIX, or kinesis://STREAM");
        } else {
            for file in files(Path::new(input))? {
                each_event(&file, &file.display().to_string(), columns, &mut history, &mut progress)?;
            }
        }
    }
    let history = history.finish()?;
    let skipped = &history.skipped;
    if let Some(first) = &skipped.first {
        let lines = if skipped.count == 1 { "line is no event and was" } else { "lines are no events and were" };
        eprintln!("{} {lines} left out; the first: {first}", grouped(skipped.count));
    }
    Ok(history)
}

/// Takes every event of a file; `name` is what a person knows it by.
fn each_event(
    file: &Path,
    name: &str,
    columns: &Columns,
    history: &mut Builder,
    progress: &mut Progress,
) -> Result<()> {
    read::each(file, columns, &mut |event| {
        history.take(name, event)?;
        progress.look(history);
        Ok(())
    })
}

/// What the stream keeps, from its oldest record to its tip.
async fn read_stream(stream: &str, target: &Target, history: &mut Builder, progress: &mut Progress) -> Result<()> {
    let (clients, _) = target.connect().await?;
    // The records are events as the stream carries them: their fields have their usual names.
    let columns = Columns::default();
    let mut line = 0;
    stream::retained(&clients, stream, &mut |record| {
        line += 1;
        for data in records_in(record) {
            let event = match read::from_json(data, "unknown", &columns) {
                // Control records are no events; a backtest adds its own.
                Err(_) if is_control(data) => continue,
                event => event.map_err(|fault| BadLine { line, fault }),
            };
            history.take(stream, event)?;
            progress.look(history);
        }
        Ok::<(), anyhow::Error>(())
    })
    .await
}

/// The records in one record: several where a producer aggregates them.
fn records_in(record: &[u8]) -> Vec<&[u8]> {
    match weir_anomaly::kpl::deaggregate(record) {
        Some(inner) => inner.into_iter().map(|user| user.data).collect(),
        None => vec![record],
    }
}

fn is_control(data: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(data).is_ok_and(|value| value.get("weir").is_some())
}

/// A file, or every file below a folder that can be read, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let what = || format!("{} cannot be read", folder.display());
        for entry in fs::read_dir(&folder).with_context(what)? {
            let entry = entry.with_context(what)?;
            if entry.file_type().with_context(what)?.is_dir() {
                folders.push(entry.path());
            } else if read::holds_events(&entry.path()) {
                found.push(entry.path());
            }
        }
    }
    if found.is_empty() {
        bail!(
            "{}: there are no events below this folder\n  hint: files are .csv, .jsonl (either also .gz) or .parquet",
            path.display()
        );
    }
    found.sort();
    Ok(found)
}

struct Progress {
    begun: Instant,
    said: Instant,
}

impl Progress {
    fn look(&mut self, history: &Builder) {
        let events = history.events();
        if events.is_multiple_of(LOOK_EACH) && self.said.elapsed() >= PROGRESS_INTERVAL {
            self.said = Instant::now();
            eprintln!("  reading: {} events in {:.0} s", grouped(events), self.begun.elapsed().as_secs_f64());
        }
    }

    /// Before an object is fetched: where that is the last thing that happens for a while, a person knows what is waited for.
    fn object(&mut self, name: &str, size: u64, (index, of): (usize, usize)) {
        if self.said.elapsed() >= PROGRESS_INTERVAL || size >= LARGE_OBJECT {
            self.said = Instant::now();
            eprintln!("  fetching: {name} ({index} of {of}, {} MB)", size.div_ceil(1_000_000));
        }
    }
}
