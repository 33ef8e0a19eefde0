//! The project's files: listed, read, checked and saved.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context as _;
use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use weir_anomaly::Stage;
use weir_project::{Repo, check::of_pack, files::replace};
use weir_rules::{
    Environment, Pack, Parameter, ParameterType, Rule, RuleError, StreamFile, lint::Finding, testfile::TestFile,
};

use super::contract::{
    CheckRequest, Checked, FileText, FindingEntry, ParameterEntry, Project, RuleEntry, SaveRequest, Saved, Vocabulary,
};
use crate::{
    draft::{committed, environment_of, file_of, pack_of, relative, tests_file, tests_path},
    fault::ApiError,
    state::Studio,
};

/// Keys that a rule is assumed to see, for the estimate of its state: as `weir check` has it.
const KEYS: u64 = 1000;
/// Hex digits of a file's version.
const VERSION_DIGITS: usize = 16;

/// `GET /api/project`
pub(crate) async fn project(State(studio): State<Arc<Studio>>) -> Result<Json<Project>, ApiError> {
    let options = &studio.options;
    let repo = &options.repo;
    let (pack, unread) = Pack::load_readable(&repo.sql()).map_err(anyhow::Error::from)?;
    let environment = environment_of(repo, &options.environment, &pack).unwrap_or_default();
    let mut rules: Vec<RuleEntry> = pack.rules.iter().map(|rule| entry(&studio, rule, &environment)).collect();
    rules.extend(unread.iter().map(|fault| {
        let name = fault.file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        RuleEntry {
            path: relative(repo, &fault.file),
            tests_path: tests_path(repo, &name),
            cases: cases(repo, &name),
            severity: None,
            stage: None,
            description: fault.message.clone(),
            name,
        }
    }));
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    let streams = pack.streams.iter().map(|stream| stream.declaration.name.clone()).collect();
    Ok(Json(Project {
        name: repo.name(),
        environment: options.environment.clone(),
        running: options.running.as_ref().map(|running| running.name.clone()),
        rules,
        streams,
        history: studio.opened().map(|opened| super::history::summary(&studio, &opened)),
        open: options.open.clone(),
        evaluations: studio.under_way(),
    }))
}

fn entry(studio: &Studio, rule: &Rule, environment: &Environment) -> RuleEntry {
    let repo = &studio.options.repo;
    let name = &rule.header.name;
    let stage = match environment.stage(rule) {
        Stage::Active => "active",
        Stage::Shadow => "shadow",
        Stage::Off => "off",
    };
    RuleEntry {
        name: name.clone(),
        path: relative(repo, &rule.file),
        tests_path: tests_path(repo, name),
        cases: cases(repo, name),
        severity: Some(rule.header.severity.to_string()),
        stage: Some(stage.to_owned()),
        description: rule.header.description.clone(),
    }
}

/// The names of a rule's cases; none where its tests cannot be read, which running them says.
fn cases(repo: &Repo, rule: &str) -> Vec<String> {
    let tests =
        tests_file(repo, rule).ok().and_then(|file| TestFile::parse(&file, &fs::read_to_string(&file).ok()?).ok());
    tests.map_or_else(Vec::new, |tests| tests.cases.into_iter().map(|case| case.name).collect())
}

/// Names a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    path: String,
}

/// `GET /api/file?path=…`
pub(crate) async fn file(
    State(studio): State<Arc<Studio>>,
    Query(named): Query<Named>,
) -> Result<Json<FileText>, ApiError> {
    let repo = &studio.options.repo;
    let file = file_of(repo, &named.path)?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        // The tests of a rule that has none yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow::Error::from(error).context(format!("{} cannot be read", named.path)).into()),
    };
    let head = committed(repo, &named.path);
    Ok(Json(FileText { version: version_of(&text), path: named.path, text, head }))
}

/// `GET /api/version?path=…`: whether somebody else changed a file, for a page that waits.
pub(crate) async fn version(
    State(studio): State<Arc<Studio>>,
    Query(named): Query<Named>,
) -> Result<Json<String>, ApiError> {
    let file = file_of(&studio.options.repo, &named.path)?;
    Ok(Json(version_of(&fs::read_to_string(file).unwrap_or_default())))
}

pub(crate) fn version_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.chars().take(VERSION_DIGITS).collect()
}

/// `PUT /api/file`: nothing is written over what somebody else wrote meanwhile.
pub(crate) async fn save(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<SaveRequest>,
) -> Result<Json<Saved>, ApiError> {
    let file = file_of(&studio.options.repo, &request.path)?;
    let _one = studio.writing.lock().await;
    write(&file, &request.text, request.version.as_deref()).map(Json).map_err(ApiError::from)
}

