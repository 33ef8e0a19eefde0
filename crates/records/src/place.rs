//! Where a record was found.

use std::fmt;

/// Where a record was found, as a person finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A line of a file, from 1.
    Line {
        /// The file's name, or the object's.
        of: &'a str,
        /// The line that the record begins in.
        line: u64,
    },
    /// One of several records that a line holds, from 1.
    Part {
        /// The file's name, or the object's.
        of: &'a str,
        /// The line that they begin in.
        line: u64,
        /// Which of them.
        part: usize,
    },
    /// A whole file.
    File(
        /// Its name.
        &'a str,
    ),
    /// A record of a stream.
    Shard {
        /// The stream.
        stream: &'a str,
        /// Its shard.
        shard: &'a str,
        /// The record's number.
        sequence: &'a str,
    },
}

impl Place<'_> {
    /// The file, object or shard.
    #[must_use]
    pub const fn source(&self) -> &str {
        match self {
            Self::Line { of, .. } | Self::Part { of, .. } | Self::File(of) => of,
            Self::Shard { shard, .. } => shard,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { of, line } => write!(f, "{of}:{line}"),
            Self::Part { of, line, part } => write!(f, "{of}:{line} record {part}"),
            Self::File(of) => f.write_str(of),
            Self::Shard { stream, shard, sequence } => write!(f, "kinesis://{stream} {shard} {sequence}"),
        }
    }
}
