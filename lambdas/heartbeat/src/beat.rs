//! One beat: control records out, the last probe looked up, pipelines looked after.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use weir_anomaly::Timestamp;
use weir_lambda::{RESERVE, buffered, line::Line};

use crate::{
    config::Time,
    ports::{Arrival, ControlRecord, Fault, Notes, Pipeline, Pipelines, Stream},
};

/// Attempts to put what a shard did not take; a throttled shard takes it within a second.
const ATTEMPTS: usize = 4;
/// Between the attempts; doubled each time.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Restarts of one pipeline in one hour. Arroyo itself has tried 20 times before it gives up; past three more, a person has
/// to look.
const MAX_RESTARTS_PER_HOUR: i64 = 3;

/// Further streams that are beaten at once: fifty are done in a second, and none of them opens fifty connections.
const FURTHER_AT_ONCE: usize = 8;
/// One further stream has so long: what takes longer is lost for this minute, and the others wait for it.
const FURTHER_TIMEOUT: Duration = Duration::from_secs(10);

/// The heartbeat over its ports.
pub struct Heartbeat {
    /// The events stream: heartbeats and probes.
    pub stream: Arc<dyn Stream>,
    /// Further streams, by name or ARN: heartbeats alone.
    pub further: Vec<(String, Arc<dyn Stream>)>,
    /// The table.
    pub notes: Arc<dyn Notes>,
    /// Arroyo, when it can be reached.
    pub pipelines: Option<Arc<dyn Pipelines>>,
    /// Which event time control records carry.
    pub time: Time,
    /// The pause before a second attempt: [`FIRST_PAUSE`], or none in a test.
    pub pause: Duration,
}

/// What one beat did and found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Control records that the stream took.
    pub put: u64,
    /// How old the newest probe is that arrived, milliseconds since it was put; `None`: none ever arrived.
    pub probe_age_ms: Option<i64>,
    /// How long that probe took.
    pub probe_ms: Option<i64>,
    /// Further streams of which a shard took no control record; `None`: there are no further streams.
    pub streams_failed: Option<u64>,
    /// Pipelines as Arroyo told; `None`: it was not asked, or did not answer.
    pub pipelines: Option<Vec<Pipeline>>,
    /// Age of the last checkpoint, milliseconds; of the running pipeline whose is the oldest.
    pub checkpoint_age_ms: Option<i64>,
    /// Names of the pipelines that were started again.
    pub restarted: Vec<String>,
    /// What went wrong. The beat goes on: a broken Arroyo must not stop event time.
    pub faults: Vec<String>,
}

impl Heartbeat {
    /// Does what is due each minute. `beat_id` makes the probe's id; `left` is what the invocation has left.
    ///
    /// # Errors
    /// When not every open shard of the events stream took its control record: event time may stand still, and that has to be
    /// seen as a failure of the function. A further stream that takes nothing is a metric of its own: the path from event to
    /// alert is as well as before, and a function that fails says that it is not.
    pub async fn beat(&self, beat_id: &str, now: Timestamp, left: Duration) -> Result<Beat, (Beat, Fault)> {
        let until = Instant::now() + left.saturating_sub(RESERVE);
        // Time goes on first, on every stream: nothing else that hangs may stop it.
        let (last, (mut beat, result), further) = tokio::join!(
            within(until, self.notes.last_probe()),
            self.put_within(until, self.stream.as_ref(), Some(beat_id), now),
            self.beat_further(until, now),
        );
        for (name, (part, result)) in self.further.iter().map(|(name, _)| name).zip(further) {
            beat.put += part.put;
            beat.faults.extend(part.faults.into_iter().map(|fault| format!("{name}: {fault}")));
            let failed = beat.streams_failed.get_or_insert_default();
            if let Err(fault) = result {
                *failed += 1;
                beat.faults.push(format!("{name}: {fault}"));
            }
        }
        tell_probe(last, now, &mut beat);
        if let Some(pipelines) = &self.pipelines
            && let Err(fault) = within(until, self.look_after(pipelines.as_ref(), now, &mut beat)).await
        {
            beat.faults.push(format!("arroyo: {fault}"));
        }
        match result {
            Ok(()) => Ok(beat),
            Err(fault) => Err((beat, fault)),
        }
    }

    /// Beats the further streams, some at once, each in its own time: one that hangs or takes nothing stops no other.
    async fn beat_further(&self, until: Instant, now: Timestamp) -> Vec<(Beat, Result<(), Fault>)> {
        let calls = self.further.iter().map(|(_, stream)| async move {
            let until = until.min(Instant::now() + FURTHER_TIMEOUT);
            self.put_within(until, stream.as_ref(), None, now).await
        });
        buffered(calls, FURTHER_AT_ONCE).await
    }

    async fn put_within(
        &self,
        until: Instant,
        stream: &dyn Stream,
        probe_id: Option<&str>,
        now: Timestamp,
    ) -> (Beat, Result<(), Fault>) {
        let mut beat = Beat::default();
        let result = within(until, self.put(stream, probe_id, now, &mut beat)).await;
        (beat, result)
    }

