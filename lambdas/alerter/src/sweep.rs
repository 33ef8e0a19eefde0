//! What is due by the clock: alerts that somebody left unsent, periods that are over, storms that are over.
//!
//! The index may lag behind the table, so every item is claimed by a write that expects it as it was read.

use std::collections::BTreeMap;

use weir_anomaly::{
    Anomaly, Timestamp,
    store::{self, Alert, AlertState, Attr, Item, StoredAnomaly, Storm, attr},
};
use weir_lambda::retry::Budget;

use crate::{
    Alerter, message,
    metrics::Counters,
    outbox::still_due,
    ports::{Fault, Message, Update, Updated, one},
};

/// Items looked at in one sweep. The rest waits a minute; it is older first.
const MAX_ITEMS: usize = 1000;
/// Held alerts that a storm's summary counts; past it the summary says so many.
const MAX_HELD: usize = 1000;
/// Summaries of one rule in one sweep; above it, one digest.
const MAX_SUMMARIES: usize = 5;

impl Alerter {
    /// Does what is due.
    ///
    /// # Errors
    /// When the work list cannot be read.
    pub async fn sweep(&self, deadline: Timestamp, counters: &mut Counters) -> Result<(), Fault> {
        let budget = Budget::until(deadline, self.clock.as_ref());
        let now = self.clock.now();
        let items = budget.one(async || self.store.by_rule(store::PENDING, Some(now), MAX_ITEMS).await).await?;
        let (mut due, mut over, mut storms) = (Vec::new(), Vec::new(), Vec::new());
        for item in &items {
            if let Ok(storm) = Storm::from_item(item) {
                storms.push((storm, item.clone()));
                continue;
            }
            match Alert::from_item(item) {
                Ok(alert) if alert.state == AlertState::Due => due.push(alert),
                Ok(alert) if alert.state == AlertState::Open => over.push(alert),
                Ok(_) => {}
                Err(error) => {
                    counters.sweep_failed += 1;
                    counters.fault("sweep", &error);
                }
            }
        }
        self.resend(due, &budget, counters).await;
        self.close(over, &budget, counters).await;
        for (storm, item) in storms {
            self.end_storm(&storm, &item, &budget, counters).await;
        }
        Ok(())
    }

    /// Sends what an invocation left unsent when it died or when the topic did not answer.
    async fn resend(&self, due: Vec<Alert>, budget: &Budget<'_>, counters: &mut Counters) {
        let mut claimed = Vec::new();
        for alert in self.claim(due, budget, counters).await {
            match self.first_of(&alert, budget).await {
                Ok(Some(first)) => claimed.push((alert, first)),
                Ok(None) => {
                    // Its anomaly is past retention, or somebody removed it: there is nothing left to say.
                    counters.fault("sweep", &format!("anomaly {} is gone", alert.first_id));
                    self.mark(vec![closed(&alert, 0)], budget, counters).await;
                }
                Err(fault) => {
                    counters.sweep_failed += 1;
                    counters.fault("sweep", &fault);
                }
            }
        }
        self.send(claimed, budget, counters).await;
    }

    /// Closes periods that are over, with a summary where more than the first anomaly came.
    async fn close(&self, over: Vec<Alert>, budget: &Budget<'_>, counters: &mut Counters) {
        let mut quiet = Vec::new();
        let mut busy = BTreeMap::<String, i64>::new();
        let mut to_claim = Vec::new();
        for alert in over {
            let (from, to, id) = (alert.period.begins(), alert.period.ends(), alert.id());
            match budget.one(async || self.store.count_of_alert(&alert.key, from, to, &id).await).await {
                Ok(count) if count <= 1 => quiet.push(closed(&alert, 0)),
                Ok(count) => {
                    busy.insert(id, count - 1);
                    to_claim.push(alert);
                }
                Err(fault) => {
                    counters.sweep_failed += 1;
                    counters.fault("close", &fault);
                }
            }
        }
        self.mark(quiet, budget, counters).await;
        let mut by_rule: BTreeMap<String, Vec<(Alert, i64)>> = BTreeMap::new();
        for alert in self.claim(to_claim, budget, counters).await {
            let suppressed = busy.get(&alert.id()).copied().unwrap_or_default();
            by_rule.entry(alert.rule.clone()).or_default().push((alert, suppressed));
        }
        for (rule, closing) in by_rule {
            let mut messages = Vec::new();
            if closing.len() > MAX_SUMMARIES {
                messages.push((message::digest(&rule, &closing, &self.config.table), closing));
            } else {
                for (alert, suppressed) in closing {
                    let first = self.first_of(&alert, budget).await.ok().flatten();
                    let (table, page) = (&self.config.table, self.config.page.as_deref());
                    let message = message::summary(first.as_ref(), &alert, suppressed, table, page);
                    messages.push((message, vec![(alert, suppressed)]));
                }
            }
            for (message, spoken_for) in messages {
                let marks = spoken_for.iter().map(|(alert, suppressed)| closed(alert, *suppressed)).collect();
                self.publish_and_mark(message, marks, budget, counters).await;
            }
        }
    }

