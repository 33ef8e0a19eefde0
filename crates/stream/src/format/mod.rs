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

/// Bytes of the record's text, or of the scratch text. Eight bytes: both texts stay far below 2 GiB
/// ([`crate::limits::MAX_UNPACKED_BYTES`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// The first byte; [`SCRATCH`] is set when it is of the scratch text.
    start: u32,
    end: u32,
}

const SCRATCH: u32 = 1 << 31;

impl Span {
    #[inline]
    pub(crate) const fn of(start: usize, end: usize) -> Self {
        Self { start: start as u32 & !SCRATCH, end: end as u32 }
    }

    #[inline]
    pub(crate) const fn in_scratch(start: usize, end: usize) -> Self {
        Self { start: start as u32 | SCRATCH, end: end as u32 }
    }

    pub(crate) const fn is_scratch(self) -> bool {
        self.start & SCRATCH != 0
    }

    #[inline]
    pub(crate) const fn start(self) -> usize {
        (self.start & !SCRATCH) as usize
    }

    #[inline]
    pub(crate) const fn end(self) -> usize {
        self.end as usize
    }

    /// So many bytes less at its start and at its end.
    pub(crate) const fn shrunk(self, start: usize, end: usize) -> Self {
        Self { start: self.start + start as u32, end: self.end - end as u32 }
    }

    #[inline]
    pub(crate) fn text<'a>(self, record: &'a str, scratch: &'a str) -> &'a str {
        if self.is_scratch() { scratch } else { record }.get(self.start()..self.end()).unwrap_or_default()
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
