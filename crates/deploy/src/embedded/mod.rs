//! Deploying to the embedded engine's service: [`contract`] is how a deployment and the engine's task speak to each other.

mod apply;
mod compare;
pub mod contract;
mod destroy;
mod service;
mod status;

pub(crate) use apply::carry_out;
pub(crate) use compare::compare;
pub(crate) use destroy::destroy;
pub(crate) use service::Service;
pub(crate) use status::print;