/// Writes a file if it is what the writer believes that it is.
pub(crate) fn write(file: &Path, text: &str, version: Option<&str>) -> anyhow::Result<Saved> {
    let now = match fs::read_to_string(file) {
        Ok(now) => Some(now),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    };
    let known = now.as_deref().map(version_of);
    // A file that is not there is read as an empty one.
    let same = known.as_deref() == version || (now.is_none() && version == Some(version_of("").as_str()));
    if !same && now.as_deref() != Some(text) {
        return Ok(Saved::Conflict { text: now.unwrap_or_default(), version: known });
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    replace(file, text.as_bytes())?;
    Ok(Saved::Saved { version: version_of(text) })
}

/// `POST /api/check`: what `weir check` would say of the file with this text.
pub(crate) async fn check(
    State(studio): State<Arc<Studio>>,
    Json(request): Json<CheckRequest>,
) -> Result<Json<Checked>, ApiError> {
    let file = file_of(&studio.options.repo, &request.path)?;
    // Planning takes some milliseconds, in which other requests go on.
    let checked = tokio::task::spawn_blocking(move || checked(&studio, &file, &request)).await;
    Ok(Json(checked.map_err(|error| anyhow::anyhow!("the check died: {error}"))?))
}

fn checked(studio: &Studio, file: &Path, request: &CheckRequest) -> Checked {
    let options = &studio.options;
    if file.extension().is_some_and(|extension| extension == "toml") {
        let findings = of_settings(&options.repo, file, &request.text).into_iter().map(shown).collect();
        return Checked { findings, parameters: Vec::new() };
    }
    let rule = match Rule::parse(file, &request.text) {
        Ok(rule) => rule,
        Err(fault) => {
            let findings = vec![shown(Finding::of_error("invalid-rule", fault))];
            return Checked { findings, parameters: Vec::new() };
        }
    };
    let Ok(pack) = pack_of(&options.repo, &request.path, &request.text) else {
        return Checked { findings: Vec::new(), parameters: Vec::new() };
    };
    let environment = environment_of(&options.repo, &options.environment, &pack).unwrap_or_default();
    let findings = of_pack(&options.repo.root, &pack, &environment, KEYS);
    let set = environment.parameters.get(&rule.header.name);
    let parameters = rule
        .header
        .parameters
        .iter()
        .map(|(name, parameter)| parameter_entry(name, parameter, set.and_then(|values| values.get(name))));
    Checked { parameters: parameters.collect(), findings: findings.into_iter().map(shown).collect() }
}

/// What is wrong with a file that is no rule: by the folder that it lies in, as `weir check` reads it.
fn of_settings(repo: &Repo, file: &Path, text: &str) -> Vec<Finding> {
    let below = |folder: &str| file.starts_with(repo.sql().join(folder));
    let (code, faults): (_, Vec<RuleError>) = if below("streams") {
        ("invalid-stream", StreamFile::parse(file, text).err().unwrap_or_default())
    } else if below("environments") {
        ("invalid-rule", Environment::parse(file, text).err().into_iter().collect())
    } else if text.trim().is_empty() {
        // A rule without tests has an empty file of them, or none.
        ("invalid-test", Vec::new())
    } else {
        ("invalid-test", TestFile::parse(file, text).err().into_iter().collect())
    };
    faults.into_iter().map(|fault| Finding::of_error(code, fault)).collect()
}

fn parameter_entry(name: &str, parameter: &Parameter, set: Option<&toml::Value>) -> ParameterEntry {
    let kind = match parameter.kind {
        ParameterType::Double => "double",
        ParameterType::Integer => "integer",
        ParameterType::Text => "text",
        ParameterType::Interval => "interval",
        ParameterType::Boolean => "boolean",
    };
    ParameterEntry {
        name: name.to_owned(),
        kind: kind.to_owned(),
        default: plain(&parameter.default),
        set: set.map(plain),
        min: parameter.min,
        max: parameter.max,
        description: parameter.description.clone(),
    }
}

/// A value as `--set` takes it.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown(finding: Finding) -> FindingEntry {
    FindingEntry {
        code: finding.code.to_owned(),
        level: finding.level.to_string(),
        line: finding.line,
        column: finding.column,
        message: finding.message,
        hint: finding.hint,
    }
}

/// `GET /api/words`
pub(crate) async fn words(State(studio): State<Arc<Studio>>) -> Result<Json<Vocabulary>, ApiError> {
    let words = tokio::task::spawn_blocking(move || {
        let repo = &studio.options.repo;
        let (pack, _) = Pack::load_readable(&repo.sql())?;
        let environment = environment_of(repo, &studio.options.environment, &pack)?;
        anyhow::Ok(studio.words.of(&pack, &environment))
    });
    let words = words.await.context("the words of the rules")??;
    Ok(Json(Vocabulary { views: words.views.clone(), functions: words.functions.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tests/a.toml");
        let version = |saved: Saved| match saved {
            Saved::Saved { version } => version,
            Saved::Conflict { .. } => panic!("{saved:?}"),
        };
        let first = version(write(&file, "one", None).unwrap());
        let second = version(write(&file, "two", Some(&first)).unwrap());
        fs::write(&file, "theirs").unwrap();
        let Saved::Conflict { text, version: theirs } = write(&file, "three", Some(&second)).unwrap() else { panic!() };
        assert_eq!((text.as_str(), fs::read_to_string(&file).unwrap().as_str()), ("theirs", "theirs"));
        assert!(matches!(write(&file, "new", None).unwrap(), Saved::Conflict { .. }), "a new file is there already");
        version(write(&file, "theirs", Some(&second)).unwrap());
        version(write(&file, "three", theirs.as_deref()).unwrap());
        fs::remove_file(&file).unwrap();
        let gone = write(&file, "four", theirs.as_deref()).unwrap();
        assert!(matches!(gone, Saved::Conflict { version: None, .. }), "it was removed: {gone:?}");
        version(write(&file, "four", Some(&version_of(""))).unwrap());
    }
}
