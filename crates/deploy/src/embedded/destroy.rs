//! Ends the rules of the embedded engine; its task stays, and waits for others.

use std::time::Duration;

use anyhow::Result;
use weir_terminal::interrupted;

use super::service::Service;
use crate::confirm;

/// How long the engine may take to write its last checkpoint and say so: what the task definition gives it to stop, and its next word.
const STOP: Duration = Duration::from_secs(180);

/// Names no pack, and waits until none runs.
pub(crate) async fn destroy(service: &Service, yes: bool) -> Result<()> {
    let environment = &service.environment;
    let wanted = service.wanted().await?.and_then(|wanted| wanted.pack);
    let running = service.observed().await?.and_then(|observed| observed.running).map(|running| running.pack);
    let Some(pack) = running.or(wanted) else {
        println!("{environment}: no rules are deployed");
        return Ok(());
    };
    eprintln!(
        "The rules of pack {pack} end. The engine's task stays, and its state is kept: applying the same rules goes on from it."
    );
    eprintln!(
        "Events go on arriving and nothing looks at them; a later `weir apply` reads what the stream still keeps."
    );
    confirm(&format!("End the rules of {environment}?"), yes)?;
    let lock = service.ledger.lock(environment).await?;
    lock.hold(async {
        let wanted = service.want(None).await?;
        let what = || format!("the engine did not end them within {} s", STOP.as_secs());
        let ended = service.wait(STOP, what, |observed| {
            let none = observed.running.is_none() && observed.coming.is_none();
            Ok((none && observed.wanted.as_ref() == Some(&wanted.id)).then_some(()))
        });
        tokio::select! {
            ended = ended => ended,
            stopped = interrupted() => Err(stopped.context("destroying broke off; the engine goes on with it")),
        }
    })
    .await?;
    println!("{environment}: the rules ended");
    Ok(())
}
