//! Files of the project, findings and the words that an editor completes.

use serde::{Deserialize, Serialize};

use super::HistorySummary;

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
    /// The streams that it declares, by name: a history may be raw records of one.
    pub streams: Vec<String>,
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
