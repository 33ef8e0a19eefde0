//! Holds what was promised against what is found at the end.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use weir_anomaly::{
    Anomaly, Severity, Stage, Timestamp,
    store::{Alert, AlertState, PROBE_ITEM, Period, Silence, StoredAnomaly, attr},
};

use super::world::{Published, World};

/// What was put on the stream, all of it acknowledged.
pub(crate) struct Promised {
    pub(crate) storm_cap: u32,
    pub(crate) anomalies: Vec<Anomaly>,
    pub(crate) bad: Vec<Vec<u8>>,
    /// When the newest probe left.
    pub(crate) newest_probe: Option<Timestamp>,
    pub(crate) silences: Vec<Silence>,
}

/// The world at the end, and the messages that reached the topic, read once.
struct Found<'a> {
    world: &'a World,
    messages: Vec<(Value, &'a Published)>,
    /// Alerts that reached the topic: who sent each, and whether the sender knows.
    sent: BTreeMap<String, Vec<(usize, bool)>>,
}

impl<'a> Found<'a> {
    fn of(world: &'a World) -> Self {
        let read = |published: &'a Published| (serde_json::from_str(&published.message.json).unwrap(), published);
        let messages: Vec<(Value, &Published)> = world.topic.iter().map(read).collect();
        let mut sent: BTreeMap<String, Vec<(usize, bool)>> = BTreeMap::new();
        for (message, published) in messages.iter().filter(|(message, _)| message["type"] == "alert") {
            let id = message["alert_id"].as_str().unwrap().to_owned();
            sent.entry(id).or_default().push((published.invocation, published.answered));
        }
        Self { world, messages, sent }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.messages.iter().map(|(message, _)| message).filter(move |message| message["type"] == kind)
    }
}

/// Anomalies first seen so shortly before a period was closed may be missing in its count: their write may have taken an
/// invocation's 20 s, the index lags by one, and the count may be an invocation older than the mark.
const LAG_MILLIS: i64 = 60_000;

impl Promised {
    pub(crate) fn judge(&self, world: &World) {
        let found = Found::of(world);
        self.every_anomaly_is_stored_once(world);
        self.every_bad_record_is_in_quarantine(world);
        self.the_newest_probe_is_noted(world);
        self.every_due_alert_is_sent(&found);
        self.nobody_hears_what_is_not_to_be_heard(&found);
        no_alert_is_sent_twice_without_a_fault(&found);
        no_summary_is_sent_twice_without_a_fault(&found);
        summaries_count_what_was_stored(&found);
        if world.disturbed.is_empty() {
            no_minute_holds_more_than_the_cap(&found, self.storm_cap);
        }
    }

    fn every_anomaly_is_stored_once(&self, world: &World) {
        let ids: BTreeSet<&str> = self.anomalies.iter().map(|a| a.id.as_str()).collect();
        for id in &ids {
            let item =
                world.table.get(*id).unwrap_or_else(|| panic!("anomaly {id} was acknowledged and is not stored"));
            let stored = StoredAnomaly::from_item(item).unwrap();
            assert!(stored.times_seen >= 1);
        }
        let stored = world.table.keys().filter(|id| !id.contains('#')).count();
        assert_eq!(stored, ids.len(), "the store holds anomalies that nobody sent");
    }

    fn every_bad_record_is_in_quarantine(&self, world: &World) {
        let found: BTreeSet<Vec<u8>> = quarantined(world).into_values().collect();
        for raw in &self.bad {
            assert!(
                found.contains(raw),
                "{:?} was acknowledged and is not in quarantine",
                String::from_utf8_lossy(raw)
            );
        }
    }

    fn the_newest_probe_is_noted(&self, world: &World) {
        let noted = world.table.get(PROBE_ITEM).map(|item| item.text(attr::PROBE_SENT_AT).unwrap());
        assert_eq!(noted.map(str::to_owned), self.newest_probe.map(|at| at.to_rfc3339_millis()));
    }

    fn alerts(&self) -> BTreeSet<String> {
        let audible = self.anomalies.iter().filter(|a| {
            a.rule_meta.stage == Stage::Active
                && a.severity >= Severity::Warning
                && !self.silences.iter().any(|s| s.covers(a))
        });
        audible.map(alert_id).collect()
    }

    fn every_due_alert_is_sent(&self, found: &Found<'_>) {
        let world = found.world;
        for id in self.alerts() {
            let alert = alert(world, &id);
            if found.sent.contains_key(&id) {
                assert!(
                    matches!(alert.state, AlertState::Closed | AlertState::Held),
                    "{id} is sent and not closed: {alert:?}"
                );
                continue;
            }
            assert_eq!(alert.state, AlertState::Held, "{id} was due and nobody heard of it");
            let storm = alert.storm.unwrap();
            let held = world.table.values().filter(|item| item.text(attr::STORM) == Some(&storm)).count();
            let spoken_for = found
                .of_kind("storm")
                .filter(|m| m["storm_id"] == storm.as_str())
                .filter_map(|m| m["held"].as_u64())
                .max();
            assert!(spoken_for >= Some(held as u64), "{storm} holds {held} and speaks for {spoken_for:?}");
        }
    }

