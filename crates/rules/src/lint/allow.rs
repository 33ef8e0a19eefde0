//! `-- weir: allow(code) reason` in a rule's body: one lint less, and why.

use crate::Rule;

use super::{Finding, LINTS, Level, window};

pub(super) const BAD_ALLOW: &str = "bad-allow";

/// Takes out what the rule allows, and says so of an allowance that is none.
pub(super) fn apply(rule: &Rule, findings: &mut Vec<Finding>) {
    let mut bad = Vec::new();
    for (index, line) in rule.body.lines().enumerate() {
        let Some((at, rest)) = comment(line) else { continue };
        let place = (rule.body_line + index, at);
        let mut fault = |message: String, hint: &str| {
            bad.push(Finding::new(BAD_ALLOW, Level::Warning, rule, place, message).hint(hint));
        };
        let Some((code, reason)) = parts(rest) else {
            fault("this allows nothing".to_owned(), "write `-- weir: allow(code) reason`, with one code");
            continue;
        };
        if code == BAD_ALLOW || !LINTS.contains(&code) {
            fault(format!("there is no lint `{code}` to allow"), "docs/check.md lists them");
            continue;
        }
        if reason.is_empty() {
            fault(format!("`{code}` is allowed without a reason"), "say why behind the bracket");
            continue;
        }
        let before = findings.len();
        findings.retain(|finding| finding.code != code);
        // What depends on the environment or on --keys may well be silent here and speak elsewhere.
        if findings.len() == before && ![window::WINDOW_EXCEEDS_RETENTION, window::LARGE_STATE].contains(&code) {
            fault(format!("nothing here is `{code}`"), "take the comment out");
        }
    }
    findings.extend(bad);
}

/// The column of a `-- weir: …` comment that stands alone on its line, and what follows.
fn comment(line: &str) -> Option<(usize, &str)> {
    let written = line.trim_start();
    let rest = written.strip_prefix("--")?.trim_start().strip_prefix("weir:")?;
    Some((line.chars().count() - written.chars().count() + 1, rest.trim()))
}

fn parts(rest: &str) -> Option<(&str, &str)> {
    let (code, reason) = rest.strip_prefix("allow(")?.split_once(')')?;
    Some((code.trim(), reason.trim_start_matches([':', ' '])))
}
