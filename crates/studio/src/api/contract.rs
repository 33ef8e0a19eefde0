//! Every type that crosses the wire, in both directions. `web/app/types.js` has the same for the page; a test holds the two equal
//! by a snapshot of each.
//!
//! Times are milliseconds since 1970, as the page draws them; nanoseconds do not fit into its numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// In one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The project that the page works in.
#[derive(Debug, Serialize)]
pub struct Project {
    /// The folder's name.
    pub name: String,
    /// The environment that rules are compiled for.
    pub environment: String,
    /// What runs, where the page was started on something.
    pub running: Option<String>,
    /// Its rules, in the order of their names.
    pub rules: Vec<RuleEntry>,
    /// The history that is open.
    pub history: Option<HistorySummary>,
    /// The anomaly that the page was opened for.
    pub open: Option<String>,
    /// Evaluations that are under way, of all tabs.
    pub evaluations: usize,
}

/// A rule of the project.
#[derive(Debug, Serialize)]
pub struct RuleEntry {
    /// Its name.
    pub name: String,
    /// Its file, relative to the project's folder.
    pub path: String,
    /// The file of its tests, whether it is there or not.
    pub tests_path: String,
    /// The names of its cases.
    pub cases: Vec<String>,
    /// `info`, `warning`, `critical`; none of a rule that cannot be read.
    pub severity: Option<String>,
    /// `active`, `shadow` or `off`, as the environment has it.
    pub stage: Option<String>,
    /// What it looks for, or why it cannot be read.
    pub description: String,
}

/// A file of the project.
#[derive(Debug, Serialize)]
pub struct FileText {
    /// Relative to the project's folder.
    pub path: String,
    /// What it holds.
    pub text: String,
    /// Changes with every change of the file.
    pub version: String,
    /// What the last commit holds of it; none where that has no such file.
    pub head: Option<String>,
}

/// A file to write.
#[derive(Debug, Deserialize)]
pub struct SaveRequest {
    /// Relative to the project's folder.
    pub path: String,
    /// What it is to hold.
    pub text: String,
    /// The version that the text is made from; none for a new file.
    pub version: Option<String>,
}

/// What came of writing a file.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Saved {
    /// It is written.
    Saved {
        /// Its version now.
        version: String,
    },
    /// Somebody else changed it meanwhile; nothing is written.
    Conflict {
        /// What it holds now.
        text: String,
        /// The version of that.
        version: Option<String>,
    },
}

/// A text to check.
#[derive(Debug, Deserialize)]
pub struct CheckRequest {
    /// The file that it is of.
    pub path: String,
    /// The text.
    pub text: String,
}

/// What is wrong with a text, and what it declares.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Findings, as `weir check` has them.
    pub findings: Vec<FindingEntry>,
    /// The rule's parameters; empty where it cannot be read.
    pub parameters: Vec<ParameterEntry>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingEntry {
    /// What kind it is.
    pub code: String,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// The column, from 1; 0 for the whole line.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A parameter of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterEntry {
    /// Its name.
    pub name: String,
    /// `double`, `integer`, `text`, `interval` or `boolean`.
    pub kind: String,
    /// What the header says.
    pub default: String,
    /// What the environment sets, where it does.
    pub set: Option<String>,
    /// The least that it may be.
    pub min: Option<f64>,
    /// The most that it may be.
    pub max: Option<f64>,
    /// What it does.
    pub description: String,
}

/// The words that a rule may use.
#[derive(Debug, Serialize)]
pub struct Vocabulary {
    /// The views that rules select from, with their columns.
    pub views: Vec<ViewEntry>,
    /// The functions of the dialect.
    pub functions: Vec<FunctionEntry>,
}

/// A view of `sql/tables.sql`.
#[derive(Debug, Clone, Serialize)]
pub struct ViewEntry {
    /// Its name.
    pub name: String,
    /// Its columns: name and type.
    pub columns: Vec<(String, String)>,
}

/// A function.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionEntry {
    /// Its name.
    pub name: String,
    /// `scalar`, `aggregate` or `window`.
    pub kind: String,
    /// How it is called.
    pub syntax: String,
    /// What it does.
    pub description: String,
}

/// A history to open.
#[derive(Debug, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum HistoryRequest {
    /// Files, folders, `s3://BUCKET/PREFIX` or `kinesis://STREAM`.
    Inputs {
        /// Which.
        inputs: Vec<String>,
        /// The column with the time, where it is not `timestamp`.
        timestamp: Option<String>,
        /// The column with the reading, where it is not `value`.
        value: Option<String>,
        /// The column with the source, where it is not `source`.
        source: Option<String>,
        /// The column with the metric, where it is not `metric`.
        metric: Option<String>,
    },
    /// Generated events.
    Generated {
        /// The same seed gives the same events.
        seed: u64,
    },
}

