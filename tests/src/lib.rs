//! What crosses crates, and what tests need for it.

pub mod arroyo;
