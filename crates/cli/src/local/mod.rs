//! The local stack: the AWS emulator, the same Terraform as on AWS, and an engine, all on loopback.

mod emulator;
mod engine;
mod http;
mod process;
mod stack;
mod step;
mod terraform;

pub(crate) use engine::EngineKind;
pub(crate) use stack::{Connection, Stack, StackOptions, end, is_up};
pub(crate) use step::{interrupted, step};
