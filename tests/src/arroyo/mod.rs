//! A real Arroyo to hold the embedded engine against.

mod api;
mod cluster;
mod judge;
pub mod law;
mod postgres;
mod program;
mod real;

pub use api::{Api, Job};
pub use cluster::Cluster;
pub use judge::{Bounds, Judge, bounds};
pub use postgres::{Postgres, postgres_programs};
pub use program::{adapt, statements};
pub use real::Real;
pub use weir_arroyo::local::binary;
