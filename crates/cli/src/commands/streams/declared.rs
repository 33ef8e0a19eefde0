//! The streams that a project declares.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use weir_project::Repo;
use weir_stream::{Declaration, Fault, did_you_mean, events};

/// The name of Weir's own stream, which needs no file.
const EVENTS: &str = "events";

/// The folder of the streams' files.
pub(super) fn folder(repo: &Repo) -> PathBuf {
    repo.sql().join("streams")
}

/// The streams' files, in the order of their names.
pub(super) fn files(repo: &Repo) -> Result<Vec<PathBuf>> {
    let folder = folder(repo);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let what = || format!("{} cannot be read", folder.display());
    let entries = fs::read_dir(&folder).with_context(what)?.collect::<Result<Vec<_>, _>>().with_context(what)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

/// Reads a file, and decodes its samples.
pub(super) fn read(file: &Path) -> Result<Declaration, Vec<Fault>> {
    let shown = near(file);
    let text = fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot be read: {error}");
        vec![Fault { file: shown.clone(), line: 0, column: 0, message, hint: None }]
    })?;
    let declaration = Declaration::parse(&shown, &text)?;
    let beside = |name: &str| fs::read(file.parent().unwrap_or(file).join(name));
    match declaration.check_samples(&shown, &text, beside) {
        faults if faults.is_empty() => Ok(declaration),
        faults => Err(faults),
    }
}

/// A path as a person in the working directory writes it.
pub(super) fn near(file: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(&here).unwrap_or(file).to_owned()
}

/// The stream of that name. Weir's own is `events` where no file says otherwise.
pub(crate) fn declared(repo: &Repo, name: &str) -> Result<Declaration> {
    let file = folder(repo).join(format!("{name}.toml"));
    if file.is_file() {
        return read(&file)
            .map_err(|faults| anyhow!(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    }
    if name == EVENTS {
        return Ok(events::declaration());
    }
    let stem = |file: PathBuf| file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut known: Vec<String> = files(repo)?.into_iter().filter_map(stem).collect();
    known.push(EVENTS.to_owned());
    bail!(
        "there is no stream `{name}`: {} is not there\n  hint: {}",
        near(&file).display(),
        did_you_mean(name, known.iter().map(String::as_str))
    )
}
