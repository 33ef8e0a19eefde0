//! What an apply to the embedded engine would do, and what that costs.

use anyhow::{Context, Result};
use weir_arroyo::{Action, Pack, PackPlan, Plan, Readers, RuleChanges};
use weir_project::check_program;
use weir_rules::{describe, keeps_state};

use super::{
    contract::{Observed, WantedPack, pack_hash},
    service::{Service, silent},
};
use crate::{render, wanted::PACK};

/// A plan, with what it was made for.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) pack: Pack,
    pub(crate) plan: Plan,
    /// What was wanted before.
    pub(super) before: Option<WantedPack>,
    /// What a person should know, a line each.
    pub(super) notes: Vec<String>,
}

/// Compares a pack with what runs, and asks the engine that is in this command whether it takes it.
pub(crate) async fn compare(service: &Service, pack: Pack) -> Result<Comparison> {
    check_program(&pack.program).with_context(|| {
        format!("the engine refuses pack {}\n  hint: nothing was changed; `weir check` names the rule", pack.name)
    })?;
    let (before, observed) = (service.wanted().await?, service.observed().await?);
    let hash = pack_hash(&pack.program);
    let running = observed.as_ref().and_then(|observed| observed.running.as_ref()).map(|running| running.pack.clone());
    let wanted = before.as_ref().and_then(|before| before.pack.clone());
    let there = running.clone().or_else(|| wanted.clone());
    let text = match there.as_deref() {
        Some(there) if there == hash => Some(pack.program.clone()),
        Some(there) => service.program(there).await?,
        None => None,
    };
    let drift = drift(observed.as_ref(), before.as_ref(), &hash);
    let action = match (&running, &wanted) {
        (Some(running), Some(wanted)) if *running == hash && *wanted == hash && drift.is_empty() => Action::Unchanged,
        (_, Some(wanted)) if *wanted == hash => Action::Repaired,
        (Some(running), _) if *running == hash => Action::Repaired,
        (None, None) => Action::New,
        _ => Action::Changed,
    };
    let starts = matches!(action, Action::New | Action::Changed);
    let kept = starts && service.has_state(&hash).await?;
    let window = describe(&pack.program).into_iter().filter_map(|rule| Some((rule.longest_window?, rule.name))).max();
    let window = window.filter(|_| starts && !kept);
    let rules = match (&text, starts) {
        (Some(_), _) | (None, true) => weir_arroyo::compare(text.as_deref(), Some(&pack.program)),
        (None, false) => RuleChanges::default(),
    };
    let planned = PackPlan {
        pack: PACK.to_owned(),
        action,
        pipeline: Some(format!("{PACK}@{hash}")),
        found: running.iter().map(|running| format!("{PACK}@{running}")).collect(),
        drift,
        rules,
        state_lost: starts && !kept && text.as_deref().is_some_and(keeps_state),
        warm_up_seconds: window.as_ref().map(|(interval, _)| interval.duration().as_secs()),
        warm_up_rule: window.map(|(_, rule)| rule),
    };
    let now = u32::from(running.is_some());
    let readers = Readers { now, during: if action == Action::Changed { now + 1 } else { 1 }, after: 1, foreign: 0 };
    let plan = Plan { environment: service.environment.clone(), packs: vec![planned], readers };
    let notes = notes(action, kept, pack.program.contains(LATEST));
    Ok(Comparison { pack, plan, before, notes })
}

/// What is not as the last deployment left it.
fn drift(observed: Option<&Observed>, before: Option<&WantedPack>, hash: &str) -> Vec<String> {
    let Some(before) = before.filter(|before| before.pack.as_deref() == Some(hash)) else { return Vec::new() };
    let Some(observed) = observed else { return vec!["the engine's task has never started".to_owned()] };
    let mut found = Vec::new();
    if silent(observed) {
        found.push(format!("the engine's task {} has said nothing since {}", observed.task, observed.at));
    }
    if let Some(refused) = observed.refused.as_ref().filter(|refused| refused.wanted == before.id) {
        found.push(format!("the engine refuses it: {}", refused.reason));
    } else if observed.coming.as_ref().is_some_and(|coming| coming.pack == hash) {
        found.push("it catches up, and has not taken over yet".to_owned());
    } else if observed.running.as_ref().is_none_or(|running| running.pack != hash) {
        found.push("it does not run yet".to_owned());
    }
    found
}

/// The option of a source that begins at the tip of its stream.
const LATEST: &str = "'source.offset' = 'latest'";

/// What happens to state, and to alerts meanwhile.
fn notes(action: Action, kept: bool, latest: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if kept {
        notes.push(
            "it ran here before: it goes on from the state that it left, and reads what has come since".to_owned(),
        );
    } else if matches!(action, Action::New | Action::Changed) {
        let reads = if latest { "what comes after its start" } else { "what the streams still keep" };
        notes.push(format!("it begins with empty windows, and reads {reads}"));
    }
    if action == Action::Changed {
        notes.push(
            "what runs goes on beside it until it has caught up; events that both read give the same ids, which are stored once"
                .to_owned(),
        );
    }
    notes
}

impl Comparison {
    /// As JSON, with the same names as for Arroyo.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "engine": "embedded",
            "plan": self.plan,
            "warnings": self.notes,
            "nothing_to_do": self.plan.is_empty(),
        })
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut text = render::plan(&self.plan, None);
        self.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{RefusedPack, RunningPack};
    use super::*;
    use crate::ledger::now_text;

    fn wanted(pack: &str) -> WantedPack {
        WantedPack { id: "1".to_owned(), pack: Some(pack.to_owned()), at: String::new(), by: String::new() }
    }

    #[test]
    fn what_is_not_as_it_was_left_is_told() {
        let running = |pack: &str| Some(RunningPack { pack: pack.to_owned(), ..RunningPack::default() });
        let well = Observed { at: now_text(), running: running("a"), ..Observed::default() };
        assert_eq!(drift(Some(&well), Some(&wanted("a")), "a"), Vec::<String>::new());
        assert_eq!(drift(Some(&well), Some(&wanted("a")), "b"), Vec::<String>::new(), "another one is a change");
        assert_eq!(drift(None, Some(&wanted("a")), "a"), ["the engine's task has never started"]);

        let coming = Observed { running: running("b"), coming: running("a"), ..well.clone() };
        assert_eq!(drift(Some(&coming), Some(&wanted("a")), "a"), ["it catches up, and has not taken over yet"]);
        let refused =
            RefusedPack { wanted: "1".to_owned(), pack: "a".to_owned(), reason: "no such function".to_owned() };
        let refusing = Observed { refused: Some(refused), ..coming.clone() };
        assert_eq!(drift(Some(&refusing), Some(&wanted("a")), "a"), ["the engine refuses it: no such function"]);
        let idle = Observed { running: None, ..well.clone() };
        assert_eq!(drift(Some(&idle), Some(&wanted("a")), "a"), ["it does not run yet"]);
        let gone = Observed { at: "2026-01-01T00:00:00.000Z".to_owned(), task: "t1".to_owned(), ..well };
        assert_eq!(
            drift(Some(&gone), Some(&wanted("a")), "a"),
            ["the engine's task t1 has said nothing since 2026-01-01T00:00:00.000Z"]
        );
    }
}
