//! The join of un-windowed streams.

pub(crate) mod join;
mod keys;
mod side;
