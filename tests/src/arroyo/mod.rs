//! A real Arroyo to hold the embedded engine against.

mod api;
mod cluster;
mod postgres;
mod program;

pub use api::{Api, Job};
pub use cluster::{Cluster, binary};
pub use postgres::{Postgres, postgres_programs};
pub use program::{adapt, statements};
