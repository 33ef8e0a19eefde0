//! The functions that run for each row: Arroyo's own, DataFusion's with their limits, the user's, and the forms of both that
//! survive what a record may hold.
//!
//! [`registry`] lists the functions of the dialect. The planner looks them up there and puts guarded forms in the place of
//! those that a record could break.

mod bounded;
mod catalogue;
mod corrected;
pub(crate) mod decimal;
pub(crate) mod json;
pub(crate) mod json_numbers;
pub(crate) mod json_strict;
mod registry;
mod timestamp_offset;
mod udf;
mod user_defined;

pub use catalogue::{FunctionDoc, function_docs};
pub(crate) use registry::{FUNCTIONS, ICEBERG};
pub(crate) use timestamp_offset::with_timestamp_offsets;
pub use udf::{Udf, UdfCall, UdfKind};
pub(crate) use user_defined::Udfs;
