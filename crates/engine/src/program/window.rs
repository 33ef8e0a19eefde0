//! Time windows.

use arrow::datatypes::{DataType, Field, TimeUnit};

/// A window's kind and size, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Window {
    Tumble { width: i64 },
    Hop { slide: i64, width: i64 },
    Session { gap: i64 },
}

impl Window {
    /// Width of a window of fixed size.
    pub(crate) fn width(self) -> Option<i64> {
        match self {
            Self::Tumble { width } | Self::Hop { width, .. } => Some(width),
            Self::Session { .. } => None,
        }
    }
}

/// The type of a window column: `STRUCT<start, end>`.
pub(crate) fn window_type() -> DataType {
    let time = || DataType::Timestamp(TimeUnit::Nanosecond, None);
    DataType::Struct(vec![Field::new("start", time(), false), Field::new("end", time(), false)].into())
}
