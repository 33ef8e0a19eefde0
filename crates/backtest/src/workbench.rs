//! History that stays in memory while somebody writes a rule: it is read once, and each draft of the rule is replayed through it.
//!
//! What comes of a draft is what `weir backtest` says of the same rule on the same history: the same replay, the same report.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use weir_anomaly::{Anomaly, Timestamp};
use weir_cloud::Clients;
use weir_engine::{DecodedRows, RunOptions, Stats};
use weir_rules::{Environment, Pack, Program};
use weir_stream::Declaration;

use crate::{
    Answer, Kind, Points, Rules,
    compare::places,
    data::{
        TimedEvent,
        labels::Label,
        read::{Columns, Found, Read},
    },
    history::{Builder, History, declared::Reader},
    input, known, plot,
    replay::{Span, replay_with},
    report::Report,
    score::Alert,
};

pub use crate::watched::Watched;

/// How often the page hears how far an evaluation is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// Somebody waits for an evaluation: it takes the cores that there are, up to so many.
const PARALLELISM_MOST: usize = 8;
/// So many series' readings are kept beside the history: those that were looked at.
const SERIES_KEPT: usize = 256;

/// History, and what is known of it. Cloning it shares it.
#[derive(Debug, Clone)]
pub struct Workbench(Arc<Bench>);

#[derive(Debug)]
struct Bench {
    history: History,
    notes: Vec<String>,
    readings: Mutex<HashMap<String, Arc<Points>>>,
    decoded: DecodedRows,
}

/// What a history is.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// Events in it.
    pub events: usize,
    /// Records that were no events and are left out, by reason: how many, and the first of them with its place.
    pub refused: BTreeMap<String, (usize, String)>,
    /// The first event, strays left out.
    pub first: Timestamp,
    /// The last event, strays left out.
    pub last: Timestamp,
    /// The usual time between two readings of a series, nanoseconds.
    pub sampling: i64,
    /// Its length in days, as rates per week have it.
    pub days: f64,
    /// Every series by its name, with its source, its metric and how many readings it has.
    pub series: Vec<SeriesOverview>,
    /// What a person should know of how it was read.
    pub notes: Vec<String>,
}

/// One series of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesOverview {
    /// `source/metric`.
    pub name: String,
    /// The source.
    pub source: String,
    /// The metric.
    pub metric: String,
    /// How many readings it has.
    pub readings: usize,
}

/// What became of an anomaly on its way to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerted {
    /// It opens an alert.
    Sent,
    /// Its key has an alert of this rule in this period already.
    Suppressed,
    /// Its rule is on trial: it would open an alert.
    WouldSend,
    /// Its rule is on trial: it would be suppressed.
    WouldSuppress,
}

/// What a rule found.
#[derive(Debug)]
pub struct Evaluation {
    /// In order of time, each once.
    pub anomalies: Vec<Anomaly>,
    /// What becomes of each of them.
    pub alerted: Vec<Alerted>,
    /// What of it is always in sight.
    pub figures: Figures,
    /// The report that `weir backtest` prints.
    pub report: Answer,
    /// Rules with rows that could not be computed, and why.
    pub warnings: Vec<String>,
    /// How long the replay took, seconds.
    pub seconds: f64,
}

/// The figures of an evaluation, all rules of the draft together.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// How many anomalies.
    pub anomalies: usize,
    /// How many alerts people would get, were the rules active.
    pub alerts: usize,
    /// Whether every rule is on trial: then nobody is alerted.
    pub on_trial: bool,
    /// Days that they are of.
    pub days: f64,
    /// How many labels there are; none without labels.
    pub labels: Option<usize>,
    /// How many of them were found.
    pub found: Option<usize>,
    /// Share of alerts that are right.
    pub precision: Option<f64>,
    /// Share of labels that are found.
    pub recall: Option<f64>,
    /// From a label's start to its first anomaly, seconds: the median.
    pub delay_seconds: Option<i64>,
    /// USD a month for one subscriber by email, and for the store.
    pub cost_usd_a_month: f64,
    /// Of each rule that could find nothing in most of history: why, and what to do about it.
    pub starved: Vec<(String, String)>,
}

