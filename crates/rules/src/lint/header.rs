//! Lints of a rule as a whole: its header, its name, its test, its columns.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Rule;

use super::{Finding, Level};

pub(super) const DUPLICATE_NAME: &str = "duplicate-name";
pub(super) const MISSING_OWNER: &str = "missing-owner";
pub(super) const MISSING_RUNBOOK: &str = "missing-runbook";
pub(super) const NO_EXPECTED: &str = "no-expected";
pub(super) const NO_TEST: &str = "no-test";
pub(super) const POLICY_CANNOT_APPLY: &str = "policy-cannot-apply";
pub(super) const UNUSED_PARAMETER: &str = "unused-parameter";

/// What people write when they do not know yet.
const NOBODY: [&str; 8] = ["", "todo", "tbd", "fixme", "unknown", "nobody", "none", "?"];

/// Where a rule's tests lie: beside the folder `rules` that it lies in, which a project may call something else than `sql`.
fn tests(rule: &Rule, root: &Path) -> PathBuf {
    let rules = rule.file.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "rules"));
    rules.and_then(Path::parent).map_or_else(|| root.join("sql/tests"), |sql| root.join(sql).join("tests"))
}

pub(super) fn lint(rule: &Rule, earlier: &[Rule], root: &Path) -> Vec<Finding> {
    let header = &rule.header;
    let mut findings = Vec::new();
    if is_nobody(&header.owner) {
        findings.push(
            Finding::new(MISSING_OWNER, Level::Warning, rule, place(rule, "owner"), "the rule has no owner".to_owned())
                .hint("name who is asked when it speaks: a team, a person, a channel"),
        );
    }
    if is_nobody(&header.runbook) {
        let message = "the rule has no runbook".to_owned();
        findings.push(
            Finding::new(MISSING_RUNBOOK, Level::Warning, rule, place(rule, "runbook"), message)
                .hint("name a heading (docs/runbooks.md#name) or an address that says what to do"),
        );
    }
    if let Some(other) = earlier.iter().find(|other| other.header.name == header.name) {
        let message = format!("{} is also called `{}`", other.file.display(), header.name);
        findings.push(
            Finding::new(DUPLICATE_NAME, Level::Error, rule, place(rule, "name"), message)
                .hint("ids, alerts and silences go by the name: call one of them something else"),
        );
    }
    if !tests(rule, root).join(format!("{}.toml", header.name)).is_file() {
        let message = "the rule has no tests".to_owned();
        findings.push(
            Finding::new(NO_TEST, Level::Warning, rule, (1, 1), message)
                .hint(format!("write sql/tests/{}.toml with a case that fires and one that stays silent", header.name)),
        );
    }
    if !rule.projection.expected {
        let message = "the SELECT returns no `expected`".to_owned();
        findings.push(
            Finding::new(NO_EXPECTED, Level::Info, rule, (rule.body_line, 1), message)
                .hint("an alert that says what was expected is understood sooner; plots draw the band from it"),
        );
    }
    if !rule.projection.expected
        && let Some((pattern, _)) = header.policies.iter().find(|(_, policy)| policy.needs_expected())
    {
        let table = |written: &str| {
            let written = written.strip_prefix("[policy").map(str::trim_start);
            written.is_some_and(|rest| if pattern == "*" { true } else { rest.contains(pattern) })
        };
        let (line, _) = line_of(rule, table);
        let message = format!("the policy of `{pattern}` compares with `expected`, which the SELECT does not return");
        findings.push(
            Finding::new(POLICY_CANNOT_APPLY, Level::Warning, rule, (line, 1), message)
                .hint("return `expected`, or take direction and deviations out: without it everything counts"),
        );
    }
    for name in header.parameters.keys().filter(|name| !rule.body.contains(&format!("${{{name}}}"))) {
        let (line, _) = line_of(rule, |written| written.starts_with(&format!("[parameters.{name}]")));
        let message = format!("parameter `{name}` is never used");
        findings.push(Finding::new(UNUSED_PARAMETER, Level::Warning, rule, (line, 1), message).hint(format!(
            "name it as ${{{name}}}, or take it out: a person who sets it believes that it does something"
        )));
    }
    findings
}

/// Where a header's key is written.
pub(super) fn place(rule: &Rule, key: &str) -> (usize, usize) {
    line_of(rule, |written| written.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')))
}

fn line_of(rule: &Rule, wanted: impl Fn(&str) -> bool) -> (usize, usize) {
    // The place only: a file that is gone by now leaves the finding at its top.
    let text = fs::read_to_string(&rule.file).unwrap_or_default();
    let comments = text.lines().map_while(|line| line.trim_start().strip_prefix("--"));
    let found = comments.enumerate().find(|(_, comment)| wanted(comment.trim_start()));
    found.map_or((1, 1), |(index, comment)| (index + 1, comment.chars().take_while(|c| *c == ' ').count() + 3))
}

pub(super) fn is_nobody(text: &str) -> bool {
    NOBODY.contains(&text.trim().to_lowercase().as_str())
}
