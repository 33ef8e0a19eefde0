//! The check that a deploy runs once: a wrong name or a missing permission stops the deploy and not the first minute.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use weir_anomaly::Timestamp;
use weir_lambda::{PERMISSION_PAUSE, PERMISSIONS_WITHIN, RESERVE};

use crate::{
    Heartbeat,
    ports::{ControlRecord, Fault},
};

/// Stands in for a pipeline's id where restarts are counted, so that the check costs no pipeline one.
const CHECK_PIPELINE: &str = "#check";

/// What to look at when shards cannot be listed, and when a record cannot be put.
const EVENTS_HINTS: [&str; 2] =
    ["check WEIR_EVENTS_STREAM and the permission kinesis:ListShards", "check the permission kinesis:PutRecords"];
const FURTHER_HINTS: [&str; 2] =
    ["check WEIR_HEARTBEAT_STREAMS and the permission kinesis:ListShards", "check the permission kinesis:PutRecords"];

/// Why the check fails.
#[derive(Debug, thiserror::Error)]
#[error("{part} does not work: {fault}{waited}\nhint: {hint}")]
pub struct CheckError {
    part: &'static str,
    fault: Fault,
    waited: String,
    hint: &'static str,
}

/// Up to when a call that is denied is made again.
struct Wait {
    begun: Instant,
    until: Instant,
}

impl Heartbeat {
    /// Makes every call that a beat makes. What it leaves: one control record without a time, which no rule sees and which
    /// moves no event time, and, with Arroyo, a count of restarts that belongs to no pipeline. `left` is what the invocation
    /// has left. Returns what Arroyo said when it did not answer: a cluster comes up after the function, so that
    /// fails no deploy.
    ///
    /// # Errors
    /// When the stream, the table or the secret does not answer, or does not allow a call within half a minute.
    pub async fn check(&self, now: Timestamp, left: Duration) -> Result<Option<Fault>, CheckError> {
        let begun = Instant::now();
        let wait = Wait { begun, until: begun + PERMISSIONS_WITHIN.min(left.saturating_sub(RESERVE)) };
        let further = self.further.iter().map(|(_, stream)| (stream, "a further stream", FURTHER_HINTS));
        for (stream, part, hints) in std::iter::once((&self.stream, "the events stream", EVENTS_HINTS)).chain(further) {
            let shards =
                wait.once_allowed(async || stream.open_shards().await).await.map_err(wait.failed(part, hints[0]))?;
            let record = shards
                .into_iter()
                .take(1)
                .map(|hash_key| ControlRecord { hash_key, data: json!({"weir": "heartbeat"}).to_string() });
            let record: Vec<_> = record.collect();
            // What a busy shard does not take is no matter of configuration.
            wait.once_allowed(async || stream.put(record.clone()).await).await.map_err(wait.failed(part, hints[1]))?;
        }
        wait.once_allowed(async || self.notes.last_probe().await)
            .await
            .map_err(wait.failed("the table", "check WEIR_TABLE_NAME and the permission dynamodb:GetItem"))?;
        let Some(pipelines) = &self.pipelines else { return Ok(None) };
        let hour = now.millis().div_euclid(3_600_000);
        wait.once_allowed(async || self.notes.count_restart(CHECK_PIPELINE, hour).await)
            .await
            .map_err(wait.failed("the table", "check the permission dynamodb:UpdateItem"))?;
        wait.once_allowed(async || pipelines.authorize().await).await.map_err(wait.failed(
            "Arroyo's API key",
            "check WEIR_ARROYO_API_KEY_SECRET and the permission secretsmanager:GetSecretValue",
        ))?;
        Ok(pipelines.list().await.err())
    }
}

impl Wait {
    /// Makes a call, and makes it again while it is denied: on AWS a new role's permissions reach each service some seconds
    /// after the role.
    async fn once_allowed<R>(&self, call: impl AsyncFn() -> Result<R, Fault>) -> Result<R, Fault> {
        loop {
            let answer = call().await;
            if !matches!(answer, Err(Fault::Denied(_))) || Instant::now() + PERMISSION_PAUSE > self.until {
                return answer;
            }
            tokio::time::sleep(PERMISSION_PAUSE).await;
        }
    }

    fn failed(&self, part: &'static str, hint: &'static str) -> impl FnOnce(Fault) -> CheckError {
        let begun = self.begun;
        move |fault| {
            let waited = match fault {
                Fault::Denied(_) => format!(" (still, after {} s)", begun.elapsed().as_secs()),
                _ => String::new(),
            };
            CheckError { part, fault, waited, hint }
        }
    }
}