/// What a rule looked at, and between which values nothing would have been wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// The end of the window, nanoseconds since the epoch.
    pub nanos: i64,
    /// What the rule looked at.
    pub value: Option<f64>,
    /// What it expected.
    pub expected: f64,
    /// Between which values nothing is wrong.
    pub band: Option<(f64, f64)>,
}

/// What a rule expected at each window: by key, then by what is drawn (the rule, or its policy).
pub type ExpectedRows = BTreeMap<String, BTreeMap<String, Vec<Expected>>>;

/// A rule with the environment that it is replayed in, ready to run.
#[derive(Debug)]
pub struct Draft(Rules);

impl Draft {
    /// Compiles the rules of a pack, also those at stage `off`: a rule that somebody writes is to be seen.
    ///
    /// # Errors
    /// Every fault of the rules, one a line.
    pub fn new(pack: Pack, environment: Environment) -> Result<Self> {
        Rules::compile(pack, environment, true).map(Self)
    }

    /// The compiled program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.0.program
    }
}

/// Files keep no arrival: nanoseconds from one record of a stream that goes by it to the next.
pub(crate) const ARRIVAL_EVERY: i64 = 1_000_000_000;

impl Workbench {
    /// Reads inputs, as [`BacktestOptions::input`](crate::BacktestOptions::input) names them, in bounded memory: what does not fit
    /// lies in a temporary file. `watched` follows the reading. `connect` gives clients of AWS, once an input lies there.
    ///
    /// # Errors
    /// When an input cannot be read, or they hold no events.
    pub async fn read(
        inputs: &[String],
        columns: &Columns,
        connect: &impl AsyncFn() -> Result<Clients>,
        watched: Arc<Watched>,
    ) -> Result<Self> {
        let (history, notes) = input::read_noted(inputs, columns, connect, None, Some(watched)).await?;
        Ok(Self::of(history, notes))
    }

    /// Reads raw records of a declared stream, decoded exactly as on the stream. Those of a stream that goes by arrival arrive a
    /// second apart.
    ///
    /// # Errors
    /// When an input cannot be read, or they hold no events.
    pub async fn read_records(
        inputs: &[String],
        stream: &Declaration,
        connect: &impl AsyncFn() -> Result<Clients>,
        watched: Arc<Watched>,
    ) -> Result<Self> {
        let every = (!stream.carries_time()).then_some(ARRIVAL_EVERY);
        let reader = Reader::new(stream, every);
        let (history, notes) = input::declared::read_noted(inputs, reader, connect, None, Some(watched)).await?;
        Ok(Self::of(history, notes))
    }

    /// Takes events that are in memory already.
    ///
    /// # Errors
    /// When there are none.
    pub fn of_events(events: Vec<TimedEvent>, name: &str) -> Result<Self> {
        let mut builder = Builder::new(None);
        for (line, TimedEvent { reading, record }) in (1..).zip(events) {
            builder.take(name, &Found { line, record: &record, read: Read::Event(reading) })?;
        }
        Ok(Self::of(builder.finish()?, Vec::new()))
    }

    fn of(history: History, notes: Vec<String>) -> Self {
        Self(Arc::new(Bench { history, notes, readings: Mutex::default(), decoded: DecodedRows::default() }))
    }

