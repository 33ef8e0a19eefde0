//! Formats: how a record's bytes become columns, and rows become bytes again.

pub(crate) mod declared;
pub mod json;
