//! Labels, test cases and their outcomes.

use serde::{Deserialize, Serialize};

use super::EvaluateRequest;

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

/// A label to take back, as the page shows it: another tab or editor may have changed the file since.
#[derive(Debug, Deserialize)]
pub struct LabelRemoval {
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