    /// What the history is.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let Bench { history, notes, .. } = &*self.0;
        let series = history.series.iter().map(|(name, series)| SeriesOverview {
            name: name.clone(),
            source: series.source.clone(),
            metric: series.metric(name).to_owned(),
            readings: series.readings,
        });
        Overview {
            events: history.events,
            refused: history.refused.by_reason.clone(),
            first: history.first,
            last: history.last,
            sampling: history.sampling,
            days: history.days(),
            series: series.collect(),
            notes: notes.clone(),
        }
    }

    /// Whether the history has anything of a source.
    #[must_use]
    pub fn has_source(&self, source: &str) -> bool {
        self.0.history.has_source(source)
    }

    /// The readings of a series in order of time; `None` where no series has this name.
    ///
    /// # Errors
    /// When the history cannot be read from the disk again.
    pub fn readings(&self, name: &str) -> Result<Option<Arc<Points>>> {
        let kept = || self.0.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(points) = kept().get(name) {
            return Ok(Some(Arc::clone(points)));
        }
        let Some((_, points)) = self.0.history.points(|series, _| series == name)?.pop_first() else {
            return Ok(None);
        };
        let points = Arc::new(points);
        let mut kept = kept();
        if kept.len() >= SERIES_KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), Arc::clone(&points));
        Ok(Some(points))
    }

    /// Every event whose time lies in a span (both ends inside) and whose series is wanted, as records in order of time:
    /// `(nanoseconds, series, record)`.
    ///
    /// # Errors
    /// When the history cannot be read from the disk again.
    pub fn records(
        &self,
        (from, to): (i64, i64),
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(i64, String, Vec<u8>)>> {
        if let Some(name) = &self.0.history.stream {
            bail!(
                "a test case of the stream `{name}` is written by hand for now\n  hint: series = [{{ field = \"…\", values = \"…\" }}] sets a field in its sample, docs/rules.md"
            );
        }
        self.0.history.records((from, to), wanted)
    }

    /// Replays the history through a draft. Dropping the future ends the replay. `tell` hears the share that is done, 0 to 1.
    ///
    /// # Errors
    /// When the engine refuses the program, or the run fails.
    pub async fn evaluate(
        &self,
        draft: &Draft,
        labels: Option<&[Label]>,
        tell: &(dyn Fn(f64) + Sync),
    ) -> Result<Evaluation> {
        let history = &self.0.history;
        let share = |stats: &Stats| {
            let records: u64 = stats.report().sources.iter().map(|source| source.records).sum();
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            tell((records as f64 / history.events.max(1) as f64).min(1.0));
        };
        let replayed =
            replay_with(&draft.0, history, Span::default(), self.options(), (PROGRESS_INTERVAL, &share)).await?;
        let labels: Option<Vec<Label>> = labels.map(|labels| {
            let own = labels.iter().filter(|label| history.has_source(&label.source)).cloned().collect();
            known(own, history, Span::default())
        });
        let report = Report::new(&draft.0, history, &replayed, labels.as_deref())?;
        Ok(Evaluation {
            alerted: alerted(&replayed.anomalies),
            figures: report.figures(),
            report: Answer(Kind::Report(Box::new(report))),
            seconds: replayed.seconds,
            warnings: replayed.warnings,
            anomalies: replayed.anomalies,
        })
    }

    /// What the rules of a draft expected at each of their windows, not only where they fired. Dropping the future ends it.
    ///
    /// # Errors
    /// When the run fails.
    pub async fn expected(&self, draft: &Draft) -> Result<ExpectedRows> {
        let rows = plot::expectations(&draft.0, &self.0.history, self.options()).await?;
        let row = |row: plot::Expectation| Expected {
            nanos: row.nanos,
            value: row.value,
            expected: row.expected,
            band: row.band,
        };
        let of_rules = |rules: BTreeMap<String, Vec<plot::Expectation>>| {
            rules.into_iter().map(|(rule, rows)| (rule, rows.into_iter().map(row).collect())).collect()
        };
        Ok(rows.0.into_iter().map(|(key, rules)| (key, of_rules(rules))).collect())
    }

    fn options(&self) -> RunOptions {
        let parallelism = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(PARALLELISM_MOST);
        RunOptions { decoded: Some(self.0.decoded.clone()), parallelism, ..RunOptions::default() }
    }
}

/// What became of each anomaly, in their order.
fn alerted(anomalies: &[Anomaly]) -> Vec<Alerted> {
    let mut open = BTreeSet::new();
    anomalies
        .iter()
        .map(|anomaly| {
            let opens = open.insert(Alert::would_be(anomaly));
            match (Alert::of(anomaly).is_some(), opens) {
                (true, true) => Alerted::Sent,
                (true, false) => Alerted::Suppressed,
                (false, true) => Alerted::WouldSend,
                (false, false) => Alerted::WouldSuppress,
            }
        })
        .collect()
}

