//! `weir add`: a rule of the library, copied into the project.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use weir_project::{Repo, files::write_new, library};
use weir_rules::Pack;

/// Copies a rule of Weir's library into the project, with its tests and its section of the runbook
///
/// `weir list --library` names the rules. The copy is the project's own: change it as you like. `weir list` says which rules
/// differ from the library's.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir add zscore && weir test zscore\n  weir add static_threshold --as oven_too_hot"
)]
pub(crate) struct AddCommand {
    /// The rule of the library
    #[arg(value_name = "RULE")]
    rule: String,
    /// The name that it has here: lower-case letters, digits and `_`
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

/// Where runbooks are, from the project's folder: what the headers of the library's rules name.
const RUNBOOKS: &str = "docs/runbooks.md";

pub(crate) fn run(command: &AddCommand) -> Result<()> {
    let repo = Repo::find()?;
    let rule = library::rule(&command.rule)?;
    let name = command.name.as_deref().unwrap_or(rule.name);
    let sql = repo.sql();
    let files = rule.files(name, &sql)?;
    write_new(&sql, &files)?;
    add_section(&repo.root, &rule.section(name))?;
    let here = std::env::current_dir().unwrap_or_default();
    for file in &files {
        let path = sql.join(&file.path);
        eprintln!("wrote {}", path.strip_prefix(&here).unwrap_or(&path).display());
    }
    eprintln!("what to do when it alerts: {RUNBOOKS}#{name}");
    if let Some(stream) = stream_with_metrics(&repo) {
        eprintln!(
            "it reads Weir's own events; on the metrics of `{stream}`: [rules.{name}] stream = \"{stream}\" in sql/environments/{}.toml",
            repo.manifest().environment
        );
    }
    eprintln!("next: weir check; weir test {name}; weir backtest --rules {name} --input FILE --plot plot.svg");
    Ok(())
}

/// The first declared stream whose metrics a rule of the library can read.
fn stream_with_metrics(repo: &Repo) -> Option<String> {
    // What is wrong with a stream's file is for `weir check` to say.
    let (pack, _) = Pack::load_without_rules(&repo.sql()).ok()?;
    pack.streams.into_iter().map(|file| file.declaration).find(|stream| !stream.metrics.is_empty()).map(|s| s.name)
}

fn add_section(root: &Path, section: &library::Section) -> Result<()> {
    let file = root.join(RUNBOOKS);
    let what = || format!("{} cannot be written", file.display());
    let page = if file.exists() { Some(fs::read_to_string(&file).with_context(what)?) } else { None };
    let text = library::with_section(page.as_deref(), section);
    if page.as_ref() == Some(&text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(what)?;
    }
    fs::write(&file, text).with_context(what)
}
