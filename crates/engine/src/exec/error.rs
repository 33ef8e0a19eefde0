//! Why runs fail.

use crate::connectors::ConnectorError;
use crate::state::StateError;

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A connector gave up.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// Checkpoints cannot be kept or used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A record cannot be decoded and the table says `bad_data = 'fail'`.
    #[error(
        "table {table}: a record cannot be decoded: {reason}\nhint: bad_data = 'drop' counts such records and goes on"
    )]
    BadData {
        /// The table.
        table: String,
        /// What is wrong with the record.
        reason: String,
    },
    /// A table cannot be read or written as it is declared.
    #[error("table {table}: {reason}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The state of an operator cannot be kept or computed on.
    #[error("a query failed: {0}")]
    Query(String),
    /// A row cannot be encoded.
    #[error("a row cannot be encoded: {0}")]
    Encode(String),
    /// Window state has outgrown its limit.
    #[error(
        "window state has grown to {bytes} bytes, over the limit of {limit}\nhint: use smaller windows, fewer keys, or raise the limit"
    )]
    StateLimit {
        /// Bytes held.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A task of the run died.
    #[error("a task of the run died: {0}")]
    Task(String),
}

impl RunError {
    /// The same, naming the rules whose query it is.
    pub(crate) fn of_rules(self, names: &str) -> Self {
        match self {
            Self::Query(error) if !names.is_empty() => Self::Query(format!("{error} (a query of {names})")),
            other => other,
        }
    }
}

impl From<datafusion::common::DataFusionError> for RunError {
    fn from(error: datafusion::common::DataFusionError) -> Self {
        Self::Query(error.strip_backtrace())
    }
}

impl From<arrow::error::ArrowError> for RunError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Query(error.to_string())
    }
}
