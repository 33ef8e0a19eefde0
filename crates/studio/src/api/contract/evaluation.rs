//! Histories, what a draft finds in them, and how it is drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fault, LabelEntry};

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
    /// Raw records of a declared stream, as it decodes them.
    Records {
        /// Where they are: what `inputs` names elsewhere.
        inputs: Vec<String>,
        /// The stream's name.
        stream: String,
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
