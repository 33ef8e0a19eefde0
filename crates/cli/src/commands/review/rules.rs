//! How the compiled rules differ from those of another revision, and what a deploy of the difference loses.

use anyhow::{Result, anyhow};
use serde::Serialize;
use weir_project::{
    EnvironmentOptions, Repo,
    compile::{joined, load_pack},
    revision::checkout,
};
use weir_rules::{RuleSummary, compile, describe};

/// A rule that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RuleChange {
    pub(super) rule: String,
    pub(super) kind: Kind,
    /// The longest window then; a rule over single events has none.
    pub(super) window_before: Option<String>,
    /// The longest window now: for so long after a deploy without state, the rule sees less than it will.
    pub(super) window_after: Option<String>,
    /// Details that its anomalies no longer have.
    pub(super) details_lost: Vec<String>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    New,
    Changed,
    Removed,
}

/// The rules that differ from those of a revision, in an environment: each side in its own where it has it.
pub(super) fn changes(repo: &Repo, base: &str, options: &EnvironmentOptions) -> Result<Vec<RuleChange>> {
    let sql = repo.manifest().sql.to_string_lossy().into_owned();
    let folder = checkout(&repo.root, base, &[&sql])?;
    let then = Repo::at(folder.path().to_owned())?;
    let then_sql = folder.path().join(&sql);
    let now = summaries(repo, options)?;
    let pack = load_pack(&then_sql).map_err(|error| anyhow!("{base}: {error}"))?;
    let own = then_sql.join("environments").join(format!("{}.toml", options.name(repo)));
    let environment = if own.is_file() && then.sql() == then_sql {
        EnvironmentOptions { environment: Some(options.name(repo).to_owned()), set: Vec::new() }
            .load_beside(&then, &pack, &[])?
            .0
    } else {
        EnvironmentOptions { set: Vec::new(), ..options.clone() }.load_beside(repo, &pack, &[])?.0
    };
    let program = compile(&pack, &environment).map_err(joined).map_err(|error| anyhow!("{base}: {error}"))?;
    Ok(between(&describe(&program.sql), &now))
}

fn summaries(repo: &Repo, options: &EnvironmentOptions) -> Result<Vec<RuleSummary>> {
    let pack = load_pack(&repo.sql())?;
    let environment = options.load(repo, &pack)?;
    Ok(describe(&compile(&pack, &environment).map_err(joined)?.sql))
}

fn between(before: &[RuleSummary], after: &[RuleSummary]) -> Vec<RuleChange> {
    let window = |rule: &RuleSummary| rule.longest_window.as_ref().map(ToString::to_string);
    let mut changes = Vec::new();
    for now in after {
        let then = before.iter().find(|rule| rule.name == now.name);
        if then.is_some_and(|then| then.version == now.version) {
            continue;
        }
        let lost = then.map_or_else(Vec::new, |then| {
            then.columns.iter().filter(|column| !now.columns.contains(column)).cloned().collect()
        });
        changes.push(RuleChange {
            rule: now.name.clone(),
            kind: if then.is_some() { Kind::Changed } else { Kind::New },
            window_before: then.and_then(window),
            window_after: window(now),
            details_lost: lost,
        });
    }
    for then in before.iter().filter(|then| !after.iter().any(|now| now.name == then.name)) {
        changes.push(RuleChange {
            rule: then.name.clone(),
            kind: Kind::Removed,
            window_before: window(then),
            window_after: None,
            details_lost: Vec::new(),
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_changed_and_removed_rules_are_told_apart() {
        let rule = |name: &str, version: &str, window: Option<&str>, columns: &[&str]| RuleSummary {
            name: name.to_owned(),
            version: version.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            longest_window: window.map(|window| window.parse().unwrap()),
        };
        let before = [
            rule("same", "1", None, &[]),
            rule("changed", "1", Some("1 hour"), &["n", "z"]),
            rule("gone", "1", None, &[]),
        ];
        let after = [
            rule("same", "1", None, &[]),
            rule("changed", "2", Some("2 hours"), &["n"]),
            rule("fresh", "1", None, &[]),
        ];
        let found: Vec<_> = between(&before, &after)
            .into_iter()
            .map(|c| (c.rule, c.kind, c.window_before, c.window_after, c.details_lost))
            .collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (text("changed"), Kind::Changed, Some(text("1 hour")), Some(text("2 hours")), vec![text("z")]),
                (text("fresh"), Kind::New, None, None, vec![]),
                (text("gone"), Kind::Removed, None, None, vec![]),
            ]
        );
    }
}