/// The history that is open.
#[derive(Debug, Clone, Serialize)]
pub struct HistorySummary {
    /// What it was read from, for people.
    pub name: String,
    /// How many events.
    pub events: usize,
    /// The first, milliseconds since 1970.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Its length in days.
    pub days: f64,
    /// The usual time between two readings, milliseconds.
    pub sampling: i64,
    /// How many series.
    pub series: usize,
    /// Labels that lie in it.
    pub labels: usize,
    /// The file that new labels go to, relative to the project's folder.
    pub labels_file: String,
    /// What a person should know of how it was read.
    pub notes: Vec<String>,
}

/// A draft to evaluate.
#[derive(Debug, Clone, Deserialize)]
pub struct EvaluateRequest {
    /// Which tab asks: its earlier evaluation is ended.
    pub tab: String,
    /// The rule's file.
    pub path: String,
    /// The rule's text.
    pub text: String,
    /// Parameters that are set, by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Whether it is compared with the last commit.
    #[serde(default)]
    pub compare: bool,
}

/// A line of an answer that takes time.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress<T> {
    /// It is under way.
    Running {
        /// The share that is done, 0 to 1; none where it is not known.
        share: Option<f64>,
        /// What is being done.
        doing: String,
    },
    /// It is done.
    Done {
        /// What came of it.
        result: T,
    },
    /// It failed.
    Failed(Fault),
}

/// What a draft found.
#[derive(Debug, Serialize)]
pub struct Evaluated {
    /// By which its anomalies and charts are asked for.
    pub evaluation: u64,
    /// The rule's name.
    pub rule: String,
    /// How long the replay took, milliseconds.
    pub took: f64,
    /// Figures.
    pub figures: Figures,
    /// What is gained and lost against the last commit; none where it was not compared.
    pub comparison: Option<ComparisonFigures>,
    /// Why the comparison is not to be had.
    pub comparison_fault: Option<Fault>,
    /// Keys and series, those with most anomalies first.
    pub keys: Vec<KeyEntry>,
    /// Anomalies by key and time.
    pub lane: Lane,
    /// Why the rule could find nothing in most of history.
    pub starved: Vec<Fault>,
    /// Rows that could not be computed.
    pub warnings: Vec<String>,
    /// The report as `weir backtest --json` has it.
    pub report: serde_json::Value,
}

/// Figures of a draft.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// How many anomalies.
    pub anomalies: usize,
    /// How many alerts people would get, were the rule active.
    pub alerts: usize,
    /// Anomalies a week.
    pub anomalies_a_week: f64,
    /// Alerts a week.
    pub alerts_a_week: f64,
    /// Whether the rule is on trial: then nobody is alerted.
    pub on_trial: bool,
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
}

/// What is gained and lost.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ComparisonFigures {
    /// Anomalies that only the draft finds.
    pub gained: usize,
    /// Anomalies that only the committed rule finds.
    pub lost: usize,
    /// Alerts of the committed rule.
    pub alerts_before: usize,
    /// Precision of the committed rule.
    pub precision_before: Option<f64>,
    /// Recall of the committed rule.
    pub recall_before: Option<f64>,
}

/// A key of the rule, or a series in which it found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyEntry {
    /// Its name.
    pub key: String,
    /// Readings, where it is a series.
    pub readings: Option<usize>,
    /// Anomalies.
    pub anomalies: usize,
    /// Alerts.
    pub alerts: usize,
    /// Anomalies that only the draft finds.
    pub gained: usize,
    /// Anomalies that only the committed rule finds.
    pub lost: usize,
}

/// Anomalies by key and time.
#[derive(Debug, Serialize)]
pub struct Lane {
    /// Where it begins, milliseconds.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// Keys with anomalies, those with most first, and how many lie in each part of the time.
    pub rows: Vec<(String, Vec<usize>)>,
}

/// A chart to draw.
#[derive(Debug, Clone, Deserialize)]
pub struct ChartRequest {
    /// The evaluation that it is asked of.
    pub evaluation: u64,
    /// The key.
    pub key: String,
    /// From when, milliseconds; the beginning without it.
    pub from: Option<f64>,
    /// Until when; the end without it.
    pub to: Option<f64>,
    /// Pixels: so many columns are drawn.
    pub width: usize,
    /// Whether to compute what the rule expected, where it is not known yet.
    #[serde(default)]
    pub expected: bool,
}

