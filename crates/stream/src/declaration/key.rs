//! The keys of a stream's file.

/// At the top.
pub(super) const TOP: [&str; 16] = [
    "stream",
    "envelope",
    "each",
    "format",
    "pattern",
    "columns",
    "delimiter",
    "quote",
    "time",
    "key",
    "fields",
    "metrics",
    "ignore",
    "heartbeat",
    "null",
    "sample",
];

/// In `time`.
pub(super) const TIME: [&str; 4] = ["path", "format", "zone", "of"];

/// In a field's table.
pub(super) const FIELD: [&str; 7] = ["type", "path", "of", "required", "default", "format", "zone"];

/// In a `[[sample]]`.
pub(super) const SAMPLE: [&str; 6] = ["record", "file", "row", "rows", "poison", "arrival"];

/// Names that a column cannot have: the view's own, what every view adds, and what the engines call a row's time and number.
pub(super) const RESERVED: [&str; 4] = ["event_time", "window", "_timestamp", "_row"];

/// Columns that begin so are the compiler's.
pub(super) const RESERVED_PREFIX: &str = "weir_";

/// The most characters of a column's name.
pub(super) const MAX_NAME: usize = 63;
