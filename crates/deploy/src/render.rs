//! What the commands that deploy print for a person.

use std::fmt::Write as _;

use weir_arroyo::{Action, PackPlan, Plan, SHARD_READS_PER_SECOND, status::PipelineStatus};

use super::ledger::Listed;

/// A plan; the embedded engine knows no parallelism of tasks.
pub(crate) fn plan(plan: &Plan, parallelism: Option<u32>) -> String {
    let mut text = String::new();
    for pack in &plan.packs {
        let _ = write!(text, "{} {}: {}", plan.environment, pack.pack, verb(pack.action));
        let _ = match &pack.pipeline {
            Some(name) => writeln!(text, ", {name}"),
            None => writeln!(text),
        };
        rules(&mut text, pack);
        for line in &pack.drift {
            let _ = writeln!(text, "  drift: {line}");
        }
        if !pack.found.is_empty() && pack.action != Action::Unchanged {
            let _ = writeln!(text, "  there now: {}", pack.found.join(", "));
        }
        state(&mut text, pack);
    }
    if plan.packs.is_empty() {
        let _ = writeln!(text, "{}: nothing is deployed and nothing is wanted", plan.environment);
    }
    let readers = plan.readers;
    let _ = write!(
        text,
        "readers of each shard (it gives {SHARD_READS_PER_SECOND} reads a second): {} now, {} during, {} after",
        readers.now, readers.during, readers.after
    );
    let _ = match readers.foreign {
        0 => writeln!(text),
        foreign => writeln!(text, "; of others: {foreign}"),
    };
    if readers.now.max(readers.during).max(readers.after) > SHARD_READS_PER_SECOND {
        // Arroyo polls as often as it is let: the reads of a shard are shared by all.
        let _ = writeln!(text, "  too many: each reads a shard less than once a second");
    }
    if let Some(parallelism) = parallelism {
        let _ = writeln!(text, "parallelism {parallelism}");
    }
    text
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Unchanged => "unchanged",
        Action::New => "new",
        Action::Changed => "changed",
        Action::Recreated => "started anew",
        Action::Repaired => "put right",
        Action::Removed => "removed",
    }
}

fn rules(text: &mut String, pack: &PackPlan) {
    for rule in &pack.rules.added {
        let _ = writeln!(text, "  + {rule}");
    }
    for rule in &pack.rules.removed {
        let _ = writeln!(text, "  - {rule}");
    }
    for rule in &pack.rules.changed {
        let _ = write!(text, "  ~ {} {} -> {}", rule.rule, rule.from, rule.to);
        for column in &rule.added_columns {
            let _ = write!(text, ", column + {column}");
        }
        for column in &rule.removed_columns {
            let _ = write!(text, ", column - {column}");
        }
        text.push('\n');
    }
    if pack.rules.shared_changed {
        let _ = writeln!(text, "  ~ what all rules share: tables, views or streams");
    }
    if pack.rules.unchanged > 0 {
        let _ = writeln!(text, "  = {} unchanged", count(pack.rules.unchanged, "rule"));
    }
}

fn state(text: &mut String, pack: &PackPlan) {
    let warm_up = pack.warm_up_seconds.filter(|seconds| *seconds > 0);
    if pack.state_lost {
        let _ = writeln!(text, "  window state is lost");
    }
    if let (Some(seconds), Some(rule)) = (warm_up, &pack.warm_up_rule) {
        let _ = writeln!(text, "  windows are full after {} (the longest is {rule}'s)", duration(seconds));
    }
}

/// How the pipelines are.
pub(crate) fn status(all: &[PipelineStatus], environment: &str) -> String {
    if all.is_empty() {
        return format!("{environment}: no rules are deployed; `weir apply --env {environment}` deploys them\n");
    }
    let mut text = String::new();
    for one in all {
        let well = if one.well { "well" } else { "NOT WELL" };
        let _ = writeln!(text, "{}  {well}", one.name);
        let _ = writeln!(text, "  state        {}, {}", one.state, count_u64(one.restarts, "restart"));
        let checkpoint = match (one.checkpoint, one.checkpoint_age_seconds) {
            (Some(number), Some(age)) => format!("{number}, begun {} ago", duration(age)),
            _ => "none yet".to_owned(),
        };
        let _ = writeln!(text, "  checkpoint   {checkpoint}");
        let events =
            one.events_per_second.map_or_else(|| "not measured".to_owned(), |rate| format!("{rate:.1} a second"));
        let full = one.backpressure.map_or_else(String::new, |full| format!(", queues {:.0} % full", full * 100.0));
        let _ = writeln!(text, "  events       {events}{full}");
        let parallelism = one.parallelism.map_or_else(|| "not told".to_owned(), |n| n.to_string());
        let _ = writeln!(text, "  parallelism  {parallelism}   id {}", one.id);
        for problem in &one.problems {
            let _ = writeln!(text, "  problem      {problem}");
        }
        for error in &one.errors {
            let _ = writeln!(text, "  last error   {}", error.lines().next().unwrap_or_default());
        }
    }
    text
}

/// Deployments, newest first.
pub(crate) fn deployments(all: &[Listed]) -> String {
    let mut text = String::new();
    for one in all {
        let commit = one.commit.as_deref().unwrap_or("no commit");
        let _ = writeln!(text, "{:>4}  {}  {}  {}  {}  ({})", one.number, one.at, one.how, one.packs, commit, one.by);
    }
    if text.is_empty() {
        text.push_str("nothing was deployed yet\n");
    }
    text
}

