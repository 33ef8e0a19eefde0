//! A rule as somebody is writing it: its text instead of its file, with the parameters that the page's sliders set.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use weir_backtest::workbench::Draft;
use weir_project::{EnvironmentOptions, Repo, compile::set, revision::git};
use weir_rules::{Environment, Pack, Rule, TimeMode};

use crate::api::contract::EvaluateRequest;

/// A file below the project's folder of rules (`sql`, or what `[paths]` of weir.toml names), by its path relative to the project's
/// folder. Everything that the page reads and writes by a name passes through here, but for the labels file.
///
/// # Errors
/// When the path leads out of that folder, or to something that the page does not edit.
pub(crate) fn file_of(repo: &Repo, path: &str) -> Result<PathBuf> {
    let relative = Path::new(path);
    let own = &repo.manifest().sql;
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let kind = relative.extension().and_then(|extension| extension.to_str());
    if !plain || !relative.starts_with(own) || !matches!(kind, Some("sql" | "toml")) {
        bail!("{path} is no file of the rules\n  hint: .sql and .toml files below {} are", own.display());
    }
    let file = repo.root.join(relative);
    // A link may lead elsewhere, and what is made behind it would be made there: the folder that is there decides for those below it.
    let sql = fs::canonicalize(repo.sql()).with_context(|| format!("the folder {}", own.display()))?;
    let there = file.ancestors().skip(1).find(|folder| folder.symlink_metadata().is_ok());
    let inside = there.and_then(|folder| fs::canonicalize(folder).ok()).is_some_and(|folder| folder.starts_with(&sql));
    let known = fs::symlink_metadata(&file).ok();
    if !inside || known.as_ref().is_some_and(fs::Metadata::is_symlink) {
        bail!("{path} leads out of the folder {}\n  hint: edit what it links to where it lies", own.display());
    }
    if known.is_some_and(|known| !known.is_file()) {
        bail!("{path} is no file\n  hint: move it out of the folder {}", own.display());
    }
    Ok(file)
}

/// The file with the tests of a rule, whether it is there or not.
///
/// # Errors
/// When it is none that the page may read and write.
pub(crate) fn tests_file(repo: &Repo, rule: &str) -> Result<PathBuf> {
    file_of(repo, &tests_path(repo, rule))
}

/// Where the tests of a rule are, as the page names files.
pub(crate) fn tests_path(repo: &Repo, rule: &str) -> String {
    repo.manifest().sql.join("tests").join(format!("{rule}.toml")).to_string_lossy().into_owned()
}

/// A path as the page writes it.
pub(crate) fn relative(repo: &Repo, file: &Path) -> String {
    file.strip_prefix(&repo.root).unwrap_or(file).to_string_lossy().into_owned()
}

/// The pack with the draft as its only rule: faults of other rules do not matter to it.
pub(crate) fn pack_of(repo: &Repo, path: &str, text: &str) -> Result<Pack> {
    let rule = Rule::parse(&file_of(repo, path)?, text)?;
    // A stream's file that is faulty is for `weir check` to name: a rule that reads it does not plan.
    let (pack, _) = Pack::load_without_rules(&repo.sql())?;
    Ok(Pack { rules: vec![rule], ..pack })
}

/// The environment, as far as it concerns these rules.
pub(crate) fn environment_of(repo: &Repo, name: &str, pack: &Pack) -> Result<Environment> {
    let options = EnvironmentOptions { environment: Some(name.to_owned()), set: Vec::new() };
    // What it says of other rules is for `weir check` to judge.
    let (mut environment, _) = options.load_beside(repo, pack, &[])?;
    let of_pack = |rule: &String| pack.rule(rule).is_some();
    environment.parameters.retain(|rule, _| of_pack(rule));
    environment.rules.retain(|rule, _| of_pack(rule));
    // A parameter that the draft has just lost is no fault of the draft.
    for rule in &pack.rules {
        if let Some(values) = environment.parameters.get_mut(&rule.header.name) {
            values.retain(|parameter, _| rule.header.parameters.contains_key(parameter));
        }
    }
    Ok(environment)
}

/// A draft with its parameters, as a request has it.
pub(crate) fn parts_of(repo: &Repo, environment: &str, request: &EvaluateRequest) -> Result<(Pack, Environment)> {
    parts(repo, environment, request).map_err(|error| below(repo, &error))
}

fn parts(repo: &Repo, environment: &str, request: &EvaluateRequest) -> Result<(Pack, Environment)> {
    let pack = pack_of(repo, &request.path, &request.text)?;
    let mut environment = environment_of(repo, environment, &pack)?;
    set_parameters(&pack, &mut environment, &request.parameters)?;
    Ok((pack, environment))
}

