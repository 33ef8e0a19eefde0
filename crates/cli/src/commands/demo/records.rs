//! Records of a declared stream, to be replayed: with the time and the key that their rows carry.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, bail};
use weir_anomaly::{Stage, Timestamp};
use weir_backtest::data::{
    TimedEvent,
    labels::{self, Label},
};
use weir_decode::Reading;
use weir_project::Repo;
use weir_records::{Next, Shape};
use weir_rules::{Environment, Pack, reads};
use weir_stream::{Decoder, Record, Rows, Value};

use super::super::streams::declared;

/// Where the records of a project of `weir init` are, and what is known of them.
pub(super) const DATA: &str = "data";
const LABELS: &str = "labels/faults.json";
/// What rules read of Weir's own events.
const OWN: [&str; 2] = ["events", "activity"];

/// The stream whose records the project keeps in `data`, where no rule reads Weir's own events, and the generated ones would show
/// nothing. `None`: some rule does.
pub(super) fn of_project(repo: &Repo, pack: &Pack, environment: &Environment) -> Result<Option<String>> {
    let on = pack.rules.iter().filter(|rule| environment.stage(rule) != Stage::Off);
    let read: BTreeSet<String> = on.flat_map(|rule| reads(rule, environment)).collect();
    if read.iter().any(|name| OWN.contains(&name.as_str())) {
        return Ok(None);
    }
    let mut streams = read.iter().filter(|name| pack.streams.iter().any(|file| file.declaration.name == **name));
    match (streams.next(), streams.next(), repo.root.join(DATA).is_dir()) {
        (Some(stream), None, true) => Ok(Some(stream.clone())),
        _ => bail!(
            "no rule that is on reads `events`, onto which a demo puts what it makes up\n  \
             hint: weir demo --data FILE --as STREAM replays records of a declared stream; weir add static_threshold adds a rule on `events`"
        ),
    }
}

/// The project's own records and labels.
pub(super) async fn own(repo: &Repo, stream: &str) -> Result<(Vec<TimedEvent>, Vec<Label>)> {
    let labels = repo.root.join(LABELS);
    let known = labels.is_file().then_some(labels.as_path());
    read(repo, &repo.root.join(DATA), stream, known).await
}

/// Those of a file or a folder, in order of their times.
pub(super) async fn read(
    repo: &Repo,
    input: &Path,
    stream: &str,
    known: Option<&Path>,
) -> Result<(Vec<TimedEvent>, Vec<Label>)> {
    let declaration = declared(repo, stream)?;
    let mut decoder = Decoder::new(&declaration);
    let key = declaration.key.as_ref().and_then(|key| {
        let columns = declaration.columns();
        columns.iter().position(|column| column.name == *key)
    });
    let (mut events, mut without_time) = (Vec::new(), 0_u64);
    let connect = async || bail!("records of a demo lie on this machine");
    weir_records::read(&input.display().to_string(), Shape::of(&declaration), &connect, &mut |raw| {
        let mut rows = Rows::default();
        decoder.decode(Record { bytes: raw.bytes, arrival: raw.arrival }, &mut rows);
        // What is refused goes in, too, where it stood: the path is to show what becomes of it.
        let row = rows.rows().next();
        let time = row.and_then(|row| row.time).or(raw.arrival).map(Timestamp::from_nanos);
        let time = time.or_else(|| events.last().map(|last: &TimedEvent| last.reading.time));
        match time {
            Some(time) => {
                let source = key.and_then(|at| row?.values.get(at)).map_or_else(|| stream.to_owned(), text);
                events.push(TimedEvent { reading: reading(time, source), record: raw.bytes.to_vec() });
            }
            None => without_time += 1,
        }
        Ok(Next::Record)
    })
    .await?;
    if events.is_empty() {
        bail!(
            "{}: {without_time} records, and none says when it was\n  hint: weir backtest --input {0} --as {stream} --every 1s gives each a time",
            input.display()
        );
    }
    events.sort_by_key(|event| event.reading.time);
    let labels = known.map(|known| labels::read(known, |_| true)).transpose()?;
    Ok((events, labels.unwrap_or_default()))
}

fn text(value: &Value) -> String {
    let json = value.to_json();
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// A replay looks at time and source alone.
fn reading(time: Timestamp, source: String) -> Reading {
    Reading { time, value: 0.0, source, names_source: true, metric: String::new(), id: None }
}