    fn nobody_hears_what_is_not_to_be_heard(&self, found: &Found<'_>) {
        let audible = self.alerts();
        for id in found.sent.keys() {
            assert!(audible.contains(id), "{id} was sent and must not be");
        }
    }
}

/// Whole records in quarantine, by record and the number of parts it came in: a retry may have sent a part twice.
pub(crate) fn quarantined(world: &World) -> BTreeMap<(String, u64), Vec<u8>> {
    let mut records: BTreeMap<(String, u64), BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    for body in &world.queue {
        let body: Value = serde_json::from_str(body).unwrap();
        let (part, parts) = (body["part"].as_u64().unwrap(), body["parts"].as_u64().unwrap());
        let raw = STANDARD.decode(body["raw"].as_str().unwrap()).unwrap();
        records.entry((body["record_id"].as_str().unwrap().to_owned(), parts)).or_default().insert(part, raw);
    }
    let whole = |(id, parts): ((String, u64), BTreeMap<u64, Vec<u8>>)| {
        (parts.len() as u64 == id.1).then(|| (id, parts.into_values().flatten().collect()))
    };
    records.into_iter().filter_map(whole).collect()
}

/// A second message is allowed only where the first one's sender died, or did not learn that it was sent or marked.
fn no_alert_is_sent_twice_without_a_fault(found: &Found<'_>) {
    let world = found.world;
    for (id, senders) in &found.sent {
        let clean = senders.iter().filter(|(invocation, answered)| {
            *answered && world.marked.contains(&(id.clone(), *invocation)) && !world.disturbed.contains_key(invocation)
        });
        let clean = clean.count();
        assert!(clean <= 1, "{id} was sent {clean} times by undisturbed invocations");
        let explained = senders.iter().filter(|(invocation, _)| world.disturbed.contains_key(invocation)).count();
        assert!(senders.len() <= 1 + explained, "{id} was sent {} times, with {explained} faults", senders.len());
    }
}

/// Summaries of periods and of storms, likewise: overlapping sweeps must not both speak.
fn no_summary_is_sent_twice_without_a_fault(found: &Found<'_>) {
    let world = found.world;
    let mut senders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (message, published) in &found.messages {
        let about = match message["type"].as_str() {
            Some("summary") => &message["alert_id"],
            Some("storm") => &message["storm_id"],
            _ => continue,
        };
        senders.entry(about.as_str().unwrap().to_owned()).or_default().push(published.invocation);
    }
    for (about, invocations) in senders {
        let explained = invocations.iter().filter(|i| world.disturbed.contains_key(i)).count();
        assert!(invocations.len() <= 1 + explained, "{about} was summed up {} times", invocations.len());
    }
}

fn summaries_count_what_was_stored(found: &Found<'_>) {
    let world = found.world;
    let mut told: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for message in found.of_kind("summary") {
        let suppressed = message["suppressed"].as_i64().unwrap();
        told.entry(message["alert_id"].as_str().unwrap()).or_default().push(suppressed);
    }
    let mut first_seen: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for item in world.table.values() {
        if let Some(alert_id) = item.text(attr::ALERT_ID) {
            let seen = StoredAnomaly::from_item(item).unwrap().first_seen;
            first_seen.entry(alert_id).or_default().push(seen);
        }
    }
    for (id, (closed_at, counted)) in &world.closed {
        let alert = alert(world, id);
        let suppressed = alert.suppressed.unwrap();
        let first_seen = &first_seen[id.as_str()];
        assert!(suppressed < i64::try_from(first_seen.len()).unwrap(), "{id} counts more than there is");
        let newest = first_seen.iter().max().unwrap().millis();
        if newest + LAG_MILLIS < *closed_at {
            assert_eq!(suppressed, i64::try_from(*counted).unwrap() - 1, "{id} counts wrongly");
        }
        if suppressed > 0 {
            let digest = found.of_kind("digest").any(|m| m["rule"] == alert.rule.as_str());
            let summary = told.get(id.as_str()).is_some_and(|counts| counts.contains(&suppressed));
            assert!(summary || digest, "{id} has {suppressed} more and nobody was told");
        }
    }
}

fn no_minute_holds_more_than_the_cap(found: &Found<'_>, cap: u32) {
    let mut by_minute: BTreeMap<(String, String), usize> = BTreeMap::new();
    for id in found.sent.keys() {
        let alert = alert(found.world, id);
        let minute = alert.created_at.to_rfc3339_millis().chars().take(16).collect();
        *by_minute.entry((alert.rule, minute)).or_default() += 1;
    }
    // The slot is taken a moment after the alert became due: two minutes may share one.
    let most = by_minute.values().max().copied().unwrap_or_default();
    assert!(most <= 2 * cap as usize, "{by_minute:?}");
}

fn alert(world: &World, id: &str) -> Alert {
    let item = world.table.get(id).unwrap_or_else(|| panic!("{id} was due and is not in the outbox"));
    Alert::from_item(item).unwrap()
}

fn alert_id(anomaly: &Anomaly) -> String {
    let period = Period::of(anomaly.timestamp, anomaly.rule_meta.dedup_seconds.unwrap());
    Alert::id_of(&anomaly.rule, &anomaly.key, period)
}