/// A chart.
#[derive(Debug, Serialize)]
pub struct Chart {
    /// The key.
    pub key: String,
    /// Whether the key is a series: otherwise there are no readings, and what the rule looked at is drawn.
    pub is_series: bool,
    /// Readings: times.
    pub x: Vec<f64>,
    /// Readings: values; none where the line breaks.
    pub y: Vec<Option<f64>>,
    /// How many readings lie in the span; where it is more than are drawn, those drawn are the least and the most of each column.
    pub readings: usize,
    /// What the rule expected; none where it was not asked for and is not known.
    pub expected: Option<Vec<ExpectedLine>>,
    /// Anomalies of the key in the span.
    pub marks: Vec<Mark>,
    /// Labels of the key in the span.
    pub labels: Vec<LabelEntry>,
}

/// What a rule expected of a key.
#[derive(Debug, Clone, Serialize)]
pub struct ExpectedLine {
    /// The rule, or its policy.
    pub name: String,
    /// Times.
    pub x: Vec<f64>,
    /// What it expected.
    pub expected: Vec<f64>,
    /// The lower end of what is not wrong.
    pub lower: Vec<Option<f64>>,
    /// The upper end.
    pub upper: Vec<Option<f64>>,
    /// What it looked at.
    pub value: Vec<Option<f64>>,
}

/// An anomaly in a chart or a table.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its time, milliseconds.
    pub time: i64,
    /// Where it is drawn: at the reading that it is about.
    pub x: f64,
    /// The reading there, or its value.
    pub y: Option<f64>,
    /// The window's start.
    pub window_start: Option<i64>,
    /// The window's end.
    pub window_end: Option<i64>,
    /// What was seen.
    pub value: Option<f64>,
    /// What was expected.
    pub expected: Option<f64>,
    /// How unusual it is.
    pub score: f64,
    /// `sent`, `suppressed`, `would_send` or `would_suppress`.
    pub alert: &'static str,
    /// `same`, `gained` or `lost`; `same` where nothing was compared.
    pub change: &'static str,
    /// Whether it lies in a label; none without labels.
    pub right: Option<bool>,
    /// Further columns of the rule.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// Anomalies to list.
#[derive(Debug, Deserialize)]
pub struct AnomaliesRequest {
    /// The evaluation that it is asked of.
    pub evaluation: u64,
    /// The key; all without it.
    pub key: Option<String>,
    /// So many are left out at the beginning.
    #[serde(default)]
    pub skip: usize,
}

