//! When a pipeline does its work: it runs, a checkpoint is whole, and it is as far as the one that it replaces.

use tokio::time::Instant;

use crate::{
    ArroyoError, Fault,
    api::{JobState, Patch, Stop},
    applier::Applier,
    client::Rates,
    cluster::Deployed,
    pack::PipelineName,
    plan::Wanted,
    status::UNSAID,
};

/// Runs that a job may begin before it is held to be in a loop: Arroyo itself gives up after 20.
const RUNS: u64 = 4;
/// Looks in a row at which a new pipeline is no faster than the old one: then it only reads what comes in.
const EVEN_LOOKS: u32 = 3;
/// A new pipeline that reads this much faster than the old one is still catching up.
const FASTER: f64 = 1.25;
/// Events a second within which two rates are the same.
const NOISE: f64 = 2.0;
/// Fuller queues than this mean that a pipeline cannot follow its source.
const FULL: f64 = 0.5;
/// Errors that are shown when a pipeline does not come up.
const ERRORS: usize = 3;

/// A pipeline to bring up.
pub(crate) struct Bring<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a PipelineName,
    pub(crate) wanted: &'a Wanted,
    /// It was made just now.
    pub(crate) made: bool,
    /// The running pipeline that it is to replace.
    pub(crate) beside: Option<&'a Deployed>,
}

/// Returns when the pipeline does its work. What is wrong with it is put right first.
pub(crate) async fn bring_up(applier: &Applier<'_>, bring: Bring<'_>) -> Result<(), ArroyoError> {
    let begun = Instant::now();
    let mut touched = bring.made;
    let mut restarted: Option<Instant> = None;
    let mut floor: Option<u64> = None;
    let mut first_run: Option<u64> = None;
    loop {
        let Some((pipeline, Some(job))) = applier.look(bring.id).await? else {
            if begun.elapsed() > applier.patience.settle {
                return Err(fault(&bring, "it is gone: somebody else deleted it"));
            }
            tokio::time::sleep(applier.patience.poll).await;
            continue;
        };
        let patch = Patch {
            parallelism: pipeline
                .parallelism()
                .filter(|p| *p != bring.wanted.parallelism)
                .map(|_| bring.wanted.parallelism),
            checkpoint_interval_micros: bring
                .wanted
                .interval_micros()
                .filter(|wanted| *wanted != pipeline.checkpoint_interval_micros),
            stop: (pipeline.stop != Stop::None && !matches!(job.state, JobState::Stopping(_))).then_some(Stop::None),
        };
        if patch != Patch::default() {
            (applier.progress)(&format!("put right {} ({})", bring.name, bring.id));
            floor = latest(applier, &bring, &job.id).await?;
            applier.client.patch(bring.id, patch).await?;
            touched = true;
            continue;
        }
        let first = *first_run.get_or_insert(job.run_id);
        match &job.state {
            JobState::Running if !touched && bring.beside.is_none() => return Ok(()),
            JobState::Running => {
                let whole = latest(applier, &bring, &job.id).await?;
                if whole.is_some_and(|epoch| floor.is_none_or(|floor| epoch > floor)) {
                    return caught_up(applier, &bring).await;
                }
            }
            JobState::Failed => {
                let waited = restarted.map(|at| at.elapsed() > applier.patience.settle);
                match waited {
                    None if !bring.made => {
                        (applier.progress)(&format!("restart {} ({}), which has failed", bring.name, bring.id));
                        floor = latest(applier, &bring, &job.id).await?;
                        applier.client.restart(bring.id).await?;
                        restarted = Some(Instant::now());
                        touched = true;
                        first_run = None;
                        continue;
                    }
                    // The order may not have been read yet.
                    Some(false) => {}
                    _ => return Err(failed(applier, &bring, &job.id, job.failure()).await),
                }
            }
            JobState::Finished => return Err(fault(&bring, "its sources have ended: it can never run again")),
            JobState::Starting(_) | JobState::Stopping(_) | JobState::Stopped | JobState::Unknown(_) => touched = true,
        }
        if job.run_id >= first + RUNS {
            let cause = format!("it starts again and again ({} times)", job.run_id - first);
            return Err(failed(applier, &bring, &job.id, Some(cause)).await);
        }
        if begun.elapsed() > applier.patience.start {
            let waited = begun.elapsed().as_secs();
            let cause = match job.state {
                JobState::Running => format!("no checkpoint was whole within {waited} s"),
                state => format!("it is still {} after {waited} s", state.name()),
            };
            return Err(failed(applier, &bring, &job.id, Some(cause)).await);
        }
        tokio::time::sleep(applier.patience.poll).await;
    }
}

