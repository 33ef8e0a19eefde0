//! Operators that hold rows until the watermark says that a window, or a timestamp, is complete.

mod bin_state;
pub(crate) mod bins;
mod emitted;
mod hop;
mod key_partition;
mod partition_order;
pub(crate) mod per_timestamp;
pub(crate) mod session;
mod window_column;
mod workers;
