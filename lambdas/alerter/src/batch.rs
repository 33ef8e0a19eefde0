//! A batch in, the sequence numbers that failed out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::value::RawValue;
use weir_anomaly::{
    Anomaly, AnomalyId, Timestamp,
    store::{self, Alert, AlertState, Attr, Disposition, Item, Period, Silence, StoredAnomaly, attr},
};
use weir_lambda::retry::Budget;

use crate::{
    Alerter,
    decode::{self, Decoded, Entry},
    metrics::Counters,
    ports::{Fault, Inserted, Update},
    quarantine,
};

/// More silences than this at once are no silences but a rule that should be in shadow.
const MAX_SILENCES: usize = 1000;

/// The records of a batch: as they came, and taken apart.
struct Batch<'a> {
    raw: &'a [&'a RawValue],
    decoded: Vec<Decoded>,
}

/// An anomaly of the batch, once, with the records that carry it.
struct Unique {
    anomaly: Anomaly,
    /// Where it stood first: record, and entry in the record.
    first: (usize, usize),
    records: BTreeSet<usize>,
    times: i64,
}

impl Alerter {
    /// Stores the batch's anomalies, alerts what is new, moves what is no anomaly to quarantine. Returns the sequence
    /// numbers of the records that are not safe yet.
    pub async fn batch(&self, records: &[&RawValue], deadline: Timestamp, counters: &mut Counters) -> Vec<String> {
        let budget = Budget::until(deadline, self.clock.as_ref());
        let decoded = records.iter().map(|raw| decode::record(raw)).collect();
        let mut batch = Batch { raw: records, decoded };
        counters.records += records.len() as u64;
        let (unique, bodies) = self.sort_out(&mut batch, counters);
        let mut failed = BTreeSet::new();

        let (quarantined, silences) =
            futures::join!(self.move_to_quarantine(bodies, &budget), self.silences(&unique, &budget));
        counters.quarantined += quarantined.moved;
        failed.extend(quarantined.failed);
        for fault in quarantined.faults {
            counters.fault("quarantine", &fault);
        }
        let (probes, mut unique): (Vec<_>, Vec<_>) = unique.into_iter().partition(|u| u.anomaly.is_probe());
        let silences = silences.unwrap_or_else(|fault| {
            counters.fault("silences", &fault);
            if fault.is_retryable() {
                // A person who asked for silence must not be woken by a throttled read: the records come again.
                failed.extend(unique.drain(..).flat_map(|u| u.records));
            }
            // Nothing but a change by somebody helps: rather one alert too many than one too few.
            Arc::default()
        });
        for probe in probes {
            if let Err(fault) = self.note_probe(&probe.anomaly, &budget, counters).await {
                counters.fault("probe", &fault);
                failed.extend(probe.records);
            }
        }
        let safe = self.store_all(unique, &silences, &batch, &budget, counters, &mut failed).await;
        self.alert_groups(safe, &budget, counters, &mut failed).await;

        counters.failed += failed.len() as u64;
        let sequence_number = |index: &usize| batch.decoded.get(*index).map(|d| d.origin.sequence_number.clone());
        failed.iter().filter_map(sequence_number).collect()
    }

    /// Merges what came twice and takes out what is no anomaly.
    fn sort_out(&self, batch: &mut Batch<'_>, counters: &mut Counters) -> (Vec<Unique>, Vec<(usize, String)>) {
        let now = self.clock.now();
        // A probe is not stored: it must not hide an anomaly that was given its id.
        let mut unique: BTreeMap<(AnomalyId, bool), Unique> = BTreeMap::new();
        let mut bodies = Vec::new();
        for (index, record) in batch.decoded.iter_mut().enumerate() {
            for (at, entry) in std::mem::take(&mut record.entries).into_iter().enumerate() {
                let parts = match entry {
                    Entry::Anomaly(anomaly) => {
                        counters.received += 1;
                        let id = (anomaly.id.clone(), anomaly.is_probe());
                        let slot = unique.entry(id).or_insert_with(|| Unique {
                            anomaly: *anomaly,
                            first: (index, at),
                            records: BTreeSet::new(),
                            times: 0,
                        });
                        slot.records.insert(index);
                        slot.times += 1;
                        continue;
                    }
                    Entry::Poison(poison) => {
                        let envelope = || raw_bytes(batch.raw, (index, at));
                        quarantine::poison(&record.origin, at, &poison, envelope, now)
                    }
                    Entry::Invalid { raw, error } => {
                        quarantine::invalid(&record.origin, at, &raw, error.reason(), &error.to_string(), now)
                    }
                };
                bodies.extend(parts.into_iter().map(|body| (index, body)));
            }
        }
        (unique.into_values().collect(), bodies)
    }

