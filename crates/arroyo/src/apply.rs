//! Makes a cluster what is wanted: new pipelines start beside the old ones, and only when they do their work the old ones end.
//!
//! Every step looks first and then acts, so that it does not matter where an earlier run ended: the same command again goes
//! on from there. A pipeline of a wanted pack is stopped only while another copy of the pack was just seen to run.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::{
    ArroyoError, Fault,
    api::{JobState, NewPipeline, Stop},
    applier::Applier,
    cluster::{Cluster, Deployed},
    pack::Pack,
    plan::{Wanted, plan},
    wait::{self, Bring},
};

/// Tries to make a pipeline whose fate is unknown after a fault.
const CREATE_ATTEMPTS: usize = 3;
/// Looks at the whole after the work is done: a pipeline that was thought lost may appear late.
const ROUNDS: usize = 4;
/// Tries to delete a pipeline that somebody starts again.
const RETIRE_ATTEMPTS: usize = 3;

impl Applier<'_> {
    /// Makes the cluster what is wanted and says whether that changed anything.
    ///
    /// # Errors
    /// What stood in the way. A pipeline that ran before and is still wanted in any version then still runs; applying
    /// again goes on.
    pub async fn apply(&self, wanted: &Wanted) -> Result<bool, ArroyoError> {
        let mut cluster = Cluster::observe(self.client, &wanted.environment).await?;
        // Those of the wanted version that a reshard has made old: known by their ids, so that what replaces them is not.
        let stale: BTreeSet<String> = if wanted.after_reshard {
            cluster.ours.iter().map(|deployed| deployed.pipeline.id.clone()).collect()
        } else {
            BTreeSet::new()
        };
        let mut changed = false;
        for _ in 0..ROUNDS {
            if plan(&Wanted { after_reshard: false, ..wanted.clone() }, &cluster).is_empty()
                && !cluster.ours.iter().any(|deployed| stale.contains(&deployed.pipeline.id))
            {
                return Ok(changed);
            }
            changed = true;
            for pack in &wanted.packs {
                self.settle(wanted, pack, &stale).await?;
            }
            let unwanted = |d: &&Deployed| !wanted.packs.iter().any(|pack| pack.name == d.name.pack);
            for deployed in cluster.ours.iter().filter(unwanted) {
                self.retire(deployed, Stop::Checkpoint).await?;
            }
            cluster = Cluster::observe(self.client, &wanted.environment).await?;
        }
        Err(ArroyoError::new(Fault::Unhealthy, "apply", "the cluster changes while it is being changed")
            .hint("does somebody else, or another tool, make or start pipelines there? then apply again"))
    }

    /// Ends every one of Weir's pipelines of an environment and says how many there were.
    ///
    /// # Errors
    /// What stood in the way; what is left is still listed.
    pub async fn destroy(&self, environment: &str) -> Result<usize, ArroyoError> {
        let cluster = Cluster::observe(self.client, environment).await?;
        for deployed in &cluster.ours {
            self.retire(deployed, Stop::Checkpoint).await?;
        }
        Ok(cluster.ours.len())
    }

    /// One pack: the right pipeline does its work, then all its others end.
    async fn settle(&self, wanted: &Wanted, pack: &Pack, stale: &BTreeSet<String>) -> Result<(), ArroyoError> {
        let name = wanted.name(pack);
        let mut cluster = Cluster::observe(self.client, &wanted.environment).await?;
        // What a reshard made old may be ended, but is never the one to keep.
        let mut fresh = cluster.clone();
        fresh.ours.retain(|deployed| !stale.contains(&deployed.pipeline.id));
        let found = fresh.keeper(&name).cloned();
        let others_run = |cluster: &Cluster, keeper: &str| {
            cluster.of(&pack.name).find(|d| d.pipeline.id != keeper && d.is_running()).cloned()
        };
        let made = found.is_none();
        let keeper = match found {
            Some(deployed) => deployed.pipeline.id,
            None => self.create(wanted, pack, &cluster).await?,
        };
        let other = others_run(&cluster, &keeper);
        let bring = Bring { id: &keeper, name: &name, wanted, made, beside: other.as_ref() };
        if let Err(error) = wait::bring_up(self, bring).await {
            return Err(if made { self.give_up(&keeper, other.as_ref(), error).await } else { error });
        }
        cluster = Cluster::observe(self.client, &wanted.environment).await?;
        for deployed in cluster.of(&pack.name).filter(|deployed| deployed.pipeline.id != keeper) {
            // Seen just now, for each: nothing that runs is stopped on a memory.
            let job = self.client.job(&keeper).await?;
            if !job.as_ref().is_some_and(|job| job.state == JobState::Running) {
                let state = job.map_or_else(|| "gone".to_owned(), |job| job.state.name().to_owned());
                let cause = format!("the new pipeline {keeper} is {state} again, so the old one was left running");
                return Err(ArroyoError::new(Fault::Unhealthy, format!("switch to {name}"), cause)
                    .hint("`weir status` says why; applying again goes on from here"));
            }
            self.retire(deployed, Stop::Checkpoint).await?;
        }
        Ok(())
    }

    /// Makes a pack's pipeline. After a fault that leaves its fate open it is looked for before it is made again.
    async fn create(&self, wanted: &Wanted, pack: &Pack, before: &Cluster) -> Result<String, ArroyoError> {
        let name = wanted.name(pack).to_string();
        let known: BTreeSet<&str> = before.ours.iter().map(|deployed| deployed.pipeline.id.as_str()).collect();
        let new = NewPipeline {
            name: name.clone(),
            query: pack.program.clone(),
            udfs: pack.udfs.clone(),
            parallelism: wanted.parallelism,
            checkpoint_interval_micros: wanted.interval_micros(),
        };
        let compiled =
            if pack.udfs.is_empty() { "" } else { "; its functions are compiled first, which can take minutes" };
        (self.progress)(&format!("start {name}{compiled}"));
        let mut attempt = 1;
        loop {
            let error = match self.client.create(&new).await {
                Ok(pipeline) => return Ok(pipeline.id),
                Err(error) if error.kind == Fault::Retryable => error,
                Err(error) => return Err(error.hint("nothing was changed: what ran still runs")),
            };
            (self.progress)(&format!("it is not known whether {name} was made ({}); looking for it", error.cause));
            let until = Instant::now() + self.patience.settle;
            loop {
                let all = self.client.pipelines().await?;
                let made = all
                    .into_iter()
                    .find(|p| p.name == name && !known.contains(p.id.as_str()) && p.content_hash() == pack.hash());
                if let Some(pipeline) = made {
                    return Ok(pipeline.id);
                }
                if Instant::now() >= until {
                    break;
                }
                tokio::time::sleep(self.patience.poll).await;
            }
            if attempt == CREATE_ATTEMPTS {
                return Err(error.hint("what ran still runs; apply again when Arroyo is well"));
            }
            attempt += 1;
        }
    }

    /// Ends a new pipeline that did not come up, and says how things stand.
    async fn give_up(&self, id: &str, old: Option<&Deployed>, error: ArroyoError) -> ArroyoError {
        (self.progress)(&format!("give up {id}: {}", error.cause));
        let left = match self.client.pipeline(id).await {
            Ok(pipeline) => {
                let name = pipeline.name.parse();
                match name {
                    Ok(name) => {
                        let content = pipeline.content_hash();
                        let job = self.client.job(id).await.ok().flatten();
                        self.retire(&Deployed { pipeline, name, content, job }, Stop::Immediate).await.err()
                    }
                    Err(()) => None,
                }
            }
            Err(fault) if fault.kind == Fault::Absent => None,
            Err(fault) => Some(fault),
        };
        let stands = match old {
            Some(old) => format!("the old pipeline {} still runs", old.pipeline.id),
            None => "no version of the pack runs".to_owned(),
        };
        let left = left.map_or_else(
            || "the new one is deleted".to_owned(),
            |fault| format!("the new one, {id}, could not be deleted ({}): apply again", fault.cause),
        );
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        let said = format!("{stands}; {left}{hint}");
        error.hint(said)
    }

    /// Stops a pipeline, waits for its end, deletes it.
    async fn retire(&self, deployed: &Deployed, how: Stop) -> Result<(), ArroyoError> {
        let id = &deployed.pipeline.id;
        (self.progress)(&format!("stop {} ({id})", deployed.name));
        let mut refused = None;
        for _ in 0..RETIRE_ATTEMPTS {
            if !self.stopped(id, how).await? {
                return Ok(());
            }
            match self.client.delete(id).await {
                // Somebody, the heartbeat perhaps, started it again in between.
                Err(error) if error.kind == Fault::Refused => refused = Some(error),
                done => return done,
            }
        }
        let error =
            refused.unwrap_or_else(|| ArroyoError::new(Fault::Unhealthy, format!("stop {id}"), "it does not stop"));
        Err(error.hint("who starts it again? then apply again"))
    }

    /// Waits until a pipeline has stopped; `false` when it is gone altogether.
    async fn stopped(&self, id: &str, how: Stop) -> Result<bool, ArroyoError> {
        let begun = Instant::now();
        let mut asked: Option<Stop> = None;
        loop {
            let (pipeline, job) = match self.look(id).await? {
                Some(found) => found,
                None => return Ok(false),
            };
            let state = job.as_ref().map(|job| job.state.clone());
            let terminal = state.as_ref().is_none_or(JobState::is_terminal);
            // A pipeline that has stopped but was told to run is about to.
            if terminal && (pipeline.stop != Stop::None || matches!(state, None | Some(JobState::Finished))) {
                return Ok(true);
            }
            let late = begun.elapsed() > self.patience.stop;
            if begun.elapsed() > self.patience.stop * 2 {
                let state = state.map_or_else(|| "without a job".to_owned(), |state| state.name().to_owned());
                let cause = format!("it is still {state} after {} s", begun.elapsed().as_secs());
                return Err(ArroyoError::new(Fault::Unhealthy, format!("stop pipeline {id}"), cause)
                    .hint("look at Arroyo's log; then apply again"));
            }
            // Never `force`: Arroyo 0.15 cannot take it while it writes the last checkpoint.
            let order = if late { Stop::Immediate } else { how };
            if asked != Some(order) || pipeline.stop == Stop::None {
                match self.client.stop(id, order).await {
                    Err(error) if error.kind == Fault::Absent => return Ok(false),
                    done => done?,
                }
                if late && asked.is_some() && asked != Some(order) {
                    (self.progress)(&format!("{id} writes no last checkpoint; it is stopped without one"));
                }
                asked = Some(order);
                continue;
            }
            tokio::time::sleep(self.patience.poll).await;
        }
    }
}