    async fn put(
        &self,
        stream: &dyn Stream,
        probe_id: Option<&str>,
        now: Timestamp,
        beat: &mut Beat,
    ) -> Result<(), Fault> {
        let shards = stream.open_shards().await?;
        let mut open = self.records(&shards, probe_id, now);
        let (all, before) = (open.len(), beat.put);
        let mut pause = self.pause;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            match stream.put(open.clone()).await {
                Ok(refused) => open = refused,
                Err(fault @ (Fault::Configuration(_) | Fault::Denied(_))) => return Err(fault),
                Err(fault) => beat.faults.push(format!("put: {fault}")),
            }
            beat.put = before + (all - open.len()) as u64;
            if open.is_empty() {
                return Ok(());
            }
        }
        Err(Fault::Retryable(format!("{} of {all} control records were not taken", open.len())))
    }

    /// One heartbeat a shard, and one probe: on another shard each minute, so that a shard that nobody reads is found.
    fn records(&self, shards: &[String], probe_id: Option<&str>, now: Timestamp) -> Vec<ControlRecord> {
        let with_time = |mut record: Value| {
            if self.time == Time::Wall
                && let Some(fields) = record.as_object_mut()
            {
                fields.insert("timestamp".to_owned(), json!(now.to_rfc3339_millis()));
            }
            record.to_string()
        };
        let mut records: Vec<ControlRecord> = shards
            .iter()
            .map(|hash_key| ControlRecord { hash_key: hash_key.clone(), data: with_time(json!({"weir": "heartbeat"})) })
            .collect();
        let minute = usize::try_from(now.millis().div_euclid(60_000)).unwrap_or_default();
        if let (Some(hash_key), Some(probe_id)) = (shards.get(minute % shards.len().max(1)), probe_id) {
            records.push(ControlRecord {
                hash_key: hash_key.clone(),
                data: with_time(json!({"weir": "probe", "probe_id": probe_id, "sent_at": now.to_rfc3339_millis()})),
            });
        }
        records
    }

    async fn look_after(&self, pipelines: &dyn Pipelines, now: Timestamp, beat: &mut Beat) -> Result<(), Fault> {
        let found = beat.pipelines.insert(pipelines.list().await?);
        for pipeline in found.iter().filter(|p| p.state == "Running") {
            match pipelines.last_checkpoint(pipeline).await {
                Ok(at) => {
                    let age = at.map(|at| now.millis().saturating_sub(at.millis()).max(0));
                    beat.checkpoint_age_ms = beat.checkpoint_age_ms.max(age);
                }
                Err(fault) => beat.faults.push(format!("arroyo: {fault}")),
            }
        }
        let hour = now.millis().div_euclid(3_600_000);
        for pipeline in found.iter().filter(|p| p.state == "Failed") {
            // Counted first: a restart that is not counted could go on for ever.
            let restarts = self.notes.count_restart(&pipeline.id, hour).await?;
            if restarts > MAX_RESTARTS_PER_HOUR {
                beat.faults.push(format!(
                    "pipeline {} failed again after {MAX_RESTARTS_PER_HOUR} restarts this hour",
                    pipeline.name
                ));
                continue;
            }
            pipelines.restart(&pipeline.id).await?;
            beat.restarted.push(pipeline.name.clone());
        }
        Ok(())
    }
}

/// What a call says within its time.
async fn within<R>(until: Instant, call: impl Future<Output = Result<R, Fault>>) -> Result<R, Fault> {
    let answer = timeout_at(until, call).await;
    answer.unwrap_or_else(|_| Err(Fault::Retryable("no answer in time".to_owned())))
}

fn tell_probe(last: Result<Option<Arrival>, Fault>, now: Timestamp, beat: &mut Beat) {
    match last {
        Ok(Some(arrival)) => {
            beat.probe_age_ms = Some(now.millis() - arrival.sent_at.millis());
            beat.probe_ms = Some(arrival.arrived_at.millis() - arrival.sent_at.millis());
        }
        Ok(None) => {}
        Err(fault) => beat.faults.push(format!("probe: {fault}")),
    }
}

impl Beat {
    /// Writes all of it into the invocation's line.
    pub fn tell(&self, line: &mut Line) {
        line.count("control_records", self.put);
        line.count("probe_missing", u64::from(self.probe_age_ms.is_none()));
        if let Some(failed) = self.streams_failed {
            line.count("streams_failed", failed);
        }
        // Silence of the path is the worst failure: the alarm is on this metric. It begins with the first probe that came through.
        line.values("probe_age_ms", "Milliseconds", &self.probe_age_ms.into_iter().collect::<Vec<_>>());
        line.values("probe_path_ms", "Milliseconds", &self.probe_ms.into_iter().collect::<Vec<_>>());
        if let Some(pipelines) = &self.pipelines {
            let count = |state: &str| pipelines.iter().filter(|p| p.state == state).count() as u64;
            // A stack that no rules were deployed to yet is no outage: none are counted before the first probe came through.
            if !pipelines.is_empty() || self.probe_age_ms.is_some() {
                line.count("pipelines_running", count("Running"));
            }
            line.count("pipelines_failed", count("Failed"));
            line.count("pipelines_restarted", self.restarted.len() as u64);
            line.values("checkpoint_age_ms", "Milliseconds", &self.checkpoint_age_ms.into_iter().collect::<Vec<_>>());
            let states: Vec<Value> = pipelines.iter().map(|p| json!({"name": p.name, "state": p.state})).collect();
            line.field("pipelines", states);
        }
        if !self.faults.is_empty() {
            line.field("faults", self.faults.clone());
        }
    }
}

#[cfg(test)]
mod tests;
