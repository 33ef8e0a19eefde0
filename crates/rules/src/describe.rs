//! What a compiled program says of itself: its rules, their columns and their windows. Read from the text alone, so that a
//! program that was deployed long ago can be compared with today's.

use crate::{Interval, tokens::word};

/// A rule of a compiled program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The columns beside the anomaly's own: they become its details.
    pub columns: Vec<String>,
    /// Its longest window; a rule over single events has none.
    pub longest_window: Option<Interval>,
}

/// The rules of a program that [`compile`](crate::compile()) made, in its order. Other programs have none.
#[must_use]
pub fn describe(program: &str) -> Vec<RuleSummary> {
    let mut rules: Vec<RuleSummary> = Vec::new();
    let mut body = String::new();
    for line in program.lines() {
        if let Some((name, version)) = heading(line) {
            finish(&mut rules, &mut body);
            rules.push(RuleSummary {
                name: name.to_owned(),
                version: version.to_owned(),
                columns: Vec::new(),
                longest_window: None,
            });
        } else if !rules.is_empty() {
            if let (Some(rule), Some(column)) = (rules.last_mut(), detail_column(line)) {
                rule.columns.push(column);
            }
            body.push_str(without_comment(line));
            body.push('\n');
        }
    }
    finish(&mut rules, &mut body);
    rules
}

/// Whether a program keeps anything of the events that it has read: in windows, or to join them. That is lost when another
/// program takes its place.
#[must_use]
pub fn keeps_state(program: &str) -> bool {
    let sql: Vec<&str> = program.lines().map(without_comment).collect();
    longest_window(&sql.join("\n")).is_some() || word(program, "join").is_some()
}

/// The longest window anywhere in a program.
#[must_use]
pub fn longest_window(sql: &str) -> Option<Interval> {
    let lower = sql.to_ascii_lowercase();
    let mut longest = None;
    for function in ["tumble", "hop", "session"] {
        for (at, _) in lower.match_indices(function) {
            let before = lower.get(..at).and_then(|text| text.chars().next_back());
            if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '"') {
                continue;
            }
            let rest = lower.get(at + function.len()..).unwrap_or_default().trim_start();
            if let Some(arguments) = rest.strip_prefix('(').and_then(closed) {
                longest = longest.max(intervals(arguments).into_iter().max());
            }
        }
    }
    longest
}

/// What stands in comments is no window.
fn without_comment(line: &str) -> &str {
    line.split("--").next().unwrap_or_default()
}

fn finish(rules: &mut [RuleSummary], body: &mut String) {
    if let Some(rule) = rules.last_mut() {
        rule.longest_window = longest_window(body);
    }
    body.clear();
}

/// `-- rule NAME (FILE:LINE), version VERSION`, as the compiler writes it above each rule.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("-- rule ")?.split_once(" (")?;
    Some((name, rest.split_once("), version ")?.1.trim()))
}

/// `CASE WHEN "column" IS NULL THEN 'null' …`, as the compiler writes it for each detail.
fn detail_column(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("CASE WHEN \"")?;
    let (name, _) = rest.split_once("\" IS NULL THEN 'null'")?;
    Some(name.replace("\"\"", "\""))
}

/// The text up to the bracket that closes the one before it.
fn closed(text: &str) -> Option<&str> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at);
        }
    }
    None
}

/// `interval '5 minutes'` and `interval '5' minute`.
pub(crate) fn intervals(arguments: &str) -> Vec<Interval> {
    arguments
        .split("interval")
        .skip(1)
        .filter_map(|rest| {
            let (quoted, after) = rest.trim_start().strip_prefix('\'')?.split_once('\'')?;
            let unit = after.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            quoted.parse().or_else(|_| format!("{quoted} {unit}").parse()).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_over_single_events_keeps_nothing() {
        for nothing in [
            "SELECT a FROM t WHERE a > 1",
            "-- hop(INTERVAL '1 minute', INTERVAL '1 hour')\nSELECT a FROM t",
            "SELECT 'a join of two', a FROM t",
        ] {
            assert!(!keeps_state(nothing), "{nothing}");
        }
        for something in
            ["SELECT a FROM t GROUP BY a, tumble(INTERVAL '1 minute')", "SELECT a FROM t\nJOIN u ON t.a = u.a"]
        {
            assert!(keeps_state(something), "{something}");
        }
    }

    #[test]
    fn windows_are_found_however_they_are_written() {
        let longest = |sql: &str| longest_window(sql).map(|interval| interval.to_string());
        assert_eq!(longest("SELECT hop(INTERVAL '5 minutes', INTERVAL '1 day') AS w"), Some("1 day".to_owned()));
        assert_eq!(longest("GROUP BY TUMBLE (interval '90' SECOND)"), Some("90 seconds".to_owned()));
        assert_eq!(longest("session(INTERVAL '1 hour'), tumble(INTERVAL '1 minute')"), Some("1 hour".to_owned()));
        assert_eq!(longest("SELECT workshop(INTERVAL '1 day'), INTERVAL '2 days'"), None);
    }
}
