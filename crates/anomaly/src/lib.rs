//! The records that travel on the anomalies stream, their JSON and their deterministic id.
//!
//! Everything here is pure: no I/O, no clock. The rules compiler writes these records (in SQL), the alerter reads them.

mod error;
pub mod event;
pub mod id;
pub mod key;
pub mod kpl;
mod poison;
mod record;
mod rule_meta;
mod severity;
pub mod store;
mod timestamp;

pub use error::RecordError;
pub use id::AnomalyId;
pub use key::{MAX_KEY_BYTES, stored_key};
pub use poison::{Poison, PoisonReason, base64_bytes};
pub use record::{Anomaly, MAX_RECORD_BYTES, PROBE_RULE, Record};
pub use rule_meta::{RuleMeta, Stage};
pub use severity::Severity;
pub use timestamp::Timestamp;
