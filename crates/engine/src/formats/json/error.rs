//! Why a record is no row.

/// Nesting below this is read; serde_json draws the line at the same place.
pub(super) const MAX_DEPTH: usize = 127;

/// How much of a value an error quotes: enough to recognise it, never a whole record.
const EXCERPT_BYTES: usize = 48;

/// Why a record could not be read as a row. The decoder holds nothing of such a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no JSON.
    #[error("not valid json at byte {offset}: {problem}")]
    Syntax {
        /// Where, counted from the start of the record.
        offset: usize,
        /// What was expected there, or what is wrong.
        problem: &'static str,
    },
    /// The bytes are no UTF-8.
    #[error("not utf-8 in the text that starts at byte {offset}")]
    NotUtf8 {
        /// Where the string with the fault begins.
        offset: usize,
    },
    /// Valid so far, but a row is a JSON object.
    #[error("a row must be a json object")]
    NotAnObject,
    /// Deeper than any real event, and a way to exhaust the stack.
    #[error("json nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A value that the column's type does not take.
    #[error("column {column}: {found} cannot be read as {expected}")]
    Mismatch {
        /// The column.
        column: String,
        /// Its type, as SQL calls it.
        expected: &'static str,
        /// The value, shortened.
        found: String,
    },
    /// A `NOT NULL` column without a value.
    #[error("column {column} is NOT NULL, but the value is missing or null")]
    Missing {
        /// The column.
        column: String,
    },
    /// Arrow's 32-bit offsets are used up: finish the batch and push the record again.
    #[error("column {column}: a batch holds at most 2 GiB of text")]
    BatchFull {
        /// The column.
        column: String,
    },
    /// The columns do not fit together: a defect of the decoder.
    #[error("decoded columns do not form a batch: {0}")]
    Internal(String),
}

impl DecodeError {
    /// Whether the bytes are at fault for any columns of the table.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Syntax { .. } | Self::NotUtf8 { .. } | Self::TooDeep)
    }

    /// A mismatch that `in_column` completes: only the row knows the column's name.
    pub(super) fn mismatch(expected: &'static str, found: &[u8]) -> Self {
        let cut = found.get(..EXCERPT_BYTES);
        let mut text = String::from_utf8_lossy(cut.unwrap_or(found)).into_owned();
        if cut.is_some() && found.len() > EXCERPT_BYTES {
            text.push('…');
        }
        Self::Mismatch { column: String::new(), expected, found: text }
    }

    /// Puts the name of a column, or of the column around it, before what is known.
    pub(super) fn in_column(mut self, name: &str) -> Self {
        if let Self::Mismatch { column, .. } | Self::Missing { column } | Self::BatchFull { column } = &mut self {
            *column = if column.is_empty() { name.to_owned() } else { format!("{name}.{column}") };
        }
        self
    }
}

/// A column that JSON cannot fill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {data_type} cannot be read from json; declare it TEXT and convert it in a query")]
pub struct UnsupportedColumn {
    /// The column.
    pub column: String,
    /// Its Arrow type.
    pub data_type: String,
}
