//! What a run counts: live while it goes, and as its report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::StringArray;
use serde::Serialize;
use weir_stream::Tally;

use crate::connectors::{ConnectorCounters, ConnectorStats};
use crate::program::{Program, RuleInfo};

/// What a row is counted as whose kind is NULL.
const NO_KIND: &str = "none";

/// Live counters of a run; shared with the tasks that show them.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) sources: Vec<SourceCounters>,
    pub(crate) sinks: Vec<SinkCounters>,
    pub(crate) rules: Vec<RuleCounters>,
    pub(crate) state_bytes: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) failed_checkpoints: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    name: String,
    pub(crate) records: AtomicU64,
    pub(crate) rows: AtomicU64,
    /// Rows by what they turned out to be, where the program has them counted.
    pub(crate) kinds: Mutex<BTreeMap<String, u64>>,
    pub(crate) bytes: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) poison: AtomicU64,
    /// What the records of a declared stream became.
    pub(crate) tally: Mutex<Option<Tally>>,
    pub(crate) without_time: AtomicU64,
    pub(crate) future: AtomicU64,
    /// −1 where it has no meaning.
    pub(crate) lag_millis: AtomicI64,
    pub(crate) watermark: AtomicI64,
    pub(crate) connector: OnceLock<Arc<ConnectorCounters>>,
}

#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    name: String,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) connector: OnceLock<Arc<ConnectorCounters>>,
}

#[derive(Debug, Default)]
pub(crate) struct RuleCounters {
    pub(crate) name: String,
    sink: String,
    /// The sources whose rows reach it.
    sources: Vec<usize>,
    pub(crate) rows: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) without_time: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// The first error, and when an error was last logged.
    said: Mutex<Option<(String, Instant)>>,
}

/// Errors of one rule are logged at most so often: a bad field comes with every record.
const SAY_ERRORS_EVERY: Duration = Duration::from_secs(60);

impl Stats {
    /// Counters for a program, all zero.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let source = |name: &str| SourceCounters {
            name: name.to_owned(),
            lag_millis: AtomicI64::new(-1),
            watermark: AtomicI64::new(i64::MIN),
            ..SourceCounters::default()
        };
        Self {
            sources: program.sources.iter().map(|t| source(&t.name)).collect(),
            sinks: program
                .sinks
                .iter()
                .map(|t| SinkCounters { name: t.name.clone(), ..SinkCounters::default() })
                .collect(),
            rules: program.rules.iter().map(RuleCounters::of).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn watch_source(&self, source: usize, counters: Option<Arc<ConnectorCounters>>) {
        watch(self.sources.get(source).map(|s| &s.connector), counters);
    }

    pub(crate) fn watch_sink(&self, sink: usize, counters: Option<Arc<ConnectorCounters>>) {
        watch(self.sinks.get(sink).map(|s| &s.connector), counters);
    }

    /// Counts a source's rows by the text in a column.
    pub(crate) fn count_kinds(&self, source: Option<usize>, kinds: &StringArray) {
        let Some(counters) = source.and_then(|s| self.sources.get(s)) else { return };
        let mut counts = counters.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = kinds.iter().map(|kind| kind.unwrap_or(NO_KIND)).peekable();
        // Most rows are what the row before them was.
        while let Some(kind) = rows.next() {
            let mut count = 1;
            while rows.next_if_eq(&kind).is_some() {
                count += 1;
            }
            match counts.get_mut(kind) {
                Some(known) => *known += count,
                None => {
                    counts.insert(kind.to_owned(), count);
                }
            }
        }
    }

    /// Counts what a rule gave.
    pub(crate) fn count_rule(&self, rule: Option<usize>, rows: usize) {
        if let Some(rule) = rule.and_then(|r| self.rules.get(r)) {
            rule.rows.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn report(&self) -> RunReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sources = self.sources.iter().map(|s| SourceStats {
            name: s.name.clone(),
            records: get(&s.records),
            rows: get(&s.rows),
            kinds: s.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes: get(&s.bytes),
            late: get(&s.late),
            poison: get(&s.poison),
            stream: s.tally.lock().unwrap_or_else(PoisonError::into_inner).map(StreamStats::from),
            without_time: get(&s.without_time),
            future: get(&s.future),
            lag_millis: u64::try_from(s.lag_millis.load(Ordering::Relaxed)).ok(),
            connector: s.connector.get().map(|c| c.report()),
            watermark_nanos: Some(s.watermark.load(Ordering::Relaxed)).filter(|w| *w != i64::MIN && *w != i64::MAX),
        });
        let sinks = self.sinks.iter().map(|s| SinkStats {
            name: s.name.clone(),
            rows: get(&s.rows),
            bytes: get(&s.bytes),
            connector: s.connector.get().map(|c| c.report()),
        });
        let rules = self.rules.iter().map(|r| RuleStats {
            name: r.name.clone(),
            sink: r.sink.clone(),
            rows: get(&r.rows),
            late: get(&r.late),
            poison: r.sources.iter().filter_map(|s| self.sources.get(*s)).map(|s| get(&s.poison)).sum(),
            without_time: get(&r.without_time),
            rule_errors: get(&r.errors),
            rule_error: r.first_error(),
        });
        RunReport {
            sources: sources.collect(),
            sinks: sinks.collect(),
            rules: rules.collect(),
            state_bytes: get(&self.state_bytes),
            checkpoints: get(&self.checkpoints),
            failed_checkpoints: get(&self.failed_checkpoints),
        }
    }
}

fn watch(slot: Option<&OnceLock<Arc<ConnectorCounters>>>, counters: Option<Arc<ConnectorCounters>>) {
    if let (Some(slot), Some(counters)) = (slot, counters) {
        // A second run that shares the statistics keeps the first one's: a service is opened once a run.
        let _ = slot.set(counters);
    }
}

impl RuleCounters {
    fn of(rule: &RuleInfo) -> Self {
        Self { name: rule.name.clone(), sink: rule.sink.clone(), sources: rule.sources.clone(), ..Self::default() }
    }

    /// Keeps the first error, and logs one now and then.
    pub(crate) fn say_error(&self, error: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.as_mut() {
            Some((_, when)) if when.elapsed() < SAY_ERRORS_EVERY => return,
            Some((_, when)) => *when = Instant::now(),
            None => *said = Some((error.to_owned(), Instant::now())),
        }
        drop(said);
        let rule_errors = self.errors.load(Ordering::Relaxed);
        tracing::warn!(rule = self.name, rule_errors, error, "rows are left out of a rule: they cannot be computed");
    }

    fn first_error(&self) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.as_ref().map(|(error, _)| error.clone())
    }
}

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// By source, in the order of the program.
    pub sources: Vec<SourceStats>,
    /// By sink, in the order of the program.
    pub sinks: Vec<SinkStats>,
    /// By rule: each statement that writes, in the order of the program.
    pub rules: Vec<RuleStats>,
    /// Bytes of window state held.
    pub state_bytes: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Checkpoints that could not be written and were put off to the next interval.
    pub failed_checkpoints: u64,
}

