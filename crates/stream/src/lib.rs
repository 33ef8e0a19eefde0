//! Declared streams: what a record of any Kinesis stream says, as typed rows, and what is poison.
//!
//! A stream's file ([`Declaration`]) says what stands around its records ([`Envelope`]), how they are written ([`Format`]),
//! where a row's time is, and which typed fields it has. A [`Decoder`] makes of each record rows, which go to a [`RowSink`],
//! or a refusal with its reason ([`Poison`]). Everything here is pure: no I/O, no clock. The embedded engine, the gate,
//! `weir rows`, tests and backtests decode with this crate alone.

mod cell;
mod declaration;
mod decode;
mod envelope;
pub mod events;
mod fault;
mod format;
mod json;
mod path;
mod predicate;
mod reason;
mod row;
mod template;
mod time;

pub mod infer;
pub mod limits;
pub mod plain;

pub use declaration::{Declaration, Field, FieldType, Sample, SampleRecord, Scope, TimeField};
pub use decode::{Decoder, Record};
pub use envelope::{Envelope, Framing, Wrapping};
pub use fault::{Fault, did_you_mean, nearest};
pub use format::{Columns, Csv, Dissect, Format, NAMED_PATTERNS, PatternFault};
pub use path::{Path, PathError, Step};
pub use predicate::{Predicate, PredicateError};
pub use reason::{Poison, Reason};
pub use row::{Column, Control, ControlKind, Decoded, Row, RowSink, Rows, Tally, Value};
pub use template::Template;
pub use time::{Pattern, PatternError, TimeFault, TimeFormat, TimeReader, Unit, Zone};
