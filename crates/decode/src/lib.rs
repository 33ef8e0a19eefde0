//! Decodes records of the events stream outside the engine.
//!
//! `sql/tables.sql` says what an event is: the program that runs takes records apart there. Readers of history, tests of rules
//! and `weir put` must know a record's time and source before the program sees it. They all ask [`decode`], which gives what the
//! SQL gives; a differential test in `crates/backtest` holds the two equal.

mod decode;
mod fields;
mod partition;
mod times;

pub use decode::{Decoded, Fault, Reading, decode, source, time};
pub use fields::{members, text_of};
pub use partition::partition_key;
pub use times::{EpochUnit, parse_time};
