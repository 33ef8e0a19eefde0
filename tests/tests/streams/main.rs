//! Declared streams from end to end in one process: rules on typed views, several streams in one program, what is counted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at a surprise"
)]

mod common;
mod counts;
mod examples;
mod targets;
mod views;
