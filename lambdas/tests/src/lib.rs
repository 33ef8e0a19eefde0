//! A Lambda service on loopback for the tests: the real binary, invoked as AWS invokes it, behind an event source mapping
//! that behaves as AWS documents, against the local emulator, through a proxy that makes calls fail.

pub mod emulator;
pub mod event_source;
mod http;
pub mod proxy;
pub mod runtime_api;

pub use event_source::{Batch, Discarded, EventSource, Outcome, Record, Settings};
pub use runtime_api::{Function, Invoked, Usage};
