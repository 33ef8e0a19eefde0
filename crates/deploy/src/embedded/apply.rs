//! Makes the embedded engine run a pack: names it, and waits until the engine has taken over to it.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use weir_arroyo::{Action, history::Engine};
use weir_terminal::interrupted;

use super::{
    compare::Comparison,
    contract::{Observed, RunningPack, WantedPack},
    service::Service,
};
use crate::{
    apply::{Asked, Done, record},
    confirm,
};

/// How far behind the tip of its streams a program may be that counts as caught up, where nothing else runs.
const CAUGHT_UP_MILLIS: u64 = 10_000;

/// Shows the plan, asks, does it, and says what was done.
pub(crate) async fn carry_out(asked: &Asked, service: &Service, compared: &Comparison) -> Result<()> {
    if !asked.json {
        print!("{}", compared.text());
    }
    let done = if asked.dry_run {
        Done { changed: false, number: None }
    } else {
        if !compared.plan.is_empty() {
            confirm(&format!("Apply this to {}?", service.environment), asked.yes)?;
        }
        apply(asked, service, compared).await?
    };
    asked.say(&service.environment, done, compared.json())
}

async fn apply(asked: &Asked, service: &Service, compared: &Comparison) -> Result<Done> {
    let lock = service.ledger.lock(&service.environment).await?;
    lock.hold(async {
        let changed = !compared.plan.is_empty();
        if changed {
            tokio::select! {
                done = take_over(asked, service, compared) => done?,
                stopped = interrupted() => {
                    return Err(stopped.context("applying broke off; the engine goes on with it, and applying again waits for it"));
                }
            }
        }
        let packs = std::slice::from_ref(&compared.pack);
        let number = record(asked, &service.ledger, &service.environment, Engine::Embedded, 1, packs).await?;
        Ok(Done { changed, number })
    })
    .await
}

/// Names the pack, and waits. What goes wrong before it runs leaves what ran, and names that again.
async fn take_over(asked: &Asked, service: &Service, compared: &Comparison) -> Result<()> {
    let begun = Instant::now();
    let hash = service.upload(&compared.pack.program).await?;
    let wanted = service.want(Some(hash.clone())).await?;
    let say = |line: &str| eprintln!("[{:>4} s] {line}", begun.elapsed().as_secs());
    say(&format!("{hash} is named to the engine"));
    let ended = wait(asked, service, &wanted, &say).await;
    let Err(error) = ended else { return Ok(()) };
    let before = compared.before.as_ref().and_then(|before| before.pack.clone());
    if before.as_ref() == Some(&hash) || compared.plan.packs.iter().any(|pack| pack.action == Action::Repaired) {
        // There is nothing else to go back to.
        return Err(error);
    }
    let what =
        before.as_ref().map_or_else(|| "no rules".to_owned(), |before| format!("pack {before}, which ran before,"));
    service.want(before).await?;
    Err(anyhow!("{error:#}\n  hint: {what} is wanted again"))
}

async fn wait(asked: &Asked, service: &Service, wanted: &WantedPack, say: &impl Fn(&str)) -> Result<()> {
    let starts = asked.patience.start();
    let silent = || format!("the engine did not start it within {} s", starts.as_secs());
    service.wait(starts, silent, |observed| started(observed, wanted)).await?;
    say("it runs");
    let catches_up = asked.patience.catch_up();
    let behind = || format!("it did not catch up within {} s", catches_up.as_secs());
    let mut told = Instant::now();
    service
        .wait(catches_up, behind, |observed| {
            let coming = observed.coming.as_ref().or(observed.running.as_ref()).and_then(|coming| coming.lag_millis);
            if let Some(lag) = coming.filter(|_| told.elapsed() > SAY_EVERY) {
                told = Instant::now();
                say(&format!("it is {} s behind", lag / 1000));
            }
            taken_over(observed, wanted)
        })
        .await?;
    say("it has taken over");
    Ok(())
}

/// How often the lag is told.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Whether the engine runs what is wanted, in any role.
fn started(observed: &Observed, wanted: &WantedPack) -> Result<Option<()>> {
    if observed.wanted.as_ref() != Some(&wanted.id) {
        return Ok(None);
    }
    if let Some(refused) = observed.refused.as_ref().filter(|refused| refused.wanted == wanted.id) {
        return Err(anyhow!("the engine refuses it: {}", refused.reason));
    }
    let packs = [&observed.running, &observed.coming];
    Ok(packs.into_iter().flatten().any(|one| Some(&one.pack) == wanted.pack.as_ref()).then_some(()))
}

/// Whether it is what runs, has a whole checkpoint and is at the tip.
fn taken_over(observed: &Observed, wanted: &WantedPack) -> Result<Option<()>> {
    if started(observed, wanted)?.is_none() || observed.coming.is_some() {
        return Ok(None);
    }
    let there = observed.running.as_ref().filter(|running| Some(&running.pack) == wanted.pack.as_ref());
    let ready = |running: &RunningPack| {
        // One that goes on from its state writes no checkpoint before it has read something.
        (running.checkpoints > 0 || running.records == 0)
            && running.lag_millis.is_some_and(|lag| lag <= CAUGHT_UP_MILLIS)
    };
    Ok(there.is_some_and(ready).then_some(()))
}

#[cfg(test)]
mod tests {
    use super::super::contract::RefusedPack;
    use super::*;

    #[test]
    fn it_has_taken_over_when_it_runs_alone_with_a_checkpoint_at_the_tip() {
        let wanted =
            WantedPack { id: "2".to_owned(), pack: Some("b".to_owned()), at: String::new(), by: String::new() };
        let pack = |pack: &str, checkpoints, lag_millis| {
            Some(RunningPack { pack: pack.to_owned(), checkpoints, lag_millis, records: 1, ..RunningPack::default() })
        };
        let seen = Observed { wanted: Some("2".to_owned()), ..Observed::default() };
        let over = |observed: &Observed| taken_over(observed, &wanted).unwrap().is_some();
        let well = Observed { running: pack("b", 1, Some(0)), ..seen.clone() };
        assert!(over(&well));
        for not in [
            Observed { wanted: Some("1".to_owned()), ..well.clone() },
            Observed { running: pack("a", 1, Some(0)), ..well.clone() },
            Observed { running: pack("b", 0, Some(0)), ..well.clone() },
            Observed { running: pack("b", 1, None), ..well.clone() },
            Observed { running: pack("b", 1, Some(60_000)), ..well.clone() },
            Observed { running: pack("a", 1, Some(0)), coming: pack("b", 1, Some(0)), ..seen.clone() },
        ] {
            assert!(!over(&not), "{not:?}");
        }
        let silent = RunningPack { pack: "b".to_owned(), lag_millis: Some(0), ..RunningPack::default() };
        assert!(over(&Observed { running: Some(silent), ..seen.clone() }), "what was read before is in its state");
        let refused = RefusedPack { wanted: "2".to_owned(), pack: "b".to_owned(), reason: "no".to_owned() };
        let refusing = Observed { refused: Some(refused), ..seen };
        assert_eq!(taken_over(&refusing, &wanted).unwrap_err().to_string(), "the engine refuses it: no");
    }
}