/// Sets the parameters that the rule has; one that it has lost meanwhile is passed over.
fn set_parameters(pack: &Pack, environment: &mut Environment, parameters: &BTreeMap<String, String>) -> Result<()> {
    for rule in &pack.rules {
        let name = &rule.header.name;
        for (parameter, value) in parameters.iter().filter(|(name, _)| rule.header.parameters.contains_key(*name)) {
            set(environment, pack, &format!("{name}.{parameter}={value}"))?;
        }
    }
    Ok(())
}

/// The draft, compiled.
pub(crate) fn draft_of(repo: &Repo, environment: &str, request: &EvaluateRequest) -> Result<Draft> {
    let (pack, environment) = parts_of(repo, environment, request)?;
    Draft::new(pack, environment).map_err(|error| below(repo, &error))
}

/// The same fault with files named from the project's folder on, as the page names them.
pub(crate) fn below(repo: &Repo, error: &anyhow::Error) -> anyhow::Error {
    anyhow!(format!("{error:#}").replace(&format!("{}/", repo.root.display()), ""))
}

/// What the last commit holds of a file.
pub(crate) fn committed(repo: &Repo, path: &str) -> Option<String> {
    let text = git(&repo.root, &["show", &format!("HEAD:./{path}")]).ok()?;
    String::from_utf8(text).ok()
}

/// The same rule as the last commit has it, in the same environment, without the sliders' values.
pub(crate) fn committed_draft(repo: &Repo, environment: &str, path: &str) -> Result<Draft> {
    let text = committed(repo, path)
        .context("the last commit does not have this rule\n  hint: it is new: all that it finds is gained")?;
    let pack = pack_of(repo, path, &text).context("the committed rule")?;
    let environment = environment_of(repo, environment, &pack)?;
    Draft::new(pack, environment).context("the committed rule")
}

/// What a backtest compiles rules with: history keeps no time of arrival.
pub(crate) fn of_history(environment: Environment) -> Environment {
    Environment { time: TimeMode::Event, ..environment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_rules_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        fs::create_dir_all(repo.sql().join("rules")).unwrap();
        fs::write(folder.path().join("secret.sql"), "").unwrap();
        assert!(file_of(&repo, "sql/rules/a.sql").is_ok());
        assert!(file_of(&repo, "sql/tests/a.toml").is_ok());
        for path in
            ["../x.sql", "sql/../secret.sql", "/etc/passwd", "sql/rules/a.txt", "Cargo.toml", "", "sql", "./sql/a.sql"]
        {
            assert!(file_of(&repo, path).is_err(), "{path}");
        }
        std::os::unix::fs::symlink(folder.path(), repo.sql().join("out")).unwrap();
        for path in ["sql/out/secret.sql", "sql/out/new.sql", "sql/out/new/new.sql", "sql/out/a/b/c.toml"] {
            assert!(file_of(&repo, path).is_err(), "behind a folder that is a link: {path}");
        }
        std::os::unix::fs::symlink(folder.path().join("nowhere"), repo.sql().join("dangling")).unwrap();
        assert!(file_of(&repo, "sql/dangling/new/a.sql").is_err(), "a link to nowhere");
        assert!(file_of(&repo, "sql/new/newer/a.sql").is_ok(), "folders that are not there yet");
        fs::create_dir(repo.sql().join("folder.sql")).unwrap();
        assert!(file_of(&repo, "sql/folder.sql").is_err(), "a folder of that name");
        std::os::unix::fs::symlink(folder.path(), repo.sql().join("tests")).unwrap();
        assert!(tests_file(&repo, "hot").is_err(), "the folder of tests is a link");
        std::os::unix::fs::symlink(folder.path().join("secret.sql"), repo.sql().join("rules/l.sql")).unwrap();
        assert!(file_of(&repo, "sql/rules/l.sql").is_err(), "a file that is a link");
    }

    #[test]
    fn the_folder_of_rules_is_the_one_that_weir_toml_names() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("detection/our sql/rules")).unwrap();
        fs::create_dir_all(folder.path().join("sql/rules")).unwrap();
        fs::write(folder.path().join("weir.toml"), "[paths]\nsql = \"detection/our sql\"\n").unwrap();
        let repo = Repo::at(folder.path().to_owned()).unwrap();
        assert!(file_of(&repo, "detection/our sql/rules/a.sql").is_ok());
        assert_eq!(tests_path(&repo, "a"), "detection/our sql/tests/a.toml");
        for other in ["sql/rules/a.sql", "detection/a.sql"] {
            let refused = file_of(&repo, other).unwrap_err().to_string();
            assert!(refused.ends_with("hint: .sql and .toml files below detection/our sql are"), "{refused}");
        }
    }
}
