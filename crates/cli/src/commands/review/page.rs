//! The page of a review.

use std::fmt::Write as _;

use weir_rules::lint::Finding;
use weir_terminal::{markdown, markdown_code};

use super::{
    Review,
    rules::{Kind, RuleChange},
};

/// By it, a comment on a pull request is found again. Nobody sees it.
const MARK: &str = "<!-- weir review -->";
/// So many findings, failed cases and rules stand before the fold.
const SHOWN: usize = 8;

pub(super) fn page(review: &Review) -> String {
    let mut text = format!("{MARK}\n## Weir: {}\n\n", verdict(review));
    let (base, environment) = (markdown_code(&review.base), markdown_code(&review.environment));
    let _ = writeln!(text, "Compared with {base}, environment {environment}.\n");
    let _ = writeln!(text, "| check | tests | rules |\n|---|---|---|");
    let _ = writeln!(text, "| {} | {} | {} |\n", check(review), tests(review), rules(review));
    for note in &review.notes {
        let _ = writeln!(text, "- {}", markdown(note));
    }
    if !review.notes.is_empty() {
        text.push('\n');
    }
    folded(&mut text, "findings", &review.check.findings.iter().map(finding).collect::<Vec<_>>());
    let failures: Vec<String> = review
        .tests
        .failures
        .iter()
        .map(|one| format!("- **{}**\n{}", markdown(&one.case), fenced(&one.fault)))
        .collect();
    folded(&mut text, "failed cases", &failures);
    changes(&mut text, review.rules.as_deref().unwrap_or_default());
    if let Some(answer) = &review.backtest {
        text.push_str(&answer.markdown());
    }
    text
}

fn verdict(review: &Review) -> &'static str {
    if !review.may_go_in() {
        "this change is not ready"
    } else if review.rules.as_ref().is_some_and(Vec::is_empty) {
        "no rule changes"
    } else {
        "this change may go in"
    }
}

