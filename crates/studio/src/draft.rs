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

/// A file below `sql`, by its path relative to the project's folder. The page touches nothing else.
///
/// # Errors
/// When the path leads out of `sql`, or to a file that the page does not edit.
pub(crate) fn file_of(repo: &Repo, path: &str) -> Result<PathBuf> {
    let relative = Path::new(path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let kind = relative.extension().and_then(|extension| extension.to_str());
    if !plain || !relative.starts_with("sql") || !matches!(kind, Some("sql" | "toml")) {
        bail!("{path} is no file of the rules\n  hint: .sql and .toml files below sql are");
    }
    let file = repo.root.join(relative);
    // A link may lead elsewhere.
    let folder = file.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let sql = fs::canonicalize(repo.sql()).context("the folder sql")?;
    let linked = fs::symlink_metadata(&file).is_ok_and(|file| file.is_symlink());
    if linked || folder.is_some_and(|folder| !folder.starts_with(sql)) {
        bail!("{path} leads out of the folder sql\n  hint: edit what it links to where it lies");
    }
    Ok(file)
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
        assert!(file_of(&repo, "sql/out/secret.sql").is_err(), "a folder that is a link");
        std::os::unix::fs::symlink(folder.path().join("secret.sql"), repo.sql().join("rules/l.sql")).unwrap();
        assert!(file_of(&repo, "sql/rules/l.sql").is_err(), "a file that is a link");
    }
}
