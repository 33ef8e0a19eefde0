//! How far a stream was read: what a checkpoint keeps of a source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::api::Start;
use crate::connectors::ConnectorError;

/// The position of a whole stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) stream: String,
    pub(super) shards: BTreeMap<String, ShardPosition>,
}

/// The position in one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardPosition {
    /// The last record that was handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<String>,
    /// Set when that record holds several and only this many of them were handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_sequence_number: Option<usize>,
    /// Where a shard without a record so far starts, milliseconds since the epoch; its beginning, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_millis: Option<i64>,
    /// Everything that arrived before this time was handed out, milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_until_millis: Option<i64>,
    /// The shard is closed and read to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) finished: bool,
}

impl Position {
    /// Reads what a checkpoint kept.
    pub(super) fn read(value: &serde_json::Value, stream: &str) -> Result<Self, ConnectorError> {
        let position: Self = serde_json::from_value(value.clone()).map_err(|error| {
            ConnectorError::Configuration(format!("the checkpoint holds no position of a kinesis stream: {error}"))
        })?;
        if position.stream != stream {
            return Err(ConnectorError::Configuration(format!(
                "the checkpoint is of stream {}, the table reads stream {stream}; start from another state folder",
                position.stream
            )));
        }
        Ok(position)
    }
}

impl ShardPosition {
    /// Where reading goes on.
    pub(super) fn start(&self) -> Start {
        match (&self.sequence_number, self.sub_sequence_number, self.start_millis) {
            (Some(sequence), None, _) => Start::After(sequence.clone()),
            (Some(sequence), Some(_), _) => Start::At(sequence.clone()),
            (None, _, Some(millis)) => Start::AtTimestamp(millis),
            (None, _, None) => Start::TrimHorizon,
        }
    }

    /// How many user records of the record `sequence` were handed out before.
    pub(super) fn handed_out(&self, sequence: &str) -> usize {
        if self.sequence_number.as_deref() == Some(sequence) { self.sub_sequence_number.unwrap_or_default() } else { 0 }
    }
}

/// Whether a sequence number is later than another: they are decimal numbers, too long for any integer.
pub(super) fn is_later(left: &str, right: &str) -> bool {
    (left.len(), left) > (right.len(), right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_a_checkpoint() {
        let shard = ShardPosition {
            sequence_number: Some("49".into()),
            sub_sequence_number: Some(2),
            ..ShardPosition::default()
        };
        let position = Position { stream: "s".into(), shards: BTreeMap::from([("shardId-1".to_owned(), shard)]) };
        let value = serde_json::to_value(&position).unwrap();
        assert_eq!(
            value.to_string(),
            r#"{"shards":{"shardId-1":{"sequence_number":"49","sub_sequence_number":2}},"stream":"s"}"#
        );
        assert_eq!(Position::read(&value, "s").unwrap(), position);
        let error = Position::read(&value, "other").unwrap_err().to_string();
        assert_eq!(
            error,
            "the checkpoint is of stream s, the table reads stream other; start from another state folder"
        );
    }

    #[test]
    fn sequence_numbers_are_compared_as_numbers() {
        assert!(is_later("100", "99"));
        assert!(is_later("101", "100"));
        assert!(!is_later("100", "100"));
    }
}
