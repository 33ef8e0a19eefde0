//! Runs one case of a rule's tests: what it finds, and that neither batches, a restart nor the order of arrival change that.
//! On Arroyo: that it finds the same there.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};
use weir_engine::{MemorySource, RawRecord, RunOptions};
use weir_project::{Planned, Poison, compile::joined};
use weir_rules::{
    Environment, Pack, Program, RuleSettings, Target, TimeMode, streams_of,
    testfile::{TestCase, TestFile},
};

use super::{
    arroyo::Arroyo,
    diff::{self, Fields},
    lines::{self, Lines},
};

/// The rule's programs: planning takes longer than running a case, so cases with the same parameters share one.
pub(super) struct Plans<'a> {
    pack: Pack,
    rule: &'a str,
    tests: &'a TestFile,
    planned: BTreeMap<String, (Program, Planned)>,
    /// The same for Arroyo, where they are other programs.
    for_arroyo: BTreeMap<String, Program>,
}

impl<'a> Plans<'a> {
    pub(super) fn new(pack: &Pack, rule: &'a str, tests: &'a TestFile) -> Self {
        Self { pack: pack.only(rule), rule, tests, planned: BTreeMap::new(), for_arroyo: BTreeMap::new() }
    }

    /// The environment of a case. A rule that reads `events` reads those of the case's stream.
    fn environment(&self, case: &TestCase) -> Environment {
        let mut environment = Environment { time: case.time, ..Environment::default() };
        if let (Some(stream), Some(rule)) = (&case.stream, self.pack.rules.first())
            && !streams_of(&self.pack, rule, &environment).iter().any(|s| s.declaration.name == *stream)
        {
            let settings = RuleSettings { stream: Some(stream.clone()), ..RuleSettings::default() };
            environment.rules.insert(self.rule.to_owned(), settings);
        }
        environment
    }

    /// The records of a case, by the streams that they are for.
    fn feeds(&self, case: &TestCase) -> Result<Feeds> {
        let read = self.pack.rules.first().map(|rule| streams_of(&self.pack, rule, &self.environment(case)));
        let own = match read.unwrap_or_default().as_slice() {
            [only] => Some(only.declaration.name.clone()),
            _ => None,
        };
        let feeds = case.records(&self.pack.streams, own.as_deref()).map_err(|e| anyhow!(e))?;
        let record = |(nanos, bytes): (i64, Vec<u8>)| RawRecord {
            payload: bytes.into(),
            arrival_nanos: Some(nanos),
            partition: 0,
        };
        Ok(feeds.into_iter().map(|feed| (feed.stream, feed.records.into_iter().map(record).collect())).collect())
    }

    fn of(&mut self, case: &TestCase) -> Result<&(Program, Planned)> {
        let (name, environment) = self.named(case);
        if !self.planned.contains_key(&name) {
            let program = weir_rules::compile(&self.pack, &environment).map_err(joined)?;
            let planned = Planned::new(&program)?;
            self.planned.insert(name.clone(), (program, planned));
        }
        self.planned.get(&name).context("a program that was just planned")
    }

    /// The program for Arroyo, and the records that its sources read there.
    fn on_arroyo(&mut self, case: &TestCase, feeds: &Feeds) -> Result<(&Program, Vec<Lines>)> {
        let (name, environment) = self.named(case);
        let lines = feeds.iter().map(|(stream, records)| {
            let declared = |name: &String| self.pack.streams.iter().find(|s| s.declaration.name == *name);
            lines::of(stream.as_ref().and_then(declared), &environment, records)
        });
        let lines = lines.collect::<Result<_>>()?;
        if !self.for_arroyo.contains_key(&name) {
            let program = weir_rules::compile_for(&self.pack, &environment, Target::Arroyo).map_err(joined)?;
            self.for_arroyo.insert(name.clone(), program);
        }
        Ok((self.for_arroyo.get(&name).context("a program that was just compiled")?, lines))
    }

    /// The environment of a case with its parameters, and a name that cases of the same programs share.
    fn named(&self, case: &TestCase) -> (String, Environment) {
        let mut environment = self.environment(case);
        let parameters = environment.parameters.entry(self.rule.to_owned()).or_default();
        parameters.extend(self.tests.parameters.clone());
        parameters.extend(case.parameters.clone());
        (format!("{:?} {:?} {parameters:?}", case.time, case.stream), environment)
    }
}