/// Anomalies of an evaluation.
#[derive(Debug, Serialize)]
pub struct Anomalies {
    /// How many there are.
    pub all: usize,
    /// Some of them, in order of time.
    pub anomalies: Vec<Mark>,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEntry {
    /// Its number in the list of labels.
    pub index: usize,
    /// What it is.
    pub kind: String,
    /// Where.
    pub source: String,
    /// In which metric; absent when it concerns the whole source.
    pub metric: Option<String>,
    /// From when on, milliseconds.
    pub start: i64,
    /// Until when.
    pub end: i64,
    /// Whether it is in the project's labels file: only such a label can be taken back.
    pub own: bool,
}

/// A label to write.
#[derive(Debug, Deserialize)]
pub struct LabelRequest {
    /// The key: a series, or a source.
    pub key: String,
    /// From when on, milliseconds.
    pub start: i64,
    /// Until when.
    pub end: i64,
}

/// A parameter to sweep.
#[derive(Debug, Deserialize)]
pub struct SweepRequest {
    /// The draft, as it is evaluated.
    pub draft: EvaluateRequest,
    /// Which parameter.
    pub parameter: String,
    /// Its values.
    pub values: Vec<String>,
}

/// One value of a sweep.
#[derive(Debug, Serialize)]
pub struct SweepRow {
    /// The value.
    pub value: String,
    /// What came of it; none where the value does not do.
    pub figures: Option<Figures>,
    /// Why not.
    pub fault: Option<Fault>,
}

/// A case to make.
#[derive(Debug, Deserialize)]
pub struct CaseRequest {
    /// The draft, as it is evaluated.
    pub draft: EvaluateRequest,
    /// The key.
    pub key: String,
    /// From when, milliseconds.
    pub from: i64,
    /// Until when.
    pub to: i64,
    /// What it is called.
    pub name: String,
}

/// A case that was made.
#[derive(Debug, Serialize)]
pub struct CaseMade {
    /// The file that it is in, relative to the project's folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Records in it.
    pub records: usize,
    /// Records of the range that it was made from.
    pub of: usize,
    /// Anomalies that it expects.
    pub expects: usize,
}

/// Tests to run.
#[derive(Debug, Deserialize)]
pub struct TestsRequest {
    /// The rule's file.
    pub path: String,
    /// The rule's text.
    pub text: String,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub struct TestOutcome {
    /// The case.
    pub case: String,
    /// Whether it passed.
    pub passed: bool,
    /// How long it took, milliseconds.
    pub took: f64,
    /// What is wrong.
    pub said: Option<String>,
}

/// What runs.
#[derive(Debug, Serialize)]
pub struct RunningStatus {
    /// What a person calls it.
    pub name: String,
    /// What `weir status` says of its parts; none where only the commands of AWS know.
    pub status: Option<serde_json::Value>,
    /// Whether it can be reached, and why not.
    pub fault: Option<Fault>,
}

/// An anomaly of the store, or one that just came by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredEntry {
    /// Its id.
    pub id: String,
    /// The rule that found it.
    pub rule: String,
    /// That rule's version.
    pub rule_version: String,
    /// How urgent it is.
    pub severity: String,
    /// What is anomalous.
    pub key: String,
    /// Its time, milliseconds.
    pub time: i64,
    /// The window's start.
    pub window_start: Option<i64>,
    /// The window's end.
    pub window_end: Option<i64>,
    /// What was seen.
    pub value: Option<f64>,
    /// What was expected.
    pub expected: Option<f64>,
    /// How unusual it is.
    pub score: f64,
    /// What the rule looks for.
    pub description: String,
    /// Who is responsible.
    pub owner: String,
    /// Where it says what to do.
    pub runbook: String,
    /// Further columns of the rule.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// `alert`, `shadow`, `below_floor` or `silenced`; none of one that is not stored yet.
    pub disposition: Option<String>,
    /// When it was stored, milliseconds.
    pub first_seen: Option<i64>,
    /// How often it arrived.
    pub times_seen: Option<i64>,
    /// The alert that it counts for.
    pub alert_id: Option<String>,
}

/// Anomalies of the store to list: of a rule, or of a key.
#[derive(Debug, Deserialize)]
pub struct StoredRequest {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this key.
    pub key: Option<String>,
    /// Only those before this time, milliseconds.
    pub before: Option<i64>,
    /// At most so many.
    pub most: Option<usize>,
}

/// Anomalies of the store, the newest first.
#[derive(Debug, Serialize)]
pub struct StoredPage {
    /// They.
    pub anomalies: Vec<StoredEntry>,
    /// Where to go on: those before this time, milliseconds; none where these are all.
    pub next: Option<i64>,
}

/// What is known of a stored anomaly.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// It.
    pub anomaly: StoredEntry,
    /// The rule as it was; none where that version is nowhere to be found.
    pub rule_text: Option<String>,
    /// Where that text was found.
    pub found_in: Option<String>,
    /// The environments that give this version.
    pub environments: Vec<String>,
    /// Its parameters as they were: name and value.
    pub parameters: Vec<(String, String)>,
}

/// The same computed again from the events.
#[derive(Debug, Serialize)]
pub struct Recomputation {
    /// The events of the window and around it: series, times and values.
    pub series: Vec<ExplainedSeries>,
    /// Whether the same comes of the same events, in words.
    pub said: String,
    /// Whether the very same anomaly came of them.
    pub same: bool,
}

/// The events of a series.
#[derive(Debug, Serialize)]
pub struct ExplainedSeries {
    /// `source/metric`.
    pub name: String,
    /// Times, milliseconds.
    pub x: Vec<f64>,
    /// Values.
    pub y: Vec<f64>,
}

/// An alert that is not closed.
#[derive(Debug, Serialize)]
pub struct OpenAlert {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The key.
    pub key: String,
    /// How urgent it is.
    pub severity: String,
    /// `due` or `open`.
    pub state: String,
    /// When it became due, milliseconds.
    pub since: i64,
    /// The end of its period.
    pub until: i64,
    /// Its first anomaly.
    pub first_id: String,
}

/// A silence.
#[derive(Debug, Serialize)]
pub struct SilenceEntry {
    /// Its id.
    pub id: String,
    /// Which rules.
    pub rule: String,
    /// Which keys.
    pub key: String,
    /// Its end, milliseconds.
    pub until: i64,
    /// Who made it.
    pub who: String,
    /// Why.
    pub why: String,
}

/// A silence to make.
#[derive(Debug, Clone, Deserialize)]
pub struct SilenceRequest {
    /// Which rules; `*` stands for any text.
    pub rule: String,
    /// Which keys.
    pub key: String,
    /// How long it lasts, as `2h`.
    pub lasts: String,
    /// Why.
    pub why: String,
}

/// A record to send again.
#[derive(Debug, Deserialize)]
pub struct SendAgainRequest {
    /// The record.
    pub record_id: String,
    /// The stream that it came from.
    pub stream: String,
}
