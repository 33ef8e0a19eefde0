//! What a rule says of its events now, beside an anomaly that it found once: for `weir explain`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use weir_anomaly::Anomaly;
use weir_cloud::Clients;
use weir_rules::{Environment, Pack, StreamFile, kinesis_stream, reads, streams_of};

use crate::{
    Points, Rules,
    data::read::Columns,
    history::declared::Reader,
    input,
    replay::{Span, replay},
    workbench::ARRIVAL_EVERY,
};

/// What rules say of events now.
#[derive(Debug)]
pub struct Recomputed {
    /// The readings of the series that were asked for, by name: `source/metric`.
    pub series: BTreeMap<String, Points>,
    /// What the rules find.
    pub anomalies: Vec<Anomaly>,
}

/// Replays inputs through a pack as it is; gives the readings of the series, or of the source, of that name. Where the rules read a
/// declared stream, inputs hold its raw records, which are decoded as its file says; those that go by arrival, where nobody knows
/// when they arrived, arrive a second apart.
///
/// # Errors
/// When the pack does not compile, reads several streams, or the inputs cannot be read.
pub async fn recompute(
    key: &str,
    pack: Pack,
    environment: Environment,
    inputs: &[String],
    columns: &Columns,
    connect: &impl AsyncFn() -> Result<Clients>,
) -> Result<Recomputed> {
    let reader = match declared(&pack, &environment)? {
        Some(_) if !columns.are_usual() => bail!(
            "the rule's records are read as the stream's file says: leave out --timestamp, --value, --source and --metric"
        ),
        Some(stream) => {
            let stream = &stream.declaration;
            Some(Reader::new(stream, (!stream.carries_time()).then_some(ARRIVAL_EVERY)))
        }
        None => None,
    };
    let rules = Rules::compile(pack, environment, false)?;
    let history = match reader {
        Some(reader) => input::declared::read(inputs, reader, connect, None).await?,
        None => input::read(inputs, columns, connect, None).await?,
    };
    let replayed = replay(&rules, &history, Span::default()).await?;
    let points = history.points(|name, series| name == key || series.source == key)?;
    let series = points.into_iter().map(|(name, points)| (name.to_owned(), points)).collect();
    Ok(Recomputed { series, anomalies: replayed.anomalies })
}

/// The Kinesis stream that has the records of a pack's declared stream, by name or ARN; `None` where the rules read Weir's own
/// events, or several streams.
#[must_use]
pub fn kinesis_input(pack: &Pack, environment: &Environment) -> Option<String> {
    Some(kinesis_stream(declared(pack, environment).ok()??, environment))
}

/// The one declared stream that the rules of a pack read; `None`: Weir's own events.
fn declared<'a>(pack: &'a Pack, environment: &Environment) -> Result<Option<&'a StreamFile>> {
    let mut found: BTreeMap<&str, &StreamFile> = BTreeMap::new();
    let mut own = false;
    for rule in &pack.rules {
        let streams = streams_of(pack, rule, environment);
        found.extend(streams.into_iter().map(|stream| (stream.declaration.name.as_str(), stream)));
        own |= reads(rule, environment).iter().any(|name| name == "events" || name == "activity");
    }
    let names = found.keys().copied().chain(own.then_some("events")).collect::<Vec<_>>().join(", ");
    let mut streams = found.into_values();
    match (streams.next(), streams.next(), own) {
        (None, ..) => Ok(None),
        (Some(only), None, false) => Ok(Some(only)),
        _ => bail!("the rule reads several streams ({names}), whose records are not replayed together"),
    }
}
