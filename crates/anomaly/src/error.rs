//! Why a record is no valid anomaly.

/// Why bytes from the anomalies stream are not a record. All of these are poison: trying again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A needed field is absent or null.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field holds something that it must not.
    #[error("field `{field}`: {reason}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The record is larger than the store can take.
    #[error("record of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// The record's size, bytes.
        bytes: usize,
        /// The limit, bytes.
        limit: usize,
    },
}

impl RecordError {
    /// A word for metrics and the quarantine message's `reason`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::Missing(_) => "missing_field",
            Self::Invalid { .. } => "invalid_field",
            Self::TooLarge { .. } => "too_large",
        }
    }

    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }
}
