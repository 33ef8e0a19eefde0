//! Finds the rule as it was: in this checkout, else in its git history, in whichever environment gives the same version.

use std::{fs, path::Path};

use anyhow::Result;
use weir_anomaly::{Anomaly, Stage};
use weir_project::{
    Repo,
    revision::{checkout, git},
};
use weir_rules::{Environment, Pack, compile};

/// Revisions of the rule that are looked at, the newest first.
const REVISIONS: usize = 100;
/// In place of an environment's name.
const NONE: &str = "(none)";

/// A rule at the version that was asked for.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) pack: Pack,
    pub(crate) environment: Environment,
    /// Every environment that gives this version; `environment` is the first of them.
    pub(crate) environment_names: Vec<String>,
    /// Where it was found, for a person.
    pub(crate) place: String,
}

/// The rule of the anomaly's version.
pub(crate) fn find(repo: &Repo, anomaly: &Anomaly) -> Result<Option<Found>> {
    if let Some(found) = in_folder(&repo.sql(), anomaly, "this checkout") {
        return Ok(Some(found));
    }
    // In whichever folder it was.
    let sql = repo.manifest().sql.to_string_lossy().into_owned();
    let environments = format!("{sql}/environments");
    let file = format!(":(glob){sql}/rules/**/{}.sql", anomaly.rule);
    let most = format!("-n{REVISIONS}");
    // Without git there is no history to look through.
    let Ok(log) = git(&repo.root, &["log", &most, "--format=%h %cs", "--", &file, &environments]) else {
        return Ok(None);
    };
    for line in String::from_utf8_lossy(&log).lines() {
        let Some((revision, date)) = line.split_once(' ') else { continue };
        // The commit that removed the rule has none.
        let Some(file) = file_at(&repo.root, revision, &sql, &anomaly.rule) else { continue };
        let Ok(folder) = checkout(
            &repo.root,
            revision,
            &[&file, &format!("{sql}/tables.sql"), &format!("{sql}/streams"), &environments],
        ) else {
            continue;
        };
        let place = format!("revision {revision} of {date}");
        if let Some(found) = in_folder(&folder.path().join(&sql), anomaly, &place) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Where the rule was at a revision.
fn file_at(root: &Path, revision: &str, sql: &str, rule: &str) -> Option<String> {
    let listed = git(root, &["ls-tree", "-r", "-z", "--name-only", revision, "--", &format!("{sql}/rules")]).ok()?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    listed.split_terminator('\0').find(|file| file.ends_with(&format!("/{rule}.sql"))).map(str::to_owned)
}

fn in_folder(sql: &Path, anomaly: &Anomaly, place: &str) -> Option<Found> {
    let (pack, _) = Pack::load_readable(sql).ok()?;
    let rules: Vec<_> = pack.rules.into_iter().filter(|rule| rule.header.name == anomaly.rule).collect();
    let pack = Pack { rules, ..pack };
    let mut environments = environments(sql);
    environments.push((NONE.to_owned(), Environment::default()));
    let mut same: Vec<(String, Environment, Pack)> = Vec::new();
    for (name, environment) in environments {
        // A command may have picked a rule that is off, which made it active.
        for picked in [None, Some(Stage::Active)] {
            let mut pack = pack.clone();
            for rule in &mut pack.rules {
                rule.header.stage = picked.unwrap_or_else(|| environment.stage(rule));
                rule.header.stream = environment.stream(rule).map(str::to_owned);
            }
            let environment = Environment { rules: std::collections::BTreeMap::new(), ..environment.clone() };
            let version = compile(&pack, &environment).ok().and_then(|program| program.rules.into_iter().next());
            if version.is_some_and(|rule| rule.version == anomaly.rule_version) {
                same.push((name, environment, pack));
                break;
            }
        }
    }
    // That none is needed says nothing where one has the same values.
    if same.len() > 1 {
        same.retain(|(name, ..)| name != NONE);
    }
    let environment_names = same.iter().map(|(name, ..)| name.clone()).collect();
    let (_, environment, pack) = same.into_iter().next()?;
    Some(Found { pack, environment, environment_names, place: place.to_owned() })
}

/// By name.
fn environments(sql: &Path) -> Vec<(String, Environment)> {
    let Ok(entries) = fs::read_dir(sql.join("environments")) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let text = fs::read_to_string(&path).ok();
        if let (Some(name), Some(text)) = (name, text)
            && let Ok(environment) = Environment::parse(&path, &text)
        {
            found.push((name, environment));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "-- name = \"high\"\n-- severity = \"info\"\n-- description = \"d\"\n-- owner = \"o\"\n-- runbook = \"r\"\n-- [parameters.most]\n-- type = \"double\"\n-- default = 1.0\n\nSELECT series AS key, event_time, value, 0.5 AS score FROM events WHERE value > ${most}";

    fn anomaly(version: &str) -> Anomaly {
        serde_json::from_value(serde_json::json!({
            "id": "0123456789abcdef0123456789abcdef", "rule": "high", "rule_version": version, "severity": "info",
            "key": "k", "timestamp": "2026-01-01T00:00:00Z", "score": 0.5
        }))
        .unwrap()
    }

    #[test]
    fn a_version_is_found_in_the_environment_that_gave_it() {
        let folder = tempfile::tempdir().unwrap();
        let sql = folder.path();
        let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/tables.sql");
        fs::copy(tables, sql.join("tables.sql")).unwrap();
        fs::create_dir_all(sql.join("rules")).unwrap();
        fs::create_dir_all(sql.join("environments")).unwrap();
        fs::write(sql.join("rules/high.sql"), RULE).unwrap();
        fs::write(sql.join("environments/a.toml"), "[rules.high]\nstage = \"off\"\n").unwrap();
        fs::write(sql.join("environments/b.toml"), "[parameters.high]\nmost = 2.0\n").unwrap();
        let environment = Environment::parse(Path::new("b.toml"), "[parameters.high]\nmost = 2.0\n").unwrap();
        let version = compile(&Pack::load(sql).unwrap(), &environment).unwrap().rules.remove(0).version;
        let found = in_folder(sql, &anomaly(&version), "here").unwrap();
        assert_eq!((found.environment_names.join(", "), found.place.as_str()), ("b".to_owned(), "here"));
        assert!(in_folder(sql, &anomaly("000000000000"), "here").is_none());
        let usual = compile(&Pack::load(sql).unwrap(), &Environment::default()).unwrap().rules.remove(0).version;
        // Picked by name in an environment where it is off.
        assert_eq!(in_folder(sql, &anomaly(&usual), "here").unwrap().environment_names, ["a"]);
    }

    #[test]
    fn a_version_is_found_in_history_in_folders_that_are_not_named_in_ascii() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let sql = root.join("Prüfungen");
        fs::create_dir_all(sql.join("rules/Küche")).unwrap();
        fs::write(root.join("weir.toml"), "[paths]\nsql = \"Prüfungen\"\n").unwrap();
        let file = sql.join("rules/Küche/high.sql");
        let commit = |text: &str| {
            fs::write(&file, text).unwrap();
            git(root, &["add", "-A"]).unwrap();
            git(root, &["-c", "user.name=n", "-c", "user.email=e@localhost", "commit", "-qm", "a step"]).unwrap();
        };
        git(root, &["init", "-q"]).unwrap();
        commit(RULE);
        let version = compile(&Pack::load(&sql).unwrap(), &Environment::default()).unwrap().rules.remove(0).version;
        commit(&RULE.replace("0.5 AS score", "0.6 AS score"));
        let found = find(&Repo::at(root.to_owned()).unwrap(), &anomaly(&version)).unwrap().unwrap();
        assert!(found.place.starts_with("revision "), "{}", found.place);
    }
}
