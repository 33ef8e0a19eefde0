//! Strict JSON (RFC 8259), read in one pass without allocating: tokens, numbers, escapes.
//!
//! The verdict is serde_json's, to the letter: numbers beyond the largest double, lone surrogates, raw control characters,
//! a byte order mark and more than [`MAX_DEPTH`](crate::limits::MAX_DEPTH) levels are refused; `-0`, duplicate members and
//! numbers of any length are JSON.

mod escape;
mod number;
mod scan;

pub(crate) use escape::unescape;
pub(crate) use number::Number;
pub(crate) use scan::{Cursor, JsonError};

#[cfg(test)]
pub(crate) mod tests;
