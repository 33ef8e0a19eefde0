//! The alerter: persists each anomaly once and alerts what is new.
//!
//! [`Alerter`] is the whole of it, over the traits of [`ports`]; [`aws`] holds the adapters. What decides is in the table:
//! a conditional write on an anomaly's deterministic id says whether it is new, a conditional write on the id of its alert
//! (rule, key, dedup period) says who sends. Both are made again on every retry, so a death between any two steps ends in
//! a stored anomaly and a sent alert, by the retried batch or by the sweep.

mod alerter;
pub mod aws;
mod batch;
pub mod config;
pub mod decode;
pub mod handler;
pub mod memory;
pub mod message;
pub mod metrics;
mod outbox;
pub mod ports;
mod quarantine;
mod sweep;

pub use alerter::{Alerter, CheckError};