fn check(review: &Review) -> String {
    let checked = &review.check;
    match (checked.errors, checked.warnings) {
        (0, 0) => format!("{} rules are fine", checked.rules),
        (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
    }
}

fn tests(review: &Review) -> String {
    let tests = &review.tests;
    match (tests.passed, tests.failed) {
        (0, 0) => "none".to_owned(),
        (passed, 0) => format!("{passed} passed"),
        (passed, failed) => format!("{failed} failed, {passed} passed"),
    }
}

fn rules(review: &Review) -> String {
    let Some(rules) = &review.rules else { return "not compared".to_owned() };
    let count = |kind: Kind| rules.iter().filter(|rule| rule.kind == kind).count();
    let counts = [(count(Kind::New), "new"), (count(Kind::Changed), "changed"), (count(Kind::Removed), "removed")];
    let said: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if said.is_empty() { "none changed".to_owned() } else { said.join(", ") }
}

/// What a deploy means for each rule that differs: a pipeline that is replaced begins with empty windows.
fn changes(text: &mut String, rules: &[RuleChange]) {
    if rules.is_empty() {
        return;
    }
    text.push_str("### Rules\n\n| rule | | a deploy |\n|---|---|---|\n");
    for rule in rules.iter().take(SHOWN) {
        let what = match rule.kind {
            Kind::New => "new",
            Kind::Changed => "changed",
            Kind::Removed => "removed",
        };
        let _ = writeln!(text, "| {} | {what} | {} |", markdown(&rule.rule), consequence(rule));
    }
    if rules.len() > SHOWN {
        let names: Vec<String> = rules.iter().skip(SHOWN).map(|rule| markdown(&rule.rule)).collect();
        let _ = writeln!(text, "\nand {} more: {}", names.len(), names.join(", "));
    }
    text.push('\n');
}

fn consequence(rule: &RuleChange) -> String {
    let mut said = match (&rule.window_before, &rule.window_after) {
        (_, Some(window)) if rule.kind == Kind::New => format!("sees all after {window}"),
        (Some(before), Some(after)) if before != after => {
            format!("loses its windows of {before}; sees all after {after}")
        }
        (_, Some(window)) => format!("loses its windows; sees all after {window}"),
        (Some(before), None) if rule.kind == Kind::Removed => format!("loses its windows of {before}"),
        _ => "keeps nothing".to_owned(),
    };
    if !rule.details_lost.is_empty() {
        let _ = write!(said, "; alerts lack {}", markdown(&rule.details_lost.join(", ")));
    }
    said
}

fn finding(finding: &Finding) -> String {
    format!("- {}", markdown_code(&finding.to_string()))
}

/// The first of a list, and the rest behind a fold.
fn folded(text: &mut String, what: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    for item in items.iter().take(SHOWN) {
        let _ = writeln!(text, "{item}");
    }
    if items.len() > SHOWN {
        let _ = writeln!(text, "\n<details><summary>{} more {what}</summary>\n", items.len() - SHOWN);
        for item in items.iter().skip(SHOWN) {
            let _ = writeln!(text, "{item}");
        }
        text.push_str("\n</details>\n");
    }
    text.push('\n');
}

/// Text as it is, whatever it holds.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use weir_rules::lint::Level;

    use super::*;
    use crate::commands::review::{Checked, Failure, Tests};

    fn change(rule: &str, kind: Kind, before: Option<&str>, after: Option<&str>) -> RuleChange {
        RuleChange {
            rule: rule.to_owned(),
            kind,
            window_before: before.map(str::to_owned),
            window_after: after.map(str::to_owned),
            details_lost: Vec::new(),
        }
    }

    fn review(rules: Option<Vec<RuleChange>>) -> Review {
        Review {
            base: "main".to_owned(),
            environment: "local".to_owned(),
            check: Checked { rules: 3, errors: 0, warnings: 0, findings: Vec::new() },
            tests: Tests { passed: 9, failed: 0, failures: Vec::new() },
            rules,
            backtest: None,
            replay_failed: false,
            notes: Vec::new(),
        }
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let hostile = "**x** | <img src=x onerror=1>\n## h";
        let shown = markdown(hostile);
        let mut review = review(Some(Vec::new()));
        review.base = "a`b\n# c".to_owned();
        review.notes = vec![hostile.to_owned()];
        review.tests.failures = vec![Failure { case: hostile.to_owned(), fault: "f".to_owned() }];
        let page = page(&review);
        assert!(page.contains("Compared with `a'b; # c`"), "{page}");
        assert!(page.contains(&format!("- {shown}\n")) && page.contains(&format!("- **{shown}**\n")), "{page}");
    }

    #[test]
    fn a_change_whose_history_could_not_be_replayed_is_not_ready() {
        let failed = Review { replay_failed: true, ..review(Some(Vec::new())) };
        assert!(!failed.may_go_in() && page(&failed).contains("## Weir: this change is not ready"));
    }

    #[test]
    fn what_may_go_in() {
        let mut changed = change("damp_room", Kind::Changed, Some("30 minutes"), Some("1 hour"));
        changed.details_lost = vec!["readings".to_owned()];
        let rules = vec![
            changed,
            change("fresh", Kind::New, None, Some("10 minutes")),
            change("gone", Kind::Removed, Some("1 day"), None),
            change("limit", Kind::Changed, None, None),
        ];
        insta::assert_snapshot!(page(&review(Some(rules))));
    }

    #[test]
    fn what_is_not_ready() {
        let mut review = review(None);
        let finding = |line| Finding {
            code: "does-not-plan",
            level: Level::Error,
            file: "sql/rules/x.sql".into(),
            line,
            column: 1,
            message: "there is no column `n`".to_owned(),
            hint: Some("did you mean `m`?".to_owned()),
        };
        review.check = Checked { rules: 3, errors: 12, warnings: 0, findings: (1..=12).map(finding).collect() };
        review.tests = Tests {
            passed: 8,
            failed: 1,
            failures: vec![Failure { case: "x: fires".to_owned(), fault: "- missing key = a\n```".to_owned() }],
        };
        review.notes = vec!["the rules could not be compared: sql/rules/x.sql:1\n  hint: no".to_owned()];
        let page = page(&review);
        let before_fold = page.lines().take_while(|line| !line.starts_with("<details>")).count();
        assert!(before_fold <= 50, "{page}");
        insta::assert_snapshot!(page);
    }

    #[test]
    fn nothing_changed() {
        assert!(page(&review(Some(Vec::new()))).contains("## Weir: no rule changes"));
    }
}
