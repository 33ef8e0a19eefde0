//! `weir add`: a rule of the library, copied into the project.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use weir_project::{
    Repo,
    files::{replace, write_new_and},
    library,
};
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
    // Read before anything is written: what cannot be read leaves nothing half done.
    let runbooks = with_section(&repo.root, &rule.section(name))?;
    write_new_and(&sql, &files, || match &runbooks {
        Some((file, text)) => replace(file, text.as_bytes()),
        None => Ok(()),
    })?;
    let here = std::env::current_dir().unwrap_or_default();
    for file in &files {
        let path = sql.join(&file.path);
        eprintln!("wrote {}", path.strip_prefix(&here).unwrap_or(&path).display());
    }
    eprintln!("what to do when it alerts: {RUNBOOKS}#{name}");
    if let Some(stream) = stream_with_metrics(&repo) {
        eprintln!(
            "it reads Weir's own events; on the metrics of `{stream}`: [rules.{name}] stream = \"{stream}\" in {}/environments/{}.toml",
            repo.manifest().sql.display(),
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

/// The file of runbooks, with the section; `None` where it has one of that name. Where a link leads to the file, that is written
/// which it leads to.
fn with_section(root: &Path, section: &library::Section) -> Result<Option<(PathBuf, String)>> {
    let file = root.join(RUNBOOKS);
    let what = || format!("{} cannot be read", file.display());
    let page = match file.symlink_metadata() {
        Ok(_) => Some(fs::read_to_string(&file).with_context(what)?),
        Err(_) => None,
    };
    let text = library::with_section(page.as_deref(), section);
    if page.as_ref() == Some(&text) {
        return Ok(None);
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    Ok(Some((file, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_is_read_before_a_rule_is_written_and_its_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let section = library::Section { name: "one".to_owned(), text: "first".to_owned() };
        let (root, docs) = (folder.path().join("project"), folder.path().join("docs"));
        fs::create_dir_all(&docs).unwrap();
        fs::create_dir_all(root.join("docs")).unwrap();
        std::os::unix::fs::symlink(docs.join("all.md"), root.join(RUNBOOKS)).unwrap();
        assert!(with_section(&root, &section).is_err(), "a link to nowhere");
        fs::write(docs.join("all.md"), "# All\n").unwrap();
        let (file, text) = with_section(&root, &section).unwrap().unwrap();
        replace(&file, text.as_bytes()).unwrap();
        assert!(file.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(docs.join("all.md")).unwrap(), "# All\n\n## one\nfirst\n");
        assert_eq!(with_section(&root, &section).unwrap(), None);
        fs::write(docs.join("all.md"), b"\xff").unwrap();
        assert!(with_section(&root, &section).is_err(), "a page that is no text");
    }
}
