//! A project of one's own, with the real binary and no checkout around it: begun, checked, tested, replayed, reviewed; its streams
//! added from samples; where a project is found, and what is said where there is none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod common;
mod discovery;
mod examples;
mod library;
mod refused;
mod review;
mod streams;
