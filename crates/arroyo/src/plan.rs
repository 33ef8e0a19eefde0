//! What would be done, and what that means: a function of what is wanted and what runs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use weir_rules::{RuleSummary, describe, keeps_state};

use crate::{
    api::{JobState, Stop},
    cluster::{Cluster, Deployed},
    pack::{Pack, PipelineName},
};

/// Reads a second that one shard of Kinesis gives, to all its readers together.
pub const SHARD_READS_PER_SECOND: u32 = 5;

/// What is wanted of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The environment: Weir's pipelines of others are left alone.
    pub environment: String,
    /// The packs.
    pub packs: Vec<Pack>,
    /// Subtasks of each operator.
    pub parallelism: u32,
    /// Time between checkpoints; what the cluster was set to when absent.
    pub checkpoint_interval: Option<Duration>,
    /// Replace pipelines that are as wanted, too: after a reshard they must find the stream's shards anew.
    pub after_reshard: bool,
    /// The stream that the packs read, to count who else does.
    pub events_stream: Option<String>,
}

impl Wanted {
    /// The name of a pack's pipeline.
    #[must_use]
    pub fn name(&self, pack: &Pack) -> PipelineName {
        pack.pipeline_name(&self.environment)
    }

    pub(crate) fn interval_micros(&self) -> Option<u64> {
        self.checkpoint_interval.map(|interval| u64::try_from(interval.as_micros()).unwrap_or(u64::MAX))
    }
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The environment.
    pub environment: String,
    /// Each pack, the wanted ones first.
    pub packs: Vec<PackPlan>,
    /// Who reads the stream.
    pub readers: Readers,
}

/// What would be done with one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackPlan {
    /// The pack.
    pub pack: String,
    /// What.
    pub action: Action,
    /// The name of the pipeline that will run; `None` when the pack is removed.
    pub pipeline: Option<String>,
    /// The pipelines that run now or were left, by id.
    pub found: Vec<String>,
    /// What was changed by hand, or went wrong, and will be put right.
    pub drift: Vec<String>,
    /// Rules.
    pub rules: RuleChanges,
    /// Whether window state is lost: what runs keeps some, and a changed program is a new pipeline, which begins with none.
    pub state_lost: bool,
    /// Seconds until the longest window is full again.
    pub warm_up_seconds: Option<u64>,
    /// The rule with that window.
    pub warm_up_rule: Option<String>,
}

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It runs as wanted.
    Unchanged,
    /// It does not run yet.
    New,
    /// Another version runs.
    Changed,
    /// It is replaced by the same version, to read the stream's shards anew.
    Recreated,
    /// The right version is there, and something about it is not right.
    Repaired,
    /// It is no longer wanted.
    Removed,
}

/// What happens to rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleChanges {
    /// Names.
    pub added: Vec<String>,
    /// Names.
    pub removed: Vec<String>,
    /// With their columns.
    pub changed: Vec<RuleChange>,
    /// How many stay.
    pub unchanged: usize,
    /// Whether what all rules share (tables, views, streams) differs.
    pub shared_changed: bool,
}

/// A rule that will run in another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Its name.
    pub rule: String,
    /// The version that runs.
    pub from: String,
    /// The version that will.
    pub to: String,
    /// Details that are new.
    pub added_columns: Vec<String>,
    /// Details that go: their readers will miss them.
    pub removed_columns: Vec<String>,
}

/// Pipelines that poll the events stream: each one is a reader of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Readers {
    /// Now.
    pub now: u32,
    /// While new ones run beside old ones.
    pub during: u32,
    /// Afterwards.
    pub after: u32,
    /// Of these, those that are not Weir's of this environment.
    pub foreign: u32,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packs.iter().all(|pack| pack.action == Action::Unchanged)
    }
}

/// Compares.
#[must_use]
pub fn plan(wanted: &Wanted, cluster: &Cluster) -> Plan {
    let mut packs: Vec<PackPlan> = wanted.packs.iter().map(|pack| plan_pack(wanted, cluster, pack)).collect();
    let mut removed: BTreeMap<&str, Vec<&Deployed>> = BTreeMap::new();
    for deployed in &cluster.ours {
        if !wanted.packs.iter().any(|pack| pack.name == deployed.name.pack) {
            removed.entry(&deployed.name.pack).or_default().push(deployed);
        }
    }
    packs.extend(removed.into_iter().map(|(pack, copies)| PackPlan {
        pack: pack.to_owned(),
        action: Action::Removed,
        pipeline: None,
        found: ids(&copies),
        drift: Vec::new(),
        rules: compare(copies.first().map(|copy| copy.pipeline.query.as_str()), None),
        state_lost: copies.iter().any(|copy| keeps_state(&copy.pipeline.query)),
        warm_up_seconds: None,
        warm_up_rule: None,
    }));
    let readers = readers(wanted, cluster, &packs);
    Plan { environment: wanted.environment.clone(), packs, readers }
}

