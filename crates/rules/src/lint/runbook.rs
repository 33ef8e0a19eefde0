//! Whether the runbook that a rule names is there.

use std::{collections::BTreeMap, fs, path::Path};

use crate::Rule;

use super::{Finding, Level, header};

pub(super) const RUNBOOK_NOT_FOUND: &str = "runbook-not-found";

pub(super) fn lint(rule: &Rule, root: &Path) -> Option<Finding> {
    let runbook = rule.header.runbook.trim();
    // An address is not fetched: a check gives the same answer on a train.
    if header::is_nobody(runbook) || runbook.contains("://") {
        return None;
    }
    let place = header::place(rule, "runbook");
    let (file, anchor) = runbook.split_once('#').unwrap_or((runbook, ""));
    let Ok(text) = fs::read_to_string(root.join(file)) else {
        let message = format!("the runbook {file} cannot be read");
        return Some(
            Finding::new(RUNBOOK_NOT_FOUND, Level::Warning, rule, place, message)
                .hint("paths start at the folder that holds sql; anything else is written as https://…"),
        );
    };
    if anchor.is_empty() || anchors(&text).iter().any(|known| known == anchor) {
        return None;
    }
    Some(
        Finding::new(RUNBOOK_NOT_FOUND, Level::Warning, rule, place, format!("{file} has no heading `#{anchor}`"))
            .hint(format!("add `## {anchor}` to it and say what to do")),
    )
}

/// The anchors of a Markdown text: of its headings, as GitHub makes them, and those set by hand (`<a id="…">`).
fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let title = line.trim_start_matches('#');
        let hashes = line.len() - title.len();
        if !fenced && (1..=6).contains(&hashes) && title.starts_with(' ') {
            let slug = slug(title);
            let times = seen.entry(slug.clone()).or_default();
            anchors.push(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
        for mark in ["<a id=\"", "<a name=\""] {
            let set = line.split(mark).skip(1).filter_map(|rest| rest.split_once('"'));
            anchors.extend(set.map(|(name, _)| name.to_owned()));
        }
    }
    anchors
}

fn slug(title: &str) -> String {
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_that_github_makes() {
        let text =
            "# What to do\n## zscore\n```\n# no heading\n```\n## Is it `late`?\n## zscore\n#tag\n<a id=\"own\"></a>";
        assert_eq!(anchors(text), ["what-to-do", "zscore", "is-it-late", "zscore-1", "own"]);
    }
}
