//! Deploying packs to a stack's engine, Arroyo or the embedded one: where it is, what is wanted there, and what is written down about it. The commands of this crate
//! are here too, each with its options.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the commands of this crate talk: data to stdout, all else to stderr"
)]

#[macro_use]
extern crate weir_terminal;

mod aws_cli;
mod deploy_command;
mod infrastructure;
mod ledger;
mod outputs;
mod packages;
mod place;
mod protection;
mod proxy;
mod render;
mod root;
mod streams;
mod tunnel;
mod wanted;

pub mod apply;
pub mod destroy;
pub mod doctor;
pub mod embedded;
pub mod plan;
pub mod rollback;
pub mod status;
pub mod ui;

pub use deploy_command::{DeployCommand, run};
pub use outputs::{StackOutputs, StackStream};
pub use place::PlaceOptions;
pub use streams::variables as stream_variables;

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Result, bail};

/// The exit code of `weir plan --exit-code` when there is something to do.
const CHANGES: u8 = 3;
/// The exit code of `weir status` when something that is deployed does not do its work.
pub const UNWELL: u8 = 3;

/// Asks before something is changed. Without a person to ask, `--yes` must have said so.
fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("there is nobody to ask: {question}\n  hint: --yes says yes");
    }
    eprint!("{question} Only `yes` goes on: ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("not confirmed, nothing was changed");
    }
    Ok(())
}
