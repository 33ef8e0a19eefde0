//! The local stack: the AWS emulator, the same Terraform as on AWS, and an engine, all on loopback; and the demo on it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is being done is told on standard error, how a stack or a demo did on standard output"
)]

#[macro_use]
extern crate weir_terminal;

mod declared;
pub mod demo;
mod emulator;
mod engine;
mod health;
mod http;
mod identity;
mod process;
mod record;
mod stack;
mod stats;
pub mod status;
mod terraform;

pub use health::{Condition, Health, Part};
pub use stack::{Connection, Stack, StackOptions, end};