/// The newest whole checkpoint.
async fn latest(applier: &Applier<'_>, bring: &Bring<'_>, job: &str) -> Result<Option<u64>, ArroyoError> {
    let all = applier.client.checkpoints(bring.id, job).await?;
    Ok(all.into_iter().filter(|c| c.finish_time.is_some_and(|t| t > 0)).map(|c| c.epoch).max())
}

/// Returns when the new pipeline reads no faster than the old one. Arroyo tells no position in a stream and no lag, only
/// rates: a pipeline that has a backlog reads as fast as it can, one that has none reads what comes in, as the old one does.
async fn caught_up(applier: &Applier<'_>, bring: &Bring<'_>) -> Result<(), ArroyoError> {
    let Some(old) = bring.beside else { return Ok(()) };
    let begun = Instant::now();
    let mut even = 0;
    let mut told: Option<Instant> = None;
    loop {
        let Some((pipeline, Some(job))) = applier.look(bring.id).await? else {
            return Err(fault(bring, "it is gone: somebody else deleted it"));
        };
        match &job.state {
            JobState::Running | JobState::Starting(_) => {}
            state => {
                let cause = job.failure().unwrap_or_else(|| format!("it is {}", state.name()));
                return Err(failed(applier, bring, &job.id, Some(cause)).await);
            }
        }
        // Nothing is waited for when the old one runs no longer: there is nothing to be as far as.
        let Some((_, Some(old_job))) = applier.look(&old.pipeline.id).await? else { return Ok(()) };
        if old_job.state != JobState::Running {
            return Ok(());
        }
        let new_rates = rates(applier, &pipeline, &job.id).await;
        let old_rates = rates(applier, &old.pipeline, &old_job.id).await;
        match (new_rates, old_rates) {
            (Some(new), Some(old)) => {
                let keeps_up = job.state == JobState::Running && is_even(new, old);
                even = if keeps_up { even + 1 } else { 0 };
                if even >= EVEN_LOOKS {
                    return Ok(());
                }
                if told.is_none_or(|at| at.elapsed() > applier.patience.settle) {
                    (applier.progress)(&format!(
                        "catching up: the new pipeline reads {:.0} events/s, the old one {:.0}",
                        new.events_per_second, old.events_per_second
                    ));
                    told = Some(Instant::now());
                }
            }
            // The first figures come after two readings, 2 s apart.
            _ if begun.elapsed() > applier.patience.settle => {
                (applier.progress)("arroyo measures no rates: whether the new pipeline has caught up is not known");
                return Ok(());
            }
            _ => {}
        }
        if begun.elapsed() > applier.patience.catch_up {
            let cause = format!("it has not caught up within {} s", begun.elapsed().as_secs());
            return Err(fault(bring, &cause).hint("give it longer with --catch-up, or a larger task"));
        }
        tokio::time::sleep(applier.patience.poll).await;
    }
}

fn is_even(new: Rates, old: Rates) -> bool {
    let faster = new.events_per_second > old.events_per_second * FASTER + NOISE;
    // At its start a pipeline has read nothing yet.
    let idle = new.events_per_second * FASTER + NOISE < old.events_per_second;
    !faster && !idle && new.backpressure < FULL
}

async fn rates(applier: &Applier<'_>, pipeline: &crate::api::Pipeline, job: &str) -> Option<Rates> {
    applier.client.rates(pipeline, job).await.ok().flatten()
}

fn fault(bring: &Bring<'_>, cause: &str) -> ArroyoError {
    ArroyoError::new(Fault::Unhealthy, format!("start {} ({})", bring.name, bring.id), cause)
}

/// With what the job itself says.
async fn failed(applier: &Applier<'_>, bring: &Bring<'_>, job: &str, cause: Option<String>) -> ArroyoError {
    let mut said: Vec<String> = cause.into_iter().collect();
    let errors = applier.client.errors(bring.id, job, ERRORS).await.unwrap_or_default();
    let unsaid = errors.is_empty();
    for error in errors {
        if !said.iter().any(|one| one.contains(&error.message)) {
            said.push(error.message);
        }
    }
    if said.is_empty() {
        said.push("arroyo says no reason".to_owned());
    }
    let fault = fault(bring, &said.join("; "));
    if unsaid { fault.hint(UNSAID) } else { fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_has_caught_up_when_it_reads_what_comes_in_and_no_more() {
        let rates = |events_per_second, backpressure| Rates { events_per_second, backpressure };
        assert!(is_even(rates(1000.0, 0.0), rates(1010.0, 0.0)));
        assert!(is_even(rates(0.0, 0.0), rates(0.02, 0.0)), "a stream with nothing but heartbeats");
        assert!(!is_even(rates(27_000.0, 0.0), rates(1000.0, 0.0)), "it still reads a backlog");
        assert!(!is_even(rates(0.0, 0.0), rates(1000.0, 0.0)), "it has not begun");
        assert!(!is_even(rates(1000.0, 0.9), rates(1000.0, 0.0)), "it cannot follow its source");
    }
}
