//! Groups of rows: their keys, the accumulators of their aggregates, and partial states.

pub(crate) mod accumulate;
pub(crate) mod arguments;
mod covariance;
pub(crate) mod keys;
mod variance;
