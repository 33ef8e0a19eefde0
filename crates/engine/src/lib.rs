//! The embedded engine: plans and runs Arroyo SQL programs in-process.

pub mod connectors;
pub mod formats;
