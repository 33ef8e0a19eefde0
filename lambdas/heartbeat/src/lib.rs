//! The heartbeat: keeps event time moving and probes the path end to end.
//!
//! Arroyo moves its watermark only by events: in silence the last window never closes. Each minute the heartbeat puts one
//! control record on every open shard, which rules never see. One more, the probe, passes a built-in rule and comes back
//! through the whole path into the store; how old the newest one is that arrived tells whether the path lives. Where Arroyo's
//! API can be reached, it tells the state of each pipeline and restarts one that failed, within a limit.

pub mod arroyo;
pub mod aws;
mod beat;
mod check;
pub mod config;
pub mod ports;

pub use beat::{Beat, FIRST_PAUSE, Heartbeat};
pub use check::CheckError;
