//! The local stack: the AWS emulator, the same Terraform as on AWS, and an engine, all on loopback.

mod emulator;
mod engine;
mod health;
mod http;
mod identity;
mod process;
mod record;
mod stack;
pub(crate) mod status;
mod terraform;

pub(crate) use health::{Condition, Health};
pub(crate) use stack::{Connection, Stack, StackOptions, end};