    async fn move_to_quarantine(&self, bodies: Vec<(usize, String)>, budget: &Budget<'_>) -> Quarantined {
        let (indexes, bodies): (Vec<_>, Vec<_>) = bodies.into_iter().unzip();
        let answers = budget.each(bodies, async |bodies: &[String]| self.quarantine.send(bodies).await).await;
        let mut result = Quarantined::default();
        let all: BTreeSet<usize> = indexes.iter().copied().collect();
        for (index, answer) in indexes.into_iter().zip(answers) {
            if let Err(fault) = answer {
                result.failed.insert(index);
                result.faults.push(fault);
            }
        }
        result.moved = (all.len() - result.failed.len()) as u64;
        result
    }

    /// The silences in force, asked for only when there is something to be silent about.
    async fn silences(&self, unique: &[Unique], budget: &Budget<'_>) -> Result<Arc<[Silence]>, Fault> {
        if !unique.iter().any(|u| !u.anomaly.is_probe() && self.may_alert(&u.anomaly).is_none()) {
            return Ok(Arc::default());
        }
        let now = self.clock.now();
        if let Some(silences) = self.memory.silences(now) {
            return Ok(silences);
        }
        let items = budget.one(async || self.store.by_rule(store::SILENCE, None, MAX_SILENCES).await).await?;
        let silences = items.iter().filter_map(|item| Silence::from_item(item).ok()).collect();
        self.memory.keep_silences(&silences, now);
        Ok(silences)
    }

    /// `None` when people may hear of it, else why not.
    fn may_alert(&self, anomaly: &Anomaly) -> Option<Disposition> {
        if anomaly.rule_meta.stage != weir_anomaly::Stage::Active {
            Some(Disposition::Shadow)
        } else if anomaly.severity < self.config.severity_floor {
            Some(Disposition::BelowFloor)
        } else {
            None
        }
    }

    /// Writes each anomaly once. Returns those that are safe and count for an alert, grouped by it.
    async fn store_all(
        &self,
        unique: Vec<Unique>,
        silences: &[Silence],
        batch: &Batch<'_>,
        budget: &Budget<'_>,
        counters: &mut Counters,
        failed: &mut BTreeSet<usize>,
    ) -> BTreeMap<String, Vec<Unique>> {
        let now = self.clock.now();
        let mut alert_ids = Vec::with_capacity(unique.len());
        let mut items = Vec::with_capacity(unique.len());
        for u in &unique {
            let silenced = || silences.iter().any(|s| s.covers(&u.anomaly)).then_some(Disposition::Silenced);
            let disposition = self.may_alert(&u.anomaly).or_else(silenced).unwrap_or(Disposition::Alert);
            let alert_id = (disposition == Disposition::Alert)
                .then(|| Alert::id_of(&u.anomaly.rule, &u.anomaly.key, self.period(&u.anomaly)));
            match disposition {
                Disposition::Alert => {}
                Disposition::Silenced => counters.silenced += 1,
                Disposition::Shadow | Disposition::BelowFloor => counters.unalerted += 1,
            }
            let stored = StoredAnomaly {
                anomaly: u.anomaly.clone(),
                first_seen: now,
                last_seen: now,
                times_seen: u.times,
                expires_at: self.expires_at(now),
                disposition,
                alert_id: alert_id.clone(),
            };
            items.push(stored.to_item());
            alert_ids.push(alert_id);
        }
        let answers = budget.each(items, async |items: &[Item]| self.store.insert(items).await).await;

        let mut groups: BTreeMap<String, Vec<Unique>> = BTreeMap::new();
        let mut seen_again = Vec::new();
        let stored_at = self.clock.now();
        for ((u, alert_id), answer) in unique.into_iter().zip(alert_ids).zip(answers) {
            if self.config.debug {
                counters.outcomes.push((u.anomaly.id.to_string(), outcome(&answer)));
            }
            match answer {
                Ok(Inserted::New) => {
                    counters.new += 1;
                    counters.duplicate += u.times.unsigned_abs() - 1;
                    Counters::latency(&mut counters.event_to_stored_ms, u.anomaly.timestamp, stored_at);
                }
                Ok(Inserted::Duplicate) => {
                    counters.duplicate += u.times.unsigned_abs();
                    seen_again.push(seen(&u, now));
                }
                Err(Fault::Poison(reason)) => {
                    counters.fault("store", &reason);
                    self.refused(&u, &reason, batch, budget, counters, failed).await;
                    continue;
                }
                Err(fault) => {
                    counters.fault("store", &fault);
                    failed.extend(u.records);
                    continue;
                }
            }
            if let Some(alert_id) = alert_id {
                groups.entry(alert_id).or_default().push(u);
            }
        }
        // How often an anomaly came is worth knowing and not worth a retry of the batch.
        for fault in self.store.update(&seen_again).await.into_iter().filter_map(Result::err) {
            counters.fault("times seen", &fault);
        }
        groups
    }