/// `3 rules`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn count_u64(n: u64, what: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), what)
}

/// Whole units, the largest two.
pub(crate) fn duration(seconds: u64) -> String {
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)] {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use weir_arroyo::{Readers, RuleChange, RuleChanges, history::Engine};

    use super::*;

    #[test]
    fn a_plan_says_what_changes_and_what_that_costs() {
        let changed = PackPlan {
            pack: "rules".to_owned(),
            action: Action::Changed,
            pipeline: Some("weir/dev/rules@0123456789ab".to_owned()),
            found: vec!["pl_1".to_owned()],
            drift: vec!["pl_1 was stopped".to_owned()],
            rules: RuleChanges {
                added: vec!["flat_line".to_owned()],
                removed: vec!["records".to_owned()],
                changed: vec![RuleChange {
                    rule: "zscore".to_owned(),
                    from: "aaaaaaaaaaaa".to_owned(),
                    to: "bbbbbbbbbbbb".to_owned(),
                    added_columns: vec!["spread".to_owned()],
                    removed_columns: vec!["deviation".to_owned()],
                }],
                unchanged: 1,
                shared_changed: true,
            },
            state_lost: true,
            warm_up_seconds: Some(90_000),
            warm_up_rule: Some("zscore".to_owned()),
        };
        let removed = PackPlan {
            pack: "old".to_owned(),
            action: Action::Removed,
            pipeline: None,
            found: vec!["pl_2".to_owned()],
            drift: vec![],
            rules: RuleChanges { removed: vec!["gone".to_owned()], ..RuleChanges::default() },
            state_lost: true,
            warm_up_seconds: None,
            warm_up_rule: None,
        };
        let readers = Readers { now: 3, during: 4, after: 2, foreign: 1 };
        let whole = Plan { environment: "dev".to_owned(), packs: vec![changed, removed], readers };
        insta::assert_snapshot!(plan(&whole, Some(1)), @r"
        dev rules: changed, weir/dev/rules@0123456789ab
          + flat_line
          - records
          ~ zscore aaaaaaaaaaaa -> bbbbbbbbbbbb, column + spread, column - deviation
          ~ what all rules share: tables, views or streams
          = 1 rule unchanged
          drift: pl_1 was stopped
          there now: pl_1
          window state is lost
          windows are full after 1 d 1 h (the longest is zscore's)
        dev old: removed
          - gone
          there now: pl_2
          window state is lost
        readers of each shard (it gives 5 reads a second): 3 now, 4 during, 2 after; of others: 1
        parallelism 1
        ");
    }

    #[test]
    fn more_readers_than_a_shard_has_reads_are_too_many() {
        let said = |during| {
            let readers = Readers { now: 1, during, after: 1, foreign: 0 };
            plan(&Plan { environment: "dev".to_owned(), packs: vec![], readers }, Some(1))
        };
        assert!(!said(5).contains("too many"));
        assert!(said(6).contains("too many"));
    }

    #[test]
    fn status_says_how_things_are_in_plain_words() {
        let well = PipelineStatus {
            name: "weir/dev/rules@0123456789ab".to_owned(),
            id: "pl_1".to_owned(),
            state: "Running".to_owned(),
            well: true,
            problems: vec![],
            restarts: 1,
            parallelism: Some(2),
            checkpoint_age_seconds: Some(7),
            checkpoint: Some(42),
            events_per_second: Some(12.34),
            backpressure: Some(0.02),
            errors: vec![],
        };
        let ill = PipelineStatus {
            well: false,
            state: "Failed".to_owned(),
            problems: vec!["arroyo gave it up after 20 restarts: a source task owns no open shard".to_owned()],
            restarts: 20,
            parallelism: None,
            checkpoint: None,
            checkpoint_age_seconds: None,
            events_per_second: None,
            backpressure: None,
            errors: vec!["the stream is gone: ResourceNotFoundException\nat a line of source".to_owned()],
            ..well.clone()
        };
        insta::assert_snapshot!(status(&[well, ill], "dev"), @r"
        weir/dev/rules@0123456789ab  well
          state        Running, 1 restart
          checkpoint   42, begun 7 s ago
          events       12.3 a second, queues 2 % full
          parallelism  2   id pl_1
        weir/dev/rules@0123456789ab  NOT WELL
          state        Failed, 20 restarts
          checkpoint   none yet
          events       not measured
          parallelism  not told   id pl_1
          problem      arroyo gave it up after 20 restarts: a source task owns no open shard
          last error   the stream is gone: ResourceNotFoundException
        ");
        assert_eq!(status(&[], "dev"), "dev: no rules are deployed; `weir apply --env dev` deploys them\n");
    }

    #[test]
    fn deployments_are_listed_with_who_and_from_what() {
        let one = Listed {
            number: 7,
            at: "2026-11-24T09:00:00.000Z".to_owned(),
            by: "ana@laptop".to_owned(),
            commit: Some("0123456789ab+".to_owned()),
            how: "apply".to_owned(),
            packs: "rules@0123456789ab".to_owned(),
            engine: Engine::Arroyo,
        };
        assert_eq!(
            deployments(&[one]),
            "   7  2026-11-24T09:00:00.000Z  apply  rules@0123456789ab  0123456789ab+  (ana@laptop)\n"
        );
        assert_eq!(deployments(&[]), "nothing was deployed yet\n");
    }

    #[test]
    fn durations_keep_their_two_largest_units() {
        assert_eq!([0, 59, 3661, 90_000].map(duration), ["0 s", "59 s", "1 h 1 min", "1 d 1 h"]);
    }
}
