//! The gate: reads a declared stream that SQL cannot read, and puts its rows, plain, on a stream of Weir's own that Arroyo
//! reads (docs/contracts.md, "The gate's record").
//!
//! [`Gate`] is the whole of it, over the traits of [`ports`]. Of each record that the stream hands over, every part is put, is
//! ignored because the declaration says so, or goes to quarantine byte for byte; what could be neither put nor quarantined is
//! given back to the stream, which hands it over again. Rows keep their order by key. A row that is put twice, after a death
//! between the put and the answer, has the same id twice.

pub mod aws;
mod batch;
pub mod config;
mod gate;
pub mod handler;
mod invocation;
pub mod lanes;
pub mod memory;
pub mod metrics;
pub mod ports;

pub use gate::{CheckError, Gate};
pub use invocation::Invocation;