/// Records by the declared stream that they are for; `None` is Weir's own events.
type Feeds = Vec<(Option<String>, Vec<RawRecord>)>;

/// What is wrong with a case.
#[derive(Debug)]
pub(super) enum Fault {
    /// Other anomalies than it expects.
    Unexpected { found: Vec<Fields>, said: String },
    /// All else.
    Other(anyhow::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { said, .. } => f.write_str(said),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Into so many batches a case's records are cut, to see that batches change nothing: each costs as much as hundreds of records.
const BATCHES: usize = 8;

/// Runs a case on Arroyo: it must find there what is expected, and all that it finds must be what the embedded engine finds.
pub(super) async fn test_on(arroyo: &Arroyo, plans: &mut Plans<'_>, case: &TestCase) -> Result<(), Fault> {
    let feeds = plans.feeds(case)?;
    let (program, lines) = plans.on_arroyo(case, &feeds)?;
    let mut found = arroyo.anomalies(program, &lines).await?;
    sort(&mut found);
    let (_, planned) = plans.of(case)?;
    if let Some(said) = diff::unexpected(&case.expected(), &found) {
        return Err(Fault::Unexpected { found, said });
    }
    let (here, poison) = run(planned, &feeds, RunOptions::default()).await?;
    if let Some(said) = case.unexpected_poison(poison.iter().map(|poison| poison.reason.as_str())) {
        return Err(anyhow!("{said}\n{}", told(&poison)).into());
    }
    match diff::unexpected(&here, &found) {
        None => Ok(()),
        Some(said) => {
            Err(anyhow!("as expected, but not what the embedded engine finds (missing: only it finds that):\n{said}")
                .into())
        }
    }
}

/// Runs a case.
pub(super) async fn test(plans: &mut Plans<'_>, case: &TestCase) -> Result<(), Fault> {
    let feeds = plans.feeds(case)?;
    let (_, planned) = plans.of(case)?;
    let (found, poison) = run(planned, &feeds, RunOptions::default()).await?;
    let refused = case.unexpected_poison(poison.iter().map(|poison| poison.reason.as_str()));
    if let Some(said) = diff::unexpected(&case.expected(), &found) {
        let refused = if poison.is_empty() { None } else { Some(told(&poison)) };
        let said = refused.into_iter().chain([said]).collect::<Vec<_>>().join("\n");
        return Err(Fault::Unexpected { found, said });
    }
    if let Some(said) = refused {
        let hint = "expect_poison = [\"REASON\"] says that this is meant";
        return Err(anyhow!("{said}\n{}\nhint: {hint}", told(&poison)).into());
    }
    Ok(unchanged(planned, case, &feeds, &found).await?)
}

/// The same anomalies must come of the same records, however they come.
async fn unchanged(planned: &Planned, case: &TestCase, feeds: &Feeds, found: &[Fields]) -> Result<()> {
    // One run shows both; which of them is at fault is asked only when there is a fault.
    let batch_size = (count(feeds) / BATCHES).max(1);
    let apart = restarted(planned, feeds, batch_size).await?;
    if apart != found {
        let small = RunOptions { batch_size, ..RunOptions::default() };
        let what = if anomalies(planned, feeds, small).await? == found {
            "a restart in the middle changes what is found"
        } else {
            "smaller batches change what is found"
        };
        bail!("{what}:\n{}", diff::changed(found, &apart));
    }
    let Some(reordered) = reordered(feeds, case.time) else { return Ok(()) };
    let other = anomalies(planned, &reordered, RunOptions::default()).await?;
    if other != found {
        bail!(
            "another order of records within the watermark's delay changes what is found:\n{}",
            diff::changed(found, &other)
        );
    }
    Ok(())
}

fn count(feeds: &Feeds) -> usize {
    feeds.iter().map(|(_, records)| records.len()).sum()
}

/// The records in another order, as a stream of several shards may give them: each arrives up to the watermark's delay later
/// than it should, and those of one instant are turned round where they are of different series. `None` where windows go by
/// arrival, or where nothing moves.
fn reordered(feeds: &Feeds, time: TimeMode) -> Option<Feeds> {
    if time == TimeMode::Arrival {
        return None;
    }
    let other: Vec<_> = feeds.iter().map(|(stream, records)| (stream, late(records))).collect();
    if other.iter().all(|(_, records)| records.is_none()) {
        return None;
    }
    let usual = |index: usize| feeds.get(index).map(|(_, records)| records.clone()).unwrap_or_default();
    let feed = |(index, (stream, records)): (usize, (&Option<String>, Option<Vec<RawRecord>>))| {
        (stream.clone(), records.unwrap_or_else(|| usual(index)))
    };
    Some(other.into_iter().enumerate().map(feed).collect())
}

/// Every other record of a stream later by the watermark's delay; `None` where nothing moves.
fn late(records: &[RawRecord]) -> Option<Vec<RawRecord>> {
    let delay = i64::try_from(Environment::default().watermark_delay.duration().as_nanos()).unwrap_or(0);
    let mut keyed: Vec<(i64, usize)> = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        // Every other record is late; which ones, is the same each time.
        let late = if index % 2 == 0 { delay - 1 } else { 0 };
        keyed.push((record.arrival_nanos.unwrap_or(0).saturating_add(late), index));
    }
    keyed.sort_unstable();
    if keyed.iter().enumerate().all(|(place, (_, index))| place == *index) {
        return None;
    }
    Some(keyed.into_iter().filter_map(|(_, index)| records.get(index).cloned()).collect())
}

/// What comes of the records in batches of `size`, with a restart from a checkpoint in the middle.
async fn restarted(planned: &Planned, feeds: &Feeds, size: usize) -> Result<Vec<Fields>> {
    let folder = tempfile::tempdir().context("a folder for checkpoints")?;
    let options =
        || RunOptions { state: Some(folder.path().join("state").into()), batch_size: size, ..RunOptions::default() };
    let half = u64::try_from(count(feeds) / 2).unwrap_or(0);
    let mut found = Vec::new();
    if half > 0 {
        found = anomalies(planned, feeds, RunOptions { stop_after: Some(half), ..options() }).await?;
    }
    found.extend(anomalies(planned, feeds, options()).await?);
    sort(&mut found);
    found.dedup();
    Ok(found)
}

/// So many refused records are shown.
const SHOWN: usize = 3;
/// So much of a refused record is shown.
const SHOWN_CHARACTERS: usize = 100;

/// The records that were refused, for a person.
fn told(poison: &[Poison]) -> String {
    let mut lines = vec![format!("poison: {}", poison.len())];
    for poison in poison.iter().take(SHOWN) {
        let record = weir_anomaly::base64_bytes(&poison.raw).unwrap_or_default();
        let record: String = String::from_utf8_lossy(&record).chars().take(SHOWN_CHARACTERS).collect();
        let why = poison.error.as_deref().map_or_else(String::new, |error| format!(" ({error})"));
        lines.push(format!("  {}{why}: {record}", poison.reason));
    }
    lines.join("\n")
}

/// What the program writes to `anomalies` when its source ends after these records, in a fixed order.
async fn anomalies(planned: &Planned, feeds: &Feeds, options: RunOptions) -> Result<Vec<Fields>> {
    Ok(run(planned, feeds, options).await?.0)
}

/// The same, with the records that it sent to quarantine.
async fn run(planned: &Planned, feeds: &Feeds, options: RunOptions) -> Result<(Vec<Fields>, Vec<Poison>)> {
    let feeds: Vec<_> =
        feeds.iter().map(|(stream, records)| (stream.as_deref(), MemorySource::new(records.clone()))).collect();
    let output = planned.run_on(&feeds, options).await?;
    output.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok((parsed(&output.anomalies)?, output.poison))
}

/// What the engine wrote, in a fixed order.
pub(super) fn parsed(rows: &[String]) -> Result<Vec<Fields>> {
    let parse =
        |row: &String| serde_json::from_str(row).with_context(|| format!("the engine wrote no JSON object: {row}"));
    let mut found = rows.iter().map(parse).collect::<Result<Vec<Map<String, Value>>>>()?;
    sort(&mut found);
    Ok(found)
}

fn sort(anomalies: &mut [Fields]) {
    anomalies.sort_by_cached_key(|fields| {
        (fields.get("timestamp").map(Value::to_string), Value::Object(fields.clone()).to_string())
    });
}
