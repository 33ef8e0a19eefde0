//! A value of a row while its record is at hand.

/// A value of a row, borrowed from its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Double(f64),
    Integer(i64),
    Boolean(bool),
    Timestamp(i64),
    Text(&'a str),
    Json(&'a str),
}