    /// Sends the summary that speaks for the alerts of a storm.
    async fn end_storm(&self, storm: &Storm, item: &Item, budget: &Budget<'_>, counters: &mut Counters) {
        let Some(seen) = item.get(attr::TIMESTAMP).cloned() else {
            return;
        };
        let lease = Attr::time(self.lease(budget));
        let claim = Update {
            id: storm.id(),
            expect: vec![(attr::STATE, "due".into()), (attr::TIMESTAMP, seen)],
            set: vec![(attr::TIMESTAMP, lease.clone())],
            ..Update::default()
        };
        let claims = [claim];
        let claimed = budget.one(async || one(self.store.update(&claims).await)).await;
        let held = match claimed {
            Ok(Updated::Refused) => return,
            Ok(Updated::Done) => budget.one(async || self.store.by_rule(&storm.id(), None, MAX_HELD).await).await,
            Err(fault) => Err(fault),
        };
        match held {
            Ok(items) => {
                let held: Vec<Alert> = items.iter().filter_map(|item| Alert::from_item(item).ok()).collect();
                let mark = Update {
                    id: storm.id(),
                    expect: vec![(attr::STATE, "due".into()), (attr::TIMESTAMP, lease)],
                    set: vec![(attr::STATE, "closed".into())],
                    remove: vec![attr::RULE, attr::TIMESTAMP],
                    ..Update::default()
                };
                if held.is_empty() {
                    self.mark(vec![mark], budget, counters).await;
                } else {
                    let message = message::storm(storm, &held, self.config.storm_cap, &self.config.table);
                    self.publish_and_mark(message, vec![mark], budget, counters).await;
                }
            }
            Err(fault) => {
                counters.sweep_failed += 1;
                counters.fault("storm", &fault);
            }
        }
    }

    async fn publish_and_mark(
        &self,
        message: Message,
        marks: Vec<Update>,
        budget: &Budget<'_>,
        counters: &mut Counters,
    ) {
        let messages = [message];
        match budget.one(async || one(self.notifier.publish(&messages).await)).await {
            Ok(()) => {
                counters.alerted += 1;
                self.mark(marks, budget, counters).await;
            }
            Err(fault) => {
                counters.publish_failed += 1;
                counters.fault("publish", &fault);
            }
        }
    }

    /// Takes over alerts whose lease is over. What somebody else changed in the meantime is left out.
    async fn claim(&self, alerts: Vec<Alert>, budget: &Budget<'_>, counters: &mut Counters) -> Vec<Alert> {
        let lease = self.lease(budget);
        let claims = alerts
            .iter()
            .map(|alert| Update { set: vec![(attr::TIMESTAMP, Attr::time(lease))], ..still_due(alert) })
            .collect();
        let answers = budget.each(claims, async |claims: &[Update]| self.store.update(claims).await).await;
        let mut claimed = Vec::new();
        for (mut alert, answer) in alerts.into_iter().zip(answers) {
            match answer {
                Ok(Updated::Done) => {
                    alert.next_at = Some(lease);
                    claimed.push(alert);
                }
                Ok(Updated::Refused) => {}
                Err(fault) => {
                    counters.sweep_failed += 1;
                    counters.fault("claim", &fault);
                }
            }
        }
        claimed
    }

    async fn first_of(&self, alert: &Alert, budget: &Budget<'_>) -> Result<Option<Anomaly>, Fault> {
        let item = budget.one(async || self.store.get(&alert.first_id).await).await?;
        let read = |item: Item| StoredAnomaly::from_item(&item).map_err(|e| Fault::Poison(e.to_string()));
        Ok(item.map(read).transpose()?.map(|stored| stored.anomaly))
    }
}

fn closed(alert: &Alert, suppressed: i64) -> Update {
    Update {
        set: vec![(attr::STATE, "closed".into()), (attr::SUPPRESSED, Attr::int(suppressed))],
        remove: vec![attr::RULE, attr::TIMESTAMP],
        ..still_due(alert)
    }
}