/// Counts of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceStats {
    /// The table.
    pub name: String,
    /// Records read.
    pub records: u64,
    /// Rows made of them: as many as records less `poison`, unless records hold several lines.
    pub rows: u64,
    /// Rows by what the program says they are, where it has them counted (`-- weir: count = COLUMN`). With Weir's
    /// tables: `event`, `heartbeat`, `probe`, or why the record is poison. Each row is one of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, u64>,
    /// Bytes read.
    pub bytes: u64,
    /// Rows that at least one window dropped because it had closed.
    pub late: u64,
    /// Records that could not be decoded and were dropped (`bad_data = 'drop'`).
    pub poison: u64,
    /// Of a declared stream: what became of each record inside the records that were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamStats>,
    /// Rows whose event time or watermark is missing or unusable.
    pub without_time: u64,
    /// Rows whose event time lies too far beyond their arrival to move the watermark. They are events all the same.
    pub future: u64,
    /// How far behind the tip of the stream, in milliseconds.
    pub lag_millis: Option<u64>,
    /// How far event time has come.
    pub watermark_nanos: Option<i64>,
    /// Faults of the service that is read; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorStats>,
}

/// What records of a declared stream became. A record here is what is accepted or refused as a whole: one line of several, one log
/// event of a message. Each is exactly one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StreamStats {
    /// Accepted, with or without rows (a list that `each` walks may be empty).
    pub accepted: u64,
    /// Accepted, and every row left out by the file's `ignore`; the other side's control messages too.
    pub ignored: u64,
    /// Refused, with a reason.
    pub poison: u64,
    /// Control records of Weir's own.
    pub control: u64,
}

impl StreamStats {
    /// All of them.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.accepted + self.ignored + self.poison + self.control
    }
}

impl From<Tally> for StreamStats {
    fn from(tally: Tally) -> Self {
        Self {
            accepted: tally.accepted.saturating_sub(tally.left_out),
            ignored: tally.left_out,
            poison: tally.poison,
            control: tally.control,
        }
    }
}

impl SourceStats {
    /// Rows that the program has not counted as anything: those under way while a run goes on, none at its end. `None`
    /// where the program counts no rows.
    #[must_use]
    pub fn unaccounted(&self) -> Option<u64> {
        (!self.kinds.is_empty()).then(|| self.rows.abs_diff(self.kinds.values().sum()))
    }
}

/// Counts of a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SinkStats {
    /// The table.
    pub name: String,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Faults of the service that is written; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorStats>,
}

/// Counts of a rule: one statement that writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleStats {
    /// What the comment `-- rule NAME` before the statement says, else the sink and the statement's line: `anomalies:12`.
    pub name: String,
    /// The table that it writes.
    pub sink: String,
    /// Rows that it gave.
    pub rows: u64,
    /// Source rows that one of its windows dropped because it had closed, each once.
    pub late: u64,
    /// Records of its sources that could not be decoded, so that it never saw them.
    pub poison: u64,
    /// Source rows that one of its windows dropped because they have no usable time, each once.
    pub without_time: u64,
    /// Rows (of its sources, or of its windows) that were left out because an expression failed on them.
    pub rule_errors: u64,
    /// What the first of those errors says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_error: Option<String>,
}
