//! From statements to tables and optimized logical plans, or to refusals with their place.

pub(crate) mod catalog;
pub(crate) mod declare;
pub(crate) mod diagnose;
mod guard;
mod mismatch;
pub(crate) mod optimize;
mod options;
pub(crate) mod table;
