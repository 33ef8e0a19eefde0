//! Raw records of a stream, as a producer put them, wherever they are kept.
//!
//! A Kinesis stream says where a record ends. A file does not, and there are many ways to keep records in one: a line each,
//! glued together as Firehose does it, a list, one message a file, or as `aws kinesis get-records` prints them. [`Shape`] says
//! how records follow one another; [`read`] gives them one by one, each with its place and, where it is known, its arrival.

mod base64_text;
mod content;
mod export;
mod file;
pub mod json;
pub mod listing;
mod members;
mod place;
mod shape;
mod source;
mod zstd;

pub use content::{Magic, magic};
pub use place::Place;
pub use shape::Shape;
pub use source::{Report, read};
pub use zstd::Frames;

use anyhow::Result;

/// The longest record that is looked for: Kinesis takes 10 MiB at most, which base64 makes 14.
pub const LONGEST: usize = 16 << 20;

/// One record, as a producer put it.
#[derive(Debug, Clone)]
pub struct Raw<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// When the stream accepted it, nanoseconds since the epoch, where that is known.
    pub arrival: Option<i64>,
    /// Where it was found.
    pub place: Place<'a>,
}

/// What is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The record that follows.
    Record,
    /// The next file, object or shard.
    Source,
    /// Nothing.
    Stop,
}

/// Takes records; an error ends the reading.
pub type Take<'a> = dyn FnMut(Raw<'_>) -> Result<Next> + 'a;
