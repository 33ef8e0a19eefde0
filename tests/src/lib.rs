//! What crosses crates.

pub mod emulator;
pub mod lambda;
