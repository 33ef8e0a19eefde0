//! Thin AWS adapters of the command line: streams, store, inbox, quarantine and objects.
//!
//! Nothing here decides anything: each function is one call, its paging and its retries, and an error that says what to do.

mod client;
mod clock;
mod error;
pub mod lease;
pub mod object;
pub mod queue;
pub mod range;
pub mod store;
pub mod stream;

pub use client::Clients;
pub use clock::now_millis;
pub use error::CloudError;