fn plan_pack(wanted: &Wanted, cluster: &Cluster, pack: &Pack) -> PackPlan {
    let name = wanted.name(pack);
    let copies: Vec<&Deployed> = cluster.of(&pack.name).collect();
    let keeper = cluster.keeper(&name);
    let drift = drift(wanted, &name, keeper, &copies);
    // What a person compares with: what runs, and where nothing does, what ran last.
    let before = keeper.or_else(|| copies.iter().find(|copy| copy.is_active()).or(copies.first()).copied());
    let action = match (keeper, before) {
        (Some(_), _) if wanted.after_reshard => Action::Recreated,
        (Some(_), _) if drift.is_empty() && copies.len() == 1 => Action::Unchanged,
        (Some(_), _) => Action::Repaired,
        (None, Some(_)) => Action::Changed,
        (None, None) => Action::New,
    };
    let starts_anew = matches!(action, Action::New | Action::Changed | Action::Recreated);
    let window = describe(&pack.program).into_iter().filter_map(|rule| Some((rule.longest_window?, rule.name))).max();
    let window = window.filter(|_| starts_anew);
    PackPlan {
        pack: pack.name.clone(),
        action,
        pipeline: Some(name.to_string()),
        found: ids(&copies),
        drift,
        rules: compare(before.map(|copy| copy.pipeline.query.as_str()), Some(&pack.program)),
        state_lost: starts_anew && before.is_some_and(|copy| keeps_state(&copy.pipeline.query)),
        warm_up_seconds: window.as_ref().map(|(interval, _)| interval.duration().as_secs()),
        warm_up_rule: window.map(|(_, rule)| rule),
    }
}

fn drift(wanted: &Wanted, name: &PipelineName, keeper: Option<&Deployed>, copies: &[&Deployed]) -> Vec<String> {
    let mut found = Vec::new();
    for copy in copies.iter().filter(|copy| !copy.is_genuine()) {
        found.push(format!(
            "{} is named {} but holds another program: made or changed by hand",
            copy.pipeline.id, copy.name
        ));
    }
    let Some(keeper) = keeper else { return found };
    let id = &keeper.pipeline.id;
    match keeper.state() {
        JobState::Failed => {
            let reason = keeper.job.as_ref().and_then(crate::api::Job::failure);
            found.push(format!("{id} has failed: {}", reason.unwrap_or_else(|| "arroyo says no reason".to_owned())));
        }
        JobState::Stopped | JobState::Stopping(_) => found.push(format!("{id} was stopped")),
        _ if keeper.pipeline.stop != Stop::None => found.push(format!("{id} was asked to stop")),
        // An apply that broke off leaves one so; whether it comes up is not known before it does.
        JobState::Starting(state) => found.push(format!("{id} does not run yet: it is {state}")),
        _ => {}
    }
    if let Some(runs) = keeper.pipeline.parallelism().filter(|runs| *runs != wanted.parallelism) {
        found.push(format!("{id} runs at parallelism {runs}, wanted is {}", wanted.parallelism));
    }
    if let Some(interval) =
        wanted.interval_micros().filter(|wanted| *wanted != keeper.pipeline.checkpoint_interval_micros)
    {
        let runs = Duration::from_micros(keeper.pipeline.checkpoint_interval_micros);
        found.push(format!("{id} writes a checkpoint every {runs:?}, wanted is {:?}", Duration::from_micros(interval)));
    }
    for copy in copies.iter().filter(|copy| copy.pipeline.id != *id && copy.is_genuine()) {
        let what = if copy.name == *name { "a second copy" } else { "an older version" };
        found.push(format!("{} is {what}, {}", copy.pipeline.id, copy.state().name()));
    }
    found
}

fn ids(copies: &[&Deployed]) -> Vec<String> {
    copies.iter().map(|copy| copy.pipeline.id.clone()).collect()
}

/// Compares the rules of two programs.
#[must_use]
pub fn compare(before: Option<&str>, after: Option<&str>) -> RuleChanges {
    let (old, new) = (describe(before.unwrap_or_default()), describe(after.unwrap_or_default()));
    let find = |rules: &[RuleSummary], name: &str| rules.iter().find(|rule| rule.name == name).cloned();
    let mut changes = RuleChanges::default();
    for rule in &new {
        match find(&old, &rule.name) {
            None => changes.added.push(rule.name.clone()),
            Some(before) if before.version == rule.version => changes.unchanged += 1,
            Some(before) => changes.changed.push(RuleChange {
                rule: rule.name.clone(),
                from: before.version,
                to: rule.version.clone(),
                added_columns: missing(&rule.columns, &before.columns),
                removed_columns: missing(&before.columns, &rule.columns),
            }),
        }
    }
    changes.removed =
        old.iter().filter(|rule| find(&new, &rule.name).is_none()).map(|rule| rule.name.clone()).collect();
    if let (Some(before), Some(after)) = (before, after) {
        changes.shared_changed = shared(before) != shared(after);
    }
    changes
}

/// What is in `these` and not in `those`.
fn missing(these: &[String], those: &[String]) -> Vec<String> {
    these.iter().filter(|one| !those.contains(one)).cloned().collect()
}

/// The part of a program before its first rule. Statements of the tables may have a name too, but no version.
fn shared(program: &str) -> &str {
    let is_heading = |at: &usize| {
        program.get(at + 1..).is_some_and(|rest| rest.lines().next().is_some_and(|line| line.contains("), version ")))
    };
    let end = program.match_indices("\n-- rule ").map(|(at, _)| at).find(is_heading);
    end.and_then(|end| program.get(..end)).unwrap_or(program)
}

fn readers(wanted: &Wanted, cluster: &Cluster, packs: &[PackPlan]) -> Readers {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let foreign = wanted.events_stream.as_ref().map_or(0, |stream| {
        let named = format!("'{stream}'");
        let reads = |p: &&crate::api::Pipeline| p.stop == Stop::None && p.query.contains(&named);
        count(cluster.foreign.iter().filter(reads).count())
    });
    let now = count(cluster.ours.iter().filter(|deployed| deployed.is_active()).count()) + foreign;
    let starts = |p: &&PackPlan| matches!(p.action, Action::New | Action::Changed | Action::Recreated);
    let started = count(packs.iter().filter(starts).count());
    // One pack after another: never more than one new pipeline beside old ones.
    let during = if started > 0 { now.max(count(wanted.packs.len()) + foreign).max(now + 1) } else { now };
    Readers { now, during, after: count(wanted.packs.len()) + foreign, foreign }
}
