//! Formats that are not JSON: a text into its parts. Each part is a byte range of the text, or of a scratch text where quotes
//! had to be resolved.

mod csv;
mod dissect;
mod logfmt;
mod named;

pub use csv::{Columns, Csv};
pub use dissect::{Dissect, PatternFault};
pub use named::NAMED_PATTERNS;

pub(crate) use csv::record_ends;
pub(crate) use logfmt::pairs;

/// Bytes of the record's text, or of the scratch text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) scratch: bool,
}

impl Span {
    #[inline]
    pub(crate) const fn of(start: usize, end: usize) -> Self {
        Self { start, end, scratch: false }
    }

    #[inline]
    pub(crate) fn text<'a>(self, record: &'a str, scratch: &'a str) -> &'a str {
        if self.scratch { scratch } else { record }.get(self.start..self.end).unwrap_or_default()
    }
}

/// How a stream's records are written.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// A line of text that a pattern takes apart.
    Text(Dissect),
    /// Columns between delimiters, with quoting (RFC 4180).
    Csv(Csv),
    /// `key=value key="value with blanks"`.
    Logfmt,
}
