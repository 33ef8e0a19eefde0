//! The local stack: the AWS emulator, the same Terraform as on AWS, and the embedded engine, all on loopback.

mod emulator;
mod process;
mod stack;
mod step;
mod terraform;

pub(crate) use stack::{Connection, Stack, StackOptions, end, is_up};
pub(crate) use step::{interrupted, step};