/// What the newer of two results gains and loses, as `weir backtest --compare` counts it: by rule, key and window, not by id,
/// which changes with the rule's text. Gives places in `after`, and places in `before`.
#[must_use]
pub fn changes(before: &[Anomaly], after: &[Anomaly]) -> (Vec<usize>, Vec<usize>) {
    let (old, new) = (places(before), places(after));
    let only = |all: &[Anomaly], others: &BTreeMap<_, &Anomaly>| {
        let lacks = |anomaly: &Anomaly| places(std::slice::from_ref(anomaly)).keys().all(|at| !others.contains_key(at));
        (0..).zip(all).filter(|(_, anomaly)| lacks(anomaly)).map(|(index, _)| index).collect()
    };
    (only(after, &old), only(before, &new))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use weir_rules::Rule;

    use super::*;
    use crate::data::generate::{Plan, generate};

    fn bench() -> Workbench {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let plan = Plan { seed: 7, days: 7, sources: 3, start, step: 300_000_000_000, clean: false };
        Workbench::of_events(generate(plan).0, "generated").unwrap()
    }

    fn draft(limit: &str, column: &str) -> Draft {
        let text = format!(
            "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n-- dedup = \"6 hours\"\n\n\
             SELECT series AS key, window, most AS value, {limit} AS expected, 0.5 AS score\n\
             FROM (SELECT series, tumble(INTERVAL '1 hour') AS window, max({column}) AS most FROM events GROUP BY series, window) AS w\n\
             WHERE most > {limit}"
        );
        let tables_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
        let tables = std::fs::read_to_string(&tables_file).unwrap();
        let rule = Rule::parse(Path::new("high.sql"), &text).unwrap();
        Draft::new(Pack { tables_file, tables, streams: Vec::new(), rules: vec![rule] }, Environment::default())
            .unwrap()
    }

    #[tokio::test]
    async fn what_was_evaluated_before_changes_nothing() {
        let used = bench();
        for (limit, column) in [("70.0", "value"), ("66.0", "value"), ("66.0", "value * 1.0"), ("70.0", "value")] {
            let draft = draft(limit, column);
            let again = used.evaluate(&draft, None, &|_| {}).await.unwrap();
            let alone = bench().evaluate(&draft, None, &|_| {}).await.unwrap();
            assert!(!again.anomalies.is_empty());
            assert_eq!(again.anomalies, alone.anomalies, "{limit} {column}");
            assert_eq!(again.alerted, alone.alerted);
        }
    }

    #[tokio::test]
    async fn alerts_are_sent_once_a_period_and_changes_go_by_place() {
        let bench = bench();
        let few = bench.evaluate(&draft("70.0", "value"), None, &|_| {}).await.unwrap();
        let many = bench.evaluate(&draft("66.0", "value"), None, &|_| {}).await.unwrap();
        let sent = many.alerted.iter().filter(|alerted| **alerted == Alerted::Sent).count();
        assert_eq!(sent, many.figures.alerts);
        assert!(sent < many.anomalies.len(), "dedup suppresses some");
        let (gained, lost) = changes(&few.anomalies, &many.anomalies);
        assert_eq!((gained.len(), lost.len()), (many.anomalies.len() - few.anomalies.len(), 0));
        assert_eq!(changes(&many.anomalies, &few.anomalies).1.len(), gained.len());
    }

    #[tokio::test]
    async fn no_case_is_made_of_records_of_a_declared_stream() {
        let stream = "time = { path = \"at\", format = \"unix\" }\n[fields]\nx = \"double\"";
        let stream = Declaration::parse("meters.toml".as_ref(), stream).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"{\"at\":1767225600,\"x\":1}\n").unwrap();
        let connect = async || bail!("nothing lies on AWS");
        let inputs = [file.path().display().to_string()];
        let bench = Workbench::read_records(&inputs, &stream, &connect, Arc::default()).await.unwrap();
        let error = bench.records((0, i64::MAX), |_| true).unwrap_err().to_string();
        assert!(error.starts_with("a test case of the stream `meters` is written by hand"), "{error}");
    }
}