    /// The store will never take it: quarantine has to.
    async fn refused(
        &self,
        u: &Unique,
        reason: &str,
        batch: &Batch<'_>,
        budget: &Budget<'_>,
        counters: &mut Counters,
        failed: &mut BTreeSet<usize>,
    ) {
        let (index, at) = u.first;
        let origin = batch.decoded.get(index).map(|d| d.origin.clone()).unwrap_or_default();
        let raw = raw_bytes(batch.raw, u.first);
        let bodies = quarantine::invalid(&origin, at, &raw, "store_refused", reason, self.clock.now());
        let answers = budget.each(bodies, async |bodies: &[String]| self.quarantine.send(bodies).await).await;
        if answers.iter().all(Result::is_ok) {
            counters.quarantined += 1;
        } else {
            failed.extend(u.records.iter().copied());
        }
    }

    /// Makes the alerts of stored anomalies due, and sends those that nobody else holds. Once the outbox has an alert, its
    /// anomalies are safe: if the sending fails, the sweep sends.
    async fn alert_groups(
        &self,
        groups: BTreeMap<String, Vec<Unique>>,
        budget: &Budget<'_>,
        counters: &mut Counters,
        failed: &mut BTreeSet<usize>,
    ) {
        let now = self.clock.now();
        let (known, groups): (BTreeMap<_, _>, BTreeMap<_, _>) =
            groups.into_iter().partition(|(id, _)| self.memory.knows_alert(id, now));
        counters.suppressed += known.values().map(|group| group.len() as u64).sum::<u64>();
        let mut alerts = Vec::with_capacity(groups.len());
        for group in groups.values() {
            let Some(first) = group.iter().map(|u| &u.anomaly).min_by_key(|a| (a.timestamp, a.id.clone())) else {
                continue;
            };
            alerts.push(Alert {
                rule: first.rule.clone(),
                key: first.key.clone(),
                severity: first.severity,
                period: self.period(first),
                first_id: first.id.to_string(),
                created_at: now,
                state: AlertState::Due,
                next_at: Some(self.lease(budget)),
                storm: None,
                suppressed: None,
                sent_at: None,
                expires_at: self.expires_at(now),
            });
        }
        let items: Vec<Item> = alerts.iter().map(Alert::to_item).collect();
        let answers = budget.each(items, async |items: &[Item]| self.store.insert(items).await).await;
        let mut mine = Vec::new();
        for ((alert, (id, group)), answer) in alerts.into_iter().zip(groups).zip(answers) {
            if answer.is_ok() {
                self.memory.keep_alert(id, now);
            }
            match answer {
                Ok(Inserted::New) => {
                    counters.suppressed += group.len() as u64 - 1;
                    let first = group.into_iter().map(|u| u.anomaly).find(|a| a.id.as_str() == alert.first_id);
                    mine.extend(first.map(|first| (alert, first)));
                }
                Ok(Inserted::Duplicate) => counters.suppressed += group.len() as u64,
                Err(fault) => {
                    counters.fault("outbox", &fault);
                    failed.extend(group.into_iter().flat_map(|u| u.records));
                }
            }
        }
        self.send(mine, budget, counters).await;
    }

    fn period(&self, anomaly: &Anomaly) -> Period {
        Period::of(anomaly.timestamp, anomaly.rule_meta.dedup_seconds.unwrap_or(self.config.dedup_seconds))
    }

    /// A probe is no anomaly: its arrival is noted on one item, and its latency is a metric.
    async fn note_probe(&self, probe: &Anomaly, budget: &Budget<'_>, counters: &mut Counters) -> Result<(), Fault> {
        let text = |name: &str| probe.details.get(name).and_then(serde_json::Value::as_str);
        let sent_at: Timestamp = text("sent_at").and_then(|t| t.parse().ok()).unwrap_or(probe.timestamp);
        let now = self.clock.now();
        let newest = (attr::PROBE_SENT_AT, Attr::time(sent_at));
        let set = [
            (attr::PROBE_ID, Attr::from(text("probe_id").unwrap_or(&probe.key))),
            (attr::PROBE_ARRIVED_AT, Attr::time(now)),
        ];
        budget.one(async || self.store.raise(store::PROBE_ITEM, newest.clone(), &set).await).await?;
        Counters::latency(&mut counters.probe_ms, sent_at, now);
        Ok(())
    }
}

/// The bytes of an entry, as they came.
fn raw_bytes(records: &[&RawValue], (index, at): (usize, usize)) -> Vec<u8> {
    records.get(index).and_then(|raw| decode::bytes_of(raw, at)).unwrap_or_default()
}

#[derive(Default)]
struct Quarantined {
    moved: u64,
    failed: BTreeSet<usize>,
    faults: Vec<Fault>,
}

fn outcome(answer: &Result<Inserted, Fault>) -> &'static str {
    match answer {
        Ok(Inserted::New) => "new",
        Ok(Inserted::Duplicate) => "duplicate",
        Err(Fault::Poison(_)) => "refused",
        Err(_) => "failed",
    }
}

fn seen(u: &Unique, now: Timestamp) -> Update {
    Update {
        id: u.anomaly.id.to_string(),
        set: vec![(attr::LAST_SEEN, Attr::time(now))],
        add: vec![(attr::TIMES_SEEN, u.times)],
        ..Update::default()
    }
}
