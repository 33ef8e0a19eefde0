//! `weir completions` and `weir man`: what shells and `man` know of the command.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap_complete::Shell;

/// Prints what a shell needs to complete commands and options
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir completions bash > ~/.local/share/bash-completion/completions/weir\n  weir completions zsh > \"${fpath[1]}/_weir\"\n  weir completions fish > ~/.config/fish/completions/weir.fish"
)]
pub(crate) struct CompletionsCommand {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(command: &CompletionsCommand, mut weir: clap::Command) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(command.shell, &mut weir, "weir", &mut text);
    print!("{}", String::from_utf8(text).context("completions that are no text")?);
    Ok(())
}

/// Writes the manual's pages, one a command, into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  weir man ~/.local/share/man/man1 && man weir-backtest")]
pub(crate) struct ManCommand {
    /// The folder, which is made where it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn man(command: &ManCommand, weir: clap::Command) -> Result<()> {
    let what = || format!("{} cannot be written", command.folder.display());
    fs::create_dir_all(&command.folder).with_context(what)?;
    clap_mangen::generate_to(weir, &command.folder).with_context(what)
}
