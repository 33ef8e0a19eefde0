//! Envelopes: what stands around records.
//!
//! An envelope is a list of wrappings from the outside in, and how records follow one another inside them. **A record is what
//! is accepted or refused as a whole.** What an envelope holds are records of their own: each user record of a KPL aggregate,
//! each log event of CloudWatch Logs, each line of `lines`, each value of `values` gets its own verdict, as it does when the
//! gate or a source with `framing = 'newline'` has taken them apart. The elements of `each` are rows of one record.

pub(crate) mod cloudwatch_logs;
pub(crate) mod gzip;

use crate::declaration::FieldType;

/// What stands around records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// From the outside in.
    pub wrappings: Vec<Wrapping>,
    /// How records follow one another inside.
    pub framing: Framing,
}

/// What is unpacked before records are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// gzip, by its magic bytes 1f8b; what does not begin with them is taken as it is.
    Gzip,
    /// The Kinesis Producer Library's aggregation, by its magic bytes and digest; what has them not is an ordinary record.
    Kpl,
    /// Either of them, where their magic bytes stand.
    Auto,
}

/// How records follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Exactly one: one JSON value, or one text.
    One,
    /// One a line; empty lines are skipped.
    Lines,
    /// JSON values one behind the other, with or without white space between them.
    Values,
    /// A CloudWatch Logs subscription's message, gzipped or not: its log events' texts are the records.
    CloudwatchLogs,
    /// An EventBridge event: one JSON object; paths begin at its `detail`.
    Eventbridge,
}

impl Envelope {
    /// The names that stand for envelopes in a stream's file.
    pub(crate) const NAMES: [&'static str; 8] =
        ["json", "lines", "values", "gzip", "kpl", "cloudwatch_logs", "eventbridge", "auto"];
}

impl Framing {
    /// The columns that it adds to the view.
    pub(crate) const fn columns(self) -> &'static [(&'static str, FieldType)] {
        match self {
            Self::CloudwatchLogs => &[("log_group", FieldType::Text), ("log_stream", FieldType::Text)],
            _ => &[],
        }
    }

    /// What `of = "envelope"` may name; `None`: any path.
    pub(crate) const fn members(self) -> Option<&'static [&'static str]> {
        match self {
            Self::CloudwatchLogs => Some(&cloudwatch_logs::MEMBERS),
            Self::Eventbridge => None,
            _ => Some(&[]),
        }
    }
}
